"""What the auditor needs to see of the parts that it watches."""
