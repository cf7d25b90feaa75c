"""What must hold after every step, looked at from outside: in the store as it is, and in what the world knows."""

import functools
from typing import TYPE_CHECKING

from hub.central.escalation import plan
from hub.central.notify.channels.base import Inbound, Keyed, Told
from tests.simulation.centre import START
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

_UNATTENDED = """
SELECT id, state FROM incidents WHERE state != 'closed' AND NOT EXISTS (
  SELECT 1 FROM due WHERE subject = CAST(incidents.id AS TEXT) AND kind = CASE incidents.state
  WHEN 'alerting' THEN 'incident.step' ELSE 'incident.deadline' END)"""
_UNSENT = """
SELECT id FROM messages WHERE state = 'queued' AND NOT EXISTS (
  SELECT 1 FROM due WHERE kind = 'message.send' AND subject = CAST(messages.id AS TEXT))"""
# A provider that has refused a message is not asked again: where the others are down, the plan's next step helps.
# What is for information counts nowhere; only, it must not stay behind either.
_WAITING = """
SELECT id, created_at FROM messages WHERE state = 'queued' AND channel != 'fyi' AND NOT EXISTS (
  SELECT 1 FROM attempts WHERE message_id = messages.id AND final)"""
_OPEN = "SELECT id, state, zone, incident_class, severity FROM incidents"
_NEWS = "SELECT id, incident_id, event, actor, detail FROM incident_events WHERE id > ? ORDER BY id"
_SENT = "SELECT message_id, provider, provider_ref, state FROM attempts WHERE provider_ref IS NOT NULL"
_TAKEN = {"acknowledged", "on_the_way", "arrived"}
_LEASES = "SELECT CAST(subject AS INTEGER), leased_by FROM due WHERE kind = 'message.send'"
_CALLED = """
SELECT incidents.state, (messages.plan_round, messages.plan_step) = (incidents.plan_round, incidents.plan_step), at
FROM messages JOIN incidents ON incidents.id = incident_id
LEFT JOIN due ON due.kind = 'incident.step' AND due.subject = CAST(incident_id AS TEXT)
WHERE messages.id = ?"""
_STEP_AT = "SELECT at FROM due WHERE kind = 'incident.step' AND subject = CAST(? AS TEXT)"
_TOLD_SINCE = "SELECT count(*) FROM incident_events WHERE incident_id = ? AND id > ? AND event = 'told'"
_HAS = "SELECT count(*) FROM incidents WHERE id = ? AND taken_by IN (?, ?) AND state NOT IN ('alerting', 'closed')"
_NUMBER_OF = "SELECT incident_id, number FROM messages WHERE id = ?"
# What happens only because a phone said so, and what it said.
_SAID = {"acknowledge": "acknowledge", "depart": "depart", "arrive": "arrive", "pass_on": "reject"}


class Invariants:
    """Looks at one world, and says what does not hold."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._news = 0
        self._changes = -1  # of the store when everything was looked at
        self._state: dict[int, tuple[str, float]] = {}  # of each incident, and since when
        self._opened: dict[int, float] = {}
        self._leases: dict[int, str | None] = {}  # of each message that is to leave
        self._let_go: dict[tuple[int, str | None], float] = {}  # when a lease was seen no longer
        self._noes: set[Told] = set()
        self._round_s = functools.cache(world.script.round_s)

    def look(self) -> None:
        """Look at everything; what only a change of the store can break, only when it has changed."""
        self._leave()
        self._note_states()
        changes = self._world.database.raw.total_changes
        if changes != self._changes:
            self._changes = changes
            self._note_leases()
            self._next_actions()
            self._causes()
            self._deliveries()

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
        if keyed.digits in ("1", "2"):
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

    def _next_actions(self) -> None:
        rows = self._world.database.rows
        for number, state in rows(_UNATTENDED):
            self._world.breaks(f"incident {number} is {state} and has no next action")
        for (number,) in rows(_UNSENT):
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
        for number, state, zone, incident_class, severity in world.database.rows(_OPEN):
            known, since = self._state.get(number, ("", 0.0))
            if known != state:
                world.say(f"incident {number} is {state}")
                since = world.now
                self._state[number] = (state, since)
                self._opened.setdefault(number, since)
            if state == "alerting" and incident_class == "care":
                self._reached(number, zone, severity, since)

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
        if script.undisturbed and since == opened and last < opened and world.now - opened > self._first_s(zone):
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

    def _deliveries(self) -> None:
        gateways = {gateway.name: gateway for gateway in self._world.gateways}
        for message_id, provider, ref, state in self._world.database.rows(_SENT):
            taken = gateways[provider].accepted.get(ref)
            if taken is None or taken.message_id != message_id:
                self._world.breaks(
                    f"message {message_id} counts as sent as {ref}, which {provider} never accepted"
                )
            if provider.startswith("fyi") and state != "sent":
                self._world.breaks(f"message {message_id} is for information and counts as {state}")
            if state in ("delivered", "read") and ref not in gateways[provider].reported:
                self._world.breaks(f"message {message_id} counts as delivered as {ref}, which nobody reported")
