"""The audit trail's chain: each row bears the hash of the one before it, so that none can be changed unseen."""
