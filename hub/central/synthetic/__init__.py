"""The rounds: a test alarm through edge, broker, centre and provider to a test phone, timed and kept."""
