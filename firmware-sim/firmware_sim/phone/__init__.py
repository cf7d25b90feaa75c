"""The phone network: a text message service that speaks the 46elks API, and the phones behind it."""
