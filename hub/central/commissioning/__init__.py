"""Commissioning: a device is in service when a press or trigger of it has been acknowledged on a test phone."""
