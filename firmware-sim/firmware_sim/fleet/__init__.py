"""A thousand homes for load: each a hub of its own on the wire contract, none with devices or radio."""
