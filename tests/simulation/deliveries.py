"""What providers took over and what they reported, against what is noted of it: nothing more, and nothing less."""

from typing import TYPE_CHECKING, NamedTuple

from hub.central.notify.channels.base import ReceiptStatus, Report
from tests.simulation.centre import SimCentre
from tests.simulation.loop import Process

if TYPE_CHECKING:
    from tests.simulation.world import World

# Where the store gives no answer, what a provider has accepted is noted half a second later.
_NOTED_S = 1.0

_NAMED = "SELECT provider_ref, message_id, provider, state FROM attempts WHERE provider_ref IS NOT NULL"
# Accepted, no receipt in time, and no attempt that has yet to leave or that somebody withdrew; by how many
# providers it can go no more.
_SILENT = """
SELECT id, channel, (SELECT count(DISTINCT provider) FROM attempts WHERE message_id = messages.id
  AND (final OR state IN ('sent', 'delivered', 'read', 'accepted', 'rejected')))
FROM messages WHERE state = 'sent' AND channel != 'fyi' AND NOT EXISTS (
  SELECT 1 FROM due WHERE kind = 'message.receipt' AND subject = CAST(messages.id AS TEXT)) AND NOT EXISTS (
  SELECT 1 FROM attempts WHERE message_id = messages.id
  AND state IN ('queued', 'cancelled', 'cancelled_by_other'))"""
_REACHED = {"delivered", "read", "accepted", "rejected"}


class _Note(NamedTuple):
    """What is noted of an attempt that has a provider's name."""

    ref: str
    message_id: int
    provider: str
    state: str


class _Owed(NamedTuple):
    """Who is to note that a provider has accepted something, and since when."""

    centre: SimCentre
    process: Process
    since: float


class Deliveries:
    """Looks at the attempts of one world."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._owed: dict[str, _Owed] = {}
        self._told: dict[str, ReceiptStatus] = {}
        # As they were when they were looked at.
        self._noted: set[tuple[str, int, str, str]] = set()
        self._states: dict[str, str] = {}
        self._kept: dict[str, ReceiptStatus] = {}

    def owes(self, ref: str, centre: SimCentre) -> None:
        """A centre has heard that a provider accepted something: it notes that, unless it is killed before."""
        self._owed[ref] = _Owed(centre, centre.process, self._world.now)

    def told(self, report: Report) -> None:
        """A centre has kept what a provider reports."""
        self._told[report.provider_ref] = report.status

    def look(self) -> None:
        """Look at everything that a change of the store can break."""
        rows = self._world.database.rows
        noted = set(rows(_NAMED))
        for note in map(_Note._make, sorted(noted - self._noted)):
            self._not_more(note)
        if noted != self._noted or self._told != self._kept:
            self._noted, self._kept = noted, dict(self._told)
            self._states = {note.ref: note.state for note in map(_Note._make, noted)}
            if len(self._states) < len(noted):
                self._world.breaks("an attempt is noted twice")
            self._not_less()
        for message_id, channel, done in rows(_SILENT):
            if done < sum(gateway.channel == channel for gateway in self._world.gateways):
                self._world.breaks(f"message {message_id} has no receipt and no other provider has its turn")

    def _not_less(self) -> None:
        for ref, status in self._told.items():
            if status is ReceiptStatus.DELIVERED and self._states.get(ref) not in _REACHED:
                self._world.breaks(f"{ref} was reported as delivered and does not count")
            if status is ReceiptStatus.FAILED and self._states.get(ref) == "sent":
                self._world.breaks(f"{ref} was reported as failed and counts as sent")

    def overdue(self) -> None:
        """Look at what time alone can break: what was accepted is noted soon."""
        for ref, owed in list(self._owed.items()):
            killed = not owed.centre.alive or owed.centre.process is not owed.process
            if killed or ref in self._states:
                del self._owed[ref]
            elif self._world.now > max(owed.since, owed.centre.well_since) + _NOTED_S:
                self._world.breaks(f"{ref} was accepted and {owed.centre.name} has not noted it")

    def _not_more(self, note: _Note) -> None:
        world, ref = self._world, note.ref
        gateway = next(each for each in world.gateways if each.name == note.provider)
        taken, message = gateway.accepted.get(ref), f"message {note.message_id}"
        if taken is None or taken.message_id != note.message_id:
            world.breaks(f"{message} counts as sent as {ref}, which {note.provider} never accepted")
        if note.provider.startswith("fyi") and note.state != "sent":
            world.breaks(f"{message} is for information and counts as {note.state}")
        if note.state in ("delivered", "read") and gateway.reported.get(ref) is not ReceiptStatus.DELIVERED:
            world.breaks(f"{message} counts as delivered as {ref}, which nobody reported")
        if note.state not in _REACHED | {"sent"} and gateway.reported.get(ref) is not ReceiptStatus.FAILED:
            world.breaks(f"{message} counts as {note.state} as {ref}, which was accepted")
