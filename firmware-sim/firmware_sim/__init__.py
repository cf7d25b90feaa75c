"""Simulated devices, phone network and broker, written from the protocol texts alone.

Nothing here imports the hub, its drivers or its rules: a mistake in one is then not a mistake in both.
"""
