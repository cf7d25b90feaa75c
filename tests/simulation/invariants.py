"""What must hold after every step, looked at from outside: in the store as it is, and in what the world knows."""

from typing import TYPE_CHECKING

from hub.central.escalation import plan
from tests.simulation.centre import START

if TYPE_CHECKING:
    from tests.simulation.world import World

# A centre that has asked whether a text is needed hands it over at once.
_AT_ONCE_S = 0.5
# Providers that fail (10 s each), the wait until all are tried again (30 s), the lease of a dead centre (30 s).
_LEAVES_S = 120.0
# From a press to the phone, when nothing goes wrong.
_QUICK_S = 20.0

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


class Invariants:
    """Looks at one world, and says what does not hold."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._news = 0
        self._state: dict[int, tuple[str, float]] = {}  # of each incident, and since when
        self._opened: dict[int, float] = {}

    def look(self) -> None:
        """Look at everything."""
        rows = self._world.database.rows
        for number, state in rows(_UNATTENDED):
            self._world.breaks(f"incident {number} is {state} and has no next action")
        for (number,) in rows(_UNSENT):
            self._world.breaks(f"message {number} waits to leave and nothing will send it")
        self._leave()
        self._note_states()
        self._causes()
        self._deliveries()

    def leaves(self, message_id: int) -> None:
        """A message is handed to a provider: somebody must still need it."""
        query = "SELECT incident_id, channel FROM messages WHERE id = ?"
        number, channel = self._world.database.rows(query, message_id)[0]
        if channel == "fyi":
            return
        state, since = self._state[number]
        if state != "alerting" and self._world.now - since > _AT_ONCE_S:
            self._world.breaks(f"message {message_id} leaves for incident {number}, which is {state}")

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
        most = script.round_s(zone, "care", severity)
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
            if event in ("acknowledge", "depart", "arrive") and not self._said(number, event, actor, detail):
                world.breaks(f"incident {number}: {event} by {actor} has no cause ({detail})")
            if event == "closed" and actor == "user:nurse" and number not in world.console:
                world.breaks(f"incident {number} is closed and nobody closed it")

    def _said(self, number: int, event: str, actor: str, detail: str) -> bool:
        said = self._world.said.get(detail.removeprefix("reply "))
        if said is None or actor != f"sms:{said.phone}" or said.event != event:
            return False
        told = "SELECT count(*) FROM messages WHERE incident_id = ? AND phone = ?"
        was_told = self._world.database.rows(told, number, said.phone)[0][0] > 0
        return was_told and said.incident in (None, number)

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
