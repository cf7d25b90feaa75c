"""Links in texts: one incident and one recipient each; they show to whoever opens them, and act on a POST only."""
