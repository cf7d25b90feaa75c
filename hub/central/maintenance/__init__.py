"""Maintenance: a hub, device or zone whose faults are expected for a while, with a reason and an end."""
