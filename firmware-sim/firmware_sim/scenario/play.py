"""Plays a scenario: keeps its time, lets things happen when they must, and waits until all is quiet in between."""

import heapq
import itertools
from collections.abc import Awaitable, Callable
from typing import Protocol

from firmware_sim.scenario.act import Hands
from firmware_sim.scenario.model import Event, Fault, Nurse, Scenario
from firmware_sim.scenario.routines import routine_events
from firmware_sim.scenario.store import Store, Text
from firmware_sim.scenario.town import Town
from firmware_sim.scenario.watch import Watch
from firmware_sim.stage.child import ChildError
from firmware_sim.stage.leap import Leaps

# What a step of waiting for something under way takes of the scenario's time: longer than a receipt waits for
# company (0.2 s), far shorter than any deadline.
_STEP_S = 0.25
_STEPS = 24
# A reading waits some ten milliseconds for company, and the centre writes once a second who was heard.
_BREATHS_S = (0.05, 1.1)
# After something has happened: a radio telegram and its repeats, a finger that lets go, a delivery.
_AFTER_STEPS = 2
# A row that is due now is done within this, or somebody is at it.
_DUE_S = 0.02
# Until everything has started and every hub was heard, in the scenario's time.
PRELUDE_S = 120.0
_READY_WITHIN_S = 60.0
# What is still on its way when the scenario ends may arrive, in the scenario's time.
_EPILOGUE_S = 180.0
_EPILOGUE_STEP_S = 10.0
_DEPARTS_S = 60.0
_BEFORE_S = 5.0
# While frames are lost, time goes in steps shorter than the five seconds after which a dispenser tells again.
_FINE_S = 2.5
# And for so long after a device was plugged in again: the hub opens its line within half a minute, and what was
# said first, into a closed one, may be lost.
_OPENS_WITHIN_S = 60.0

Deed = Callable[[], Awaitable[None]]


class Screen(Protocol):
    """Who is told what goes on."""

    def say(self, at_s: float, line: str) -> None:
        """Tell a line."""
        ...

    def moved(self, now_s: float, leaps: int) -> None:
        """Tell how late it is."""
        ...


