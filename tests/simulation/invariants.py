"""What must hold after every step, looked at from outside: in the store as it is, and in what the world knows."""

import functools
from typing import TYPE_CHECKING, NamedTuple

from hub.central.escalation import plan
from hub.central.notify.channels.base import Inbound, Keyed, Told
from tests.simulation.centre import START
from tests.simulation.deliveries import Deliveries
from tests.simulation.nurse import Said

if TYPE_CHECKING:
    from tests.simulation.world import World

# A centre that has asked whether a text is needed hands it over at once.
_AT_ONCE_S = 0.5
# Providers that fail (10 s each), the wait until all are tried again (30 s), the lease of a dead centre (30 s).
_LEAVES_S = 120.0
# From a press to the phone, when nothing goes wrong.
_QUICK_S = 20.0
# Whoever says no in a call is followed by the next person at once, or where it was the last step in half a minute.
_NEXT_S = 32.0
# Where it was the last step of the round, the next one begins after so long.
_FAILED_ROUND_S = 30.0
# Whoever is well does at once what is due by its own clock, and the clocks of two centres differ.
_AT_WORK_S = 3.0
# What could not be done for want of the store is tried again after a minute at most.
_RETRY_S = 60.0

_UNSENT = """
SELECT id FROM messages WHERE state = 'queued' AND NOT EXISTS (
  SELECT 1 FROM due WHERE kind = 'message.send' AND subject = CAST(messages.id AS TEXT))"""
# A provider that has refused a message is not asked again: where the others are down, the plan's next step helps.
# What is for information counts nowhere; only, it must not stay behind either.
_WAITING = """
SELECT id, created_at FROM messages WHERE state = 'queued' AND channel != 'fyi' AND NOT EXISTS (
  SELECT 1 FROM attempts WHERE message_id = messages.id AND final)"""
# With the next action of its state, and whether anybody may still answer a message of its step.
_INCIDENTS = """
SELECT incidents.id, state, zone, incident_class, severity, plan_round, plan_step, next.at, next.attempts, EXISTS (
  SELECT 1 FROM messages WHERE incident_id = incidents.id
  AND messages.plan_round = incidents.plan_round AND messages.plan_step = incidents.plan_step
  AND (messages.state IN ('queued', 'delivered', 'read') OR messages.state = 'sent' AND EXISTS (
    SELECT 1 FROM due WHERE kind = 'message.receipt' AND subject = CAST(messages.id AS TEXT))))
FROM incidents LEFT JOIN due AS next ON next.subject = CAST(incidents.id AS TEXT)
AND next.kind = CASE state WHEN 'alerting' THEN 'incident.step' ELSE 'incident.deadline' END"""
_OVERDUE = "SELECT kind, subject FROM due WHERE at < ?1 AND coalesce(leased_until, 0) < ?1"
_NEWS = "SELECT id, incident_id, event, actor, detail FROM incident_events WHERE id > ? ORDER BY id"
_TAKEN = {"acknowledged", "on_the_way", "arrived"}
_LEASES = "SELECT CAST(subject AS INTEGER), leased_by FROM due WHERE kind = 'message.send'"
_CALLED = """
SELECT incidents.state, (messages.plan_round, messages.plan_step) = (incidents.plan_round, incidents.plan_step), at
FROM messages JOIN incidents ON incidents.id = incident_id
LEFT JOIN due ON due.kind = 'incident.step' AND due.subject = CAST(incident_id AS TEXT)
WHERE messages.id = ?"""
_DONE = """
SELECT count(*) FROM incident_events JOIN messages ON messages.incident_id = incident_events.incident_id
WHERE messages.id = ? AND incident_events.event IN ('acknowledge', 'depart') AND incident_events.detail = ?"""
_STEP_AT = "SELECT at FROM due WHERE kind = 'incident.step' AND subject = CAST(? AS TEXT)"
_TOLD_SINCE = "SELECT count(*) FROM incident_events WHERE incident_id = ? AND id > ? AND event = 'told'"
_HAS = "SELECT count(*) FROM incidents WHERE id = ? AND taken_by IN (?, ?) AND state NOT IN ('alerting', 'closed')"
_NUMBER_OF = "SELECT incident_id, number FROM messages WHERE id = ?"
# What happens only because a phone said so, and what it said.
_SAID = {"acknowledge": "acknowledge", "depart": "depart", "arrive": "arrive", "pass_on": "reject"}


