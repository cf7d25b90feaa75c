"""One simulated device in somebody's hands."""
