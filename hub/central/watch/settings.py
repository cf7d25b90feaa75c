"""The settings of what watches: ``[watch]`` and ``[metrics]`` of the centre's file."""

import msgspec


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Watch(_Table, frozen=True, kw_only=True):
    """The rounds: a test alarm through the whole chain, again and again.

    Attributes:
        probe_hub: The hub that begins each round, by its id in the site.
        phone: The test phone at which it ends, by its id in the site.
        every_s: Seconds from the begin of one round to the next.
        ping_url: Dead-man's switch that is told of each complete round (healthchecks.io), or ``None``.
    """

    probe_hub: str
    phone: str
    every_s: int = 3600
    ping_url: str | None = None

    def __post_init__(self) -> None:
        """Check what a type cannot say."""
        if self.every_s < 1:
            raise ValueError("every_s: write 1 or more")
        if self.ping_url is not None and not self.ping_url.startswith(("https://", "http://")):
            raise ValueError("ping_url: write an address that begins with https://")


class Metrics(_Table, frozen=True, kw_only=True):
    """Who may read ``/metrics``.

    Attributes:
        token: Bearer token that a reader must bring; ``None``: readers on this machine only.
    """

    token: str | None = None