class _Incident(NamedTuple):
    number: int
    state: str
    zone: str
    incident_class: str
    severity: int
    round: int
    step: int
    at: int | None  # of its next action
    attempts: int | None  # at that
    hopeful: bool


class Invariants:
    """Looks at one world, and says what does not hold.

    Attributes:
        deliveries: What looks at the attempts.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self.deliveries = Deliveries(world)
        self._news = 0
        self._changes = -1  # of the store when everything was looked at
        self._state: dict[int, tuple[str, float]] = {}  # of each incident, and since when
        self._opened: dict[int, float] = {}
        self._place: dict[int, tuple[tuple[str, int, int], float]] = {}  # its state and step, and since when
        self._late: dict[tuple[str, str], float] = {}  # what is due and not done, and since when it was seen so
        self._round_failed: dict[int, float] = {}  # when a round of it last reached nobody
        self._leases: dict[int, str | None] = {}  # of each message that is to leave
        self._let_go: dict[tuple[int, str | None], float] = {}  # when a lease was seen no longer
        self._noes: set[Told] = set()
        self._called: set[tuple[int, str, str]] = set()  # what was done because a call said so
        self._round_s = functools.cache(world.script.round_s)
        self._rests_s = functools.cache(world.script.rests_s)
        self._ends_round = functools.cache(world.script.ends_round)

    def look(self) -> None:
        """Look at everything; what only a change of the store can break, only when it has changed."""
        self._leave()
        changes = self._world.database.raw.total_changes
        changed = changes != self._changes
        if changed:
            self._changes = changes
            self._causes()
        self._note_states()
        if changed:
            self._note_leases()
            self._unsent()
            self.deliveries.look()
        self.deliveries.overdue()
        self._overdue()

    def leaves(self, message_id: int, centre: str) -> None:
        """A message is handed to a provider: somebody must still need it, and no other centre have it."""
        query = "SELECT incident_id, channel FROM messages WHERE id = ?"
        number, channel = self._world.database.rows(query, message_id)[0]
        state, since = self._state[number] if number is not None else ("alerting", 0.0)
        if channel != "fyi" and state != "alerting" and self._world.now - since > _AT_ONCE_S:
            self._world.breaks(f"message {message_id} leaves for incident {number}, which is {state}")
        # Within that half second it may be withdrawn: a receipt or a taker woke with the sender.
        let_go = self._let_go.get((message_id, centre), -1.0)
        withdrawn = message_id not in self._leases and self._world.now - let_go <= _AT_ONCE_S
        if self._leases.get(message_id) != centre and not withdrawn:
            self._world.breaks(f"message {message_id} leaves from {centre}, which has no lease of it")

    def heard(self, told: Told) -> None:
        """A text or a key was heard: what it means is done in the same transaction."""
        if isinstance(told, Keyed):
            self._pressed(told)
            if told.digits == "9":
                incident, number = self._world.database.rows(_NUMBER_OF, told.message_id)[0]
                self._lets_go(told, incident, number)
        elif isinstance(told, Inbound) and told.text.startswith("NEI "):
            self._lets_go(told, int(told.text[4:]), told.sender)

    def _lets_go(self, told: Told, incident: int, number: str) -> None:
        """Who says no has it no longer; the same told again means nothing."""
        phone = self._world.nurses[number].phone.id
        has = self._world.database.rows(_HAS, incident, f"sms:{phone}", f"call:{phone}")[0][0]
        if has and told not in self._noes:
            self._world.breaks(f"incident {incident} stays with {phone}, which says no")
        self._noes.add(told)

    def _pressed(self, keyed: Keyed) -> None:
        state, here, step_at = self._world.database.rows(_CALLED, keyed.message_id)[0]
        if state != "alerting":
            return
        # Whoever asks once more what was done asks late: the phone has said no since.
        done = self._world.database.rows(_DONE, keyed.message_id, f"call {keyed.provider_ref}")[0][0]
        if keyed.digits in ("1", "2") and not done:
            self._world.breaks(f"key {keyed.digits} about message {keyed.message_id} is heard and it still alerts")
        waits_s = step_at / 1e6 - self._world.instant().timestamp()
        if keyed.digits == "9" and here and waits_s > _NEXT_S:
            self._world.breaks(f"key 9 about message {keyed.message_id}: the next waits {waits_s:.0f} s")

    def settled(self) -> bool:
        """Tell whether no message waits and each incident is taken, closed, or was shown since the calm began."""
        reached, calm_at = self._world.reached, self._world.calm_at
        return not self._world.database.rows(_WAITING) and all(
            state != "alerting" or reached.get(number, -1.0) > max(since, calm_at)
            for number, (state, since) in self._state.items()
        )

    def at_the_end(self) -> None:
        """The world has been calm for a while: everything must have come to an end or go on."""
        self._changes = -1
        self.look()
        world, rows = self._world, self._world.database.rows
        stored = {number for (number,) in rows("SELECT seq FROM observations")}
        if stored != set(range(1, len(world.script.presses) + 1)) or not world.kept <= stored:
            world.breaks(f"presses stored: {sorted(stored)} of {len(world.script.presses)}")
        loose = "SELECT id FROM observations WHERE id NOT IN (SELECT observation_id FROM incident_observations)"
        for (number,) in rows(loose):
            world.breaks(f"observation {number} belongs to no incident")
        for number, outcome in rows("SELECT id, outcome FROM incidents WHERE state = 'closed'"):
            if outcome is None:
                world.breaks(f"incident {number} is closed without an outcome")

    def _note_leases(self) -> None:
        leases = dict(self._world.database.rows(_LEASES))
        for message_id, centre in self._leases.items():
            if leases.get(message_id) != centre:
                self._let_go[message_id, centre] = self._world.now
        self._leases = leases

    def _unsent(self) -> None:
        for (number,) in self._world.database.rows(_UNSENT):
            self._world.breaks(f"message {number} waits to leave and nothing will send it")

    def _leave(self) -> None:
        """In the calm each message leaves, or is known not to."""
        world = self._world
        for message_id, created_at in world.database.rows(_WAITING):
            since = created_at / 1e6 - START.timestamp()
            if world.now - max(since, world.calm_at) > _LEAVES_S:
                world.breaks(f"message {message_id} has waited {world.now - since:.0f} s to leave")

    def _note_states(self) -> None:
        world = self._world
        for one in map(_Incident._make, world.database.rows(_INCIDENTS)):
            known, since = self._state.get(one.number, ("", 0.0))
            if known != one.state:
                world.say(f"incident {one.number} is {one.state}")
                since = world.now
                self._state[one.number] = (one.state, since)
                self._opened.setdefault(one.number, since)
            if one.state == "alerting" and one.incident_class == "care":
                self._reached(one.number, one.zone, one.severity, since)
            if one.state != "closed":
                self._goes_on(one)

    def _goes_on(self, one: _Incident) -> None:
        """It has its next action, and that comes when its plan says."""
        world, is_what = self._world, f"incident {one.number} is {one.state}"
        if one.at is None:
            world.breaks(f"{is_what} and has no next action")
            return
        place = (one.state, one.round, one.step)
        known, since = self._place.get(one.number, (None, 0.0))
        if known != place:
            since = world.now
            self._place[one.number] = (place, since)
        where = (one.zone, one.incident_class, one.severity, one.step)
        latest = since + self._rests_s(one.state, *where)
        if one.state == "alerting":
            latest = max(latest, self._round_failed.get(one.number, -1.0) + _FAILED_ROUND_S)
        if one.state == "alerting" and not one.hopeful:
            latest = world.now + (_FAILED_ROUND_S if self._ends_round(*where) else 0.0)
            is_what += ", nobody can answer any more"
        if one.attempts and world.script.store_fails:
            latest = max(latest, world.now + _RETRY_S)
        late_s = one.at / 1e6 - START.timestamp() - latest
        if late_s > _AT_WORK_S:
            world.breaks(f"{is_what}, and its next action comes {late_s:.0f} s too late")

    def _overdue(self) -> None:
        """While a centre lives, what is due is done, or is being carried out."""
        world = self._world
        now = int((START.timestamp() + world.now - _AT_WORK_S) * 1e6)
        # A row that was leased is seen here from when its lease is given up.
        self._late = {row: self._late.get(row, world.now) for row in world.database.rows(_OVERDUE, now)}
        for (kind, subject), since in self._late.items():
            if world.now > max(since, world.served_since) + _AT_WORK_S:
                world.breaks(f"{kind} of {subject} is due and not done")

    def _reached(self, number: int, zone: str, severity: int, since: float) -> None:
        world, script = self._world, self._world.script
        last = world.reached.get(number, 0.0)
        waited = world.now - max(since, last, world.calm_at)
        most = self._round_s(zone, "care", severity)
        if waited > most:
            world.breaks(
                f"incident {number} has alerted for {waited:.0f} s and no phone shows it; at most {most:.0f} s"
            )
        opened = self._opened[number]
        first = since == opened and last < opened
        if first and script.undisturbed and world.now - opened > self._first_s(zone):
            world.breaks(f"incident {number} was to reach a phone within {self._first_s(zone):.0f} s")

    def _first_s(self, zone: str) -> float:
        """Return within how many seconds the plan reaches a phone when only phones are off."""
        script, waits = self._world.script, 0.0
        chosen = plan.choose(script.site.site, zone, "care", 40)
        served = {gateway.channel for gateway in script.gateways}
        for leg in plan.legs_of(script.site.site, chosen, zone):
            found, _ = plan._reach(script.site, zone, leg, self._world.instant())
            if any(t.channel in served and self._world.nurses[t.phone.number].is_on() for t in found):
                break
            waits += max(leg.step.wait_s, leg.step.between_s) if found else 0.0
        return waits + _QUICK_S

    def _causes(self) -> None:
        world = self._world
        for event_id, number, event, actor, detail in world.database.rows(_NEWS, self._news):
            self._news = event_id
            world.say(f"incident {number}: {event} by {actor}: {detail}")
            if event == "round_failed":
                self._round_failed[number] = world.now
            if detail.startswith("call ") and (number, event, detail) in self._called:
                world.breaks(f"incident {number}: {event} by one {detail} a second time")
            self._called.add((number, event, detail))
            if event in _SAID and not self._said(number, event, actor, detail):
                world.breaks(f"incident {number}: {event} by {actor} has no cause ({detail})")
            if event == "pass_on":
                self._next_is_told(number, event_id)
            if event == "rejected" and not self._said_no(number, detail.partition(":")[0]):
                world.breaks(f"incident {number}: rejected has no cause ({detail})")
            if event == "closed" and actor == "user:nurse" and number not in world.console:
                world.breaks(f"incident {number} is closed and nobody closed it")

    def _next_is_told(self, number: int, since: int) -> None:
        rows = self._world.database.rows
        for (at,) in [] if rows(_TOLD_SINCE, number, since)[0][0] else rows(_STEP_AT, number):
            waits_s = at / 1e6 - self._world.instant().timestamp()
            if waits_s > _NEXT_S:
                self._world.breaks(f"incident {number} is passed on and the next waits {waits_s:.0f} s")

    def _said(self, number: int, event: str, actor: str, detail: str) -> bool:
        meant = {Said(actor, _SAID[event], named, detail) for named in (None, number)}
        if meant.isdisjoint(self._world.said):
            return False
        told = "SELECT count(*) FROM messages WHERE incident_id = ? AND phone = ?"
        return bool(self._world.database.rows(told, number, actor.partition(":")[2])[0][0])

    def _said_no(self, number: int, phone: str) -> bool:
        noes = {said[:3] for said in self._world.said if said.event == "reject"}
        return not noes.isdisjoint((f"{way}:{phone}", "reject", number) for way in ("sms", "call"))
