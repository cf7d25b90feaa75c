"""The edge: reads the devices of one home and keeps what it read until the centre has stored it."""