class Player:
    """Plays one scenario on a running town.

    Args:
        town: The chain.
        scenario: What to play.
        leaps: Its time.
        screen: Told what goes on.
    """

    def __init__(self, town: Town, scenario: Scenario, leaps: Leaps, screen: Screen) -> None:
        self._town, self._scenario, self._leaps, self._screen = town, scenario, leaps, screen
        self._hands = Hands(town, scenario, leaps)
        self._watch = Watch(town.broker_port, leaps.now_s)
        self._order = itertools.count()
        self._agenda: list[tuple[float, int, Deed]] = []
        self._answered: set[int] = set()
        self._visited: set[int] = set()
        self._incidents = 0
        self._breathless = False  # what came last is not written down yet
        self._unsure = 0  # how many faults of frames there are just now
        self._opened_s = 0.0  # when the last line that was plugged in again is open for certain
        self.store = Store(town.store_path)
        self.hands = self._hands

    async def ready(self) -> None:
        """Wait until every hub was heard and opened its links; then let the scenario's first moment come.

        Raises:
            ChildError: A hub does not open its links.
        """
        for hub in self._town.wire.values():
            hub.start(self._leaps.now_s())
        waiting = [house.edge for house in self._town.houses.values()]
        began_s = self._leaps.now_s()
        while waiting := [edge for edge in waiting if not _configured(edge.log.read_text(errors="replace"))]:
            await self._settle(_AFTER_STEPS)
            if not waiting[0].running or self._leaps.now_s() - began_s > _READY_WITHIN_S:
                raise ChildError(f"{waiting[0].name} opens no link:\n{waiting[0].tail()}")
        await self._until(self._scenario.from_s)

    async def play(self) -> None:
        """Play it from its first moment to its last."""
        scenario = self._scenario
        for event in (*scenario.events, *routine_events(scenario)):
            self._at(event.at_s, self._deed(event))
        for fault in scenario.faults:
            # A hub that speaks in time would have spoken shortly before, not a whole leap ago.
            self._at(fault.from_s - _BEFORE_S, _nothing)
            self._at(fault.from_s, self._break(fault, begins=True))
            # What still is broken at the end stays so: it is part of what is judged.
            if fault.until_s < scenario.until_s:
                self._at(fault.until_s, self._break(fault, begins=False))
        await self._until(scenario.until_s)

    async def wind_up(self, arrived: Callable[[], Awaitable[bool]]) -> None:
        """Let what is still on its way arrive, after the last moment; not for ever."""
        end_s = self._leaps.now_s() + _EPILOGUE_S
        self._agenda.clear()
        while (now_s := self._leaps.now_s()) < end_s and not await arrived():
            await self._until(min(end_s, now_s + _EPILOGUE_STEP_S))

    async def close(self) -> None:
        """Let go of everything."""
        self._watch.close()
        self.store.close()
        await self._hands.close()

    def _at(self, at_s: float, deed: Deed) -> None:
        heapq.heappush(self._agenda, (at_s, next(self._order), deed))

    def _deed(self, event: Event) -> Deed:
        async def deed() -> None:
            if event.told:
                self._screen.say(event.at_s, f"{event.home} {event.device}: {event.do}")
            await self._hands.do(event)

        return deed

    def _break(self, fault: Fault, *, begins: bool) -> Deed:
        async def deed() -> None:
            homes = f"{len(fault.homes)} homes" if len(fault.homes) > 1 else " ".join((*fault.homes, fault.device))
            what = " ".join(f"{how}={value}" for how, value in fault.what.items())
            mended = "" if begins else " is over"
            self._screen.say(self._leaps.now_s(), f"{fault.place} {homes}: {what}{mended}")
            await self._hands.fault(fault, begins=begins)
            if "frames" in fault.what:
                self._unsure += 1 if begins else -1
            if "gone" in fault.what and not begins:
                self._opened_s = self._leaps.now_s() + _OPENS_WITHIN_S
            stuck_s = fault.what.get("stuck_s")
            if begins and isinstance(stuck_s, int | float):
                self._stick(fault, float(stuck_s))

        return deed

    def _stick(self, fault: Fault, every_s: float) -> None:
        """Let a button press itself again and again."""
        at_s = fault.from_s
        while at_s < fault.until_s:
            event = Event(at_s, fault.homes[0], fault.device, "press", {}, told=False)
            self._at(at_s, self._deed(event))
            at_s += every_s

    async def _until(self, end_s: float) -> None:
        while (now_s := self._leaps.now_s()) < end_s:
            happened = 0
            while self._agenda and self._agenda[0][0] <= now_s:
                _, _, deed = heapq.heappop(self._agenda)
                await deed()
                happened = _AFTER_STEPS
            await self._settle(happened)
            await self._breathe()
            self._nurses()
            self._news()
            stops = (end_s, self.store.next_due_s() + _DUE_S, self._unheard_s(), self._next_s())
            ahead_s = min(stops) - self._leaps.now_s()
            if ahead_s > 0:
                await self._leaps.leap(ahead_s, self._town.leaping())
            self._screen.moved(self._leaps.now_s(), self._leaps.count)

    def _next_s(self) -> float:
        return self._agenda[0][0] if self._agenda else float("inf")

    def _unheard_s(self) -> float:
        """Return when the next hub would have been silent for too long."""
        now_s = self._leaps.now_s()
        heard = [self._watch.alive_s.get(name, now_s) for name in self._up()]
        at_s = min(heard, default=now_s) + self._town.leap_s
        if self._unsure or now_s < self._opened_s:
            return now_s + _FINE_S
        return at_s if at_s > now_s else now_s + self._town.alive_s

    def _up(self) -> list[str]:
        """Return the hubs that can be heard."""
        up = [name for name, house in self._town.houses.items() if house.edge.running and house.pipe.up]
        return up + [name for name, hub in self._town.wire.items() if hub.up]

    async def _breathe(self) -> None:
        """Let the short waits end that are between what came and what is written down of it."""
        self._breathless |= self._watch.news()
        if not self._breathless:
            return
        for longest_s in _BREATHS_S:
            breath_s = min(longest_s, self._next_s() - self._leaps.now_s())
            if breath_s > 0:
                await self._leaps.leap(breath_s, self._town.leaping())
                await self._settle(0)
            if breath_s < longest_s:
                return  # something happens first; what was not written down yet is not to be leapt over then
        self._breathless = False

    async def _settle(self, steps: int) -> None:
        """Wait until nothing is under way; take at least so many small steps of time."""
        for step in range(_STEPS):
            await self._leaps.quiet(self._town.watched)
            now_s = self._leaps.now_s()
            self._watch.tick()
            waiting = [hub for hub in self._town.wire.values() if hub.next_s <= now_s]
            for hub in waiting:
                hub.tick(now_s)
            if waiting:
                await self._leaps.quiet(self._town.watched)
            if step >= steps and not self._under_way():
                return
            await self._leaps.leap(_STEP_S, self._town.leaping())

    def _under_way(self) -> bool:
        """Tell whether something is on its way that can arrive."""
        if not (self._town.centre.running and self._town.broker.running):
            return False
        if self.store.busy() or self.store.next_due_s() < self._leaps.now_s() - _STEP_S:
            return True
        up = self._up()
        connecting = any(hub.connecting for hub in self._town.wire.values())
        # A hub that did not speak after a leap would seem silent after the next.
        heard_s = self._leaps.now_s() - self._town.alive_s - _STEP_S
        silent = any(self._watch.alive_s.get(name, 0) < heard_s for name in up)
        return connecting or silent or any(self._watch.under_way(name) for name in up)

    def _nurses(self) -> None:
        """Let those who were told answer in their time."""
        for text in self.store.texts(max(self._answered, default=0) - 500):
            if text.id in self._answered:
                continue
            self._answered.add(text.id)
            nurse = self._scenario.nurses.get(text.phone)
            if nurse is not None and nurse.answers_s is not None:
                self._at(text.delivered_s + nurse.answers_s, self._answer(nurse, text))

    def _answer(self, nurse: Nurse, text: Text) -> Deed:
        async def deed() -> None:
            if self.store.state(text.incident) != "alerting":
                return
            await self._hands.reply(nurse.phone, nurse.answer.replace("{ok}", f"OK {text.incident}"))
            if nurse.visit_s and text.incident not in self._visited:
                self._visited.add(text.incident)
                now_s = self._leaps.now_s()
                halfway_s = (min(_DEPARTS_S, nurse.visit_s / 3) + nurse.visit_s) / 2
                self._at(now_s + min(_DEPARTS_S, nurse.visit_s / 3), self._step(text.incident, "depart"))
                self._at(now_s + halfway_s, self._step(text.incident, "arrive"))
                self._at(now_s + nurse.visit_s, self._step(text.incident, "close"))

        return deed

    def _step(self, incident: int, event: str) -> Deed:
        async def deed() -> None:
            ending = {"outcome": "help_given", "cause": "need"} if event == "close" else {}
            if not await self._hands.act(incident, event, **ending):
                # Pressed again meanwhile, or closed by itself: whoever is told again goes again.
                self._visited.discard(incident)
            elif event == "close":
                self._visited.discard(incident)

        return deed

    def _news(self) -> None:
        found = self.store.incidents_after(self._incidents)
        for number, opened_s, line in found:
            self._incidents = number
            self._screen.say(opened_s, f"[bold red]incident {number}[/] {line}")


async def _nothing() -> None:
    """Be a moment at which time stops for a look."""


def _configured(log: str) -> bool:
    return "link " in log and ": up" in log
