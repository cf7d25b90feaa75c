"""What edge and centre agree on, version 1: topics, envelope, receipt, configuration, broker."""
