"""From a target of a plan to a text on a phone, and back: the outbox, the channels, receipts and replies."""
