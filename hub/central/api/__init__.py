"""HTTP: what the console's scripts and the phone providers call."""
