"""Proof of follow-up: what became of every alarm, how fast, by whom, and within which limit."""
