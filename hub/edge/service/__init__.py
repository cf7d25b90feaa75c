"""The service socket: what a technician at the box can ask a running edge."""
