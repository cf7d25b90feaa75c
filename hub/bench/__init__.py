"""``hub bench``: the chain's figures, measured on this machine with the real broker and processes."""
