"""A centre that begins again while its clock was set back, or was ahead before: nothing due is later for it."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hub.central import dose, setback
from hub.central.audit.verify import verify
from hub.central.centre import Centre
from hub.central.escalation import engine
from hub.central.incidents import desk
from hub.central.incidents.lifecycle import Cause, Event, Outcome
from hub.central.notify.channels.base import Inbound, Subscription
from hub.central.notify.outbox import SEND
from hub.central.notify.replies import receive
from hub.central.push import subscriptions
from hub.central.store import mark
from hub.central.store.tables import cursors, due, incidents, push_subscriptions
from hub.domain.clock import SteadyClock
from hub.domain.codes import Kind
from hub.domain.errors import TransientError
from tests.fakes.centre import DeskCentre
from tests.fakes.clock import EVENING
from tests.fakes.site import DUTY

HOUR, YEAR = 3600.0, 365 * 86_400.0
STEP_S = 180.0
NOT_THESE = (SEND, "site.changed")


class Machine:
    """A machine's clocks: the one on the wall can be set, the other cannot; it has booted."""

    def __init__(self) -> None:
        self.wall, self.mono, self.boot, self.synced = EVENING.timestamp(), 1000.0, "boot-1", False

    def go_on(self, seconds: float) -> None:
        self.wall += seconds
        self.mono += seconds

    def reboot(self, off_s: float) -> None:
        self.wall += off_s
        self.mono, self.boot = 5.0, "boot-2"

    def clock(self, desk: DeskCentre) -> SteadyClock:
        """The clock with which a centre begins on this machine."""
        return desk.store.read_now(
            partial(
                mark.begin,
                wall=lambda: self.wall,
                mono=lambda: self.mono,
                synced=lambda: self.synced,
                boot=self.boot,
            )
        )


class Ward:
    """A centre on that machine that can be ended and begun again."""

    def __init__(self, folder: Path) -> None:
        self.machine = Machine()
        self.url = f"sqlite:///{folder}/central.db"
        self.desk = DeskCentre(self.url)
        self.clock = self.machine.clock(self.desk)
        self.centre = Centre(self.desk.store, self.clock, self.desk.centre.site, "centre")
        self.desk.centre = self.centre

    async def look(self) -> None:
        """What the auditor does every ten seconds."""
        keep = partial(mark.keep, owner="centre", now=self.clock.now(), boot=self.machine.boot)
        await self.desk.store.write(keep)

    async def begin_again(self) -> None:
        self.desk.store.close()
        self.desk = DeskCentre(self.url)
        self.clock = self.machine.clock(self.desk)
        self.centre = Centre(self.desk.store, self.clock, self.desk.centre.site, "centre")
        self.desk.centre = self.centre
        await setback.settle(self.centre)

    async def waits_s(self) -> dict[tuple[str, str], float]:
        """How long each due row has to wait."""
        now = self.clock.now().utc
        rows = await self.desk.rows(due, due.c.kind.not_in(NOT_THESE))
        return {(row.kind, row.subject): (row.at - now).total_seconds() for row in rows}

    async def step_s(self) -> float:
        return (await self.waits_s())[engine.STEP, "1"]


@pytest.fixture
async def ward(tmp_path: Path) -> Any:
    ward = Ward(tmp_path)
    event = ward.desk.event("pendant-1", Kind.ALARM_PRESSED, at=ward.clock.now().utc)
    await ward.desk.keep(event)
    await ward.look()
    yield ward
    ward.desk.store.close()


async def test_without_a_jump_a_restart_moves_nothing(ward: Ward) -> None:
    before = await ward.step_s()
    ward.machine.go_on(50)
    await ward.begin_again()
    assert await ward.step_s() == pytest.approx(before - 50, abs=0.01)
    assert ward.clock.jump_s == 0


@pytest.mark.parametrize("back_s", [3.0, HOUR, 12 * HOUR, YEAR])
async def test_set_back_while_it_was_down_within_a_boot_nothing_is_later(ward: Ward, back_s: float) -> None:
    before = await ward.step_s()
    ward.machine.go_on(20)
    ward.machine.wall -= back_s
    ward.machine.go_on(20)
    await ward.begin_again()
    assert await ward.step_s() == pytest.approx(before - 40, abs=0.01)
    assert ward.clock.jump_s == pytest.approx(-back_s, abs=0.01)  # the auditor says so


async def test_after_a_boot_without_a_clock_battery_it_goes_on_from_the_mark(ward: Ward) -> None:
    before = await ward.step_s()
    ward.machine.reboot(120)
    ward.machine.wall = 0.0
    await ward.begin_again()
    assert await ward.step_s() == pytest.approx(before, abs=1)  # how long it was off nobody can know yet
    ward.machine.wall = EVENING.timestamp() + 120
    ward.machine.synced = True
    assert await ward.step_s() == pytest.approx(before - 120, abs=1)
    assert ward.clock.jump_s == 0


async def test_time_goes_on_until_the_step_is_made(ward: Ward) -> None:
    """A mark far ahead, and nobody who vouches for the clock: that must not freeze anything either."""
    ward.machine.wall += YEAR
    await ward.begin_again()
    await ward.look()
    before = await ward.waits_s()
    ward.machine.wall -= YEAR
    await ward.begin_again()
    assert await ward.waits_s() == pytest.approx(before, abs=0.01)
    ward.machine.go_on(STEP_S + 1)
    after = await ward.waits_s()
    assert after == pytest.approx({key: wait - STEP_S - 1 for key, wait in before.items()}, abs=0.01)


@pytest.mark.parametrize("ahead_s", [HOUR, YEAR])
async def test_a_clock_that_was_ahead_is_believed_when_a_daemon_vouches(ward: Ward, ahead_s: float) -> None:
    ward.machine.wall += ahead_s
    await ward.begin_again()  # it was believed, as a clock that shows more is
    event = ward.desk.event("pendant-1", Kind.FALL_DETECTED, at=ward.clock.now().utc, seq=9)
    await ward.desk.keep(event)
    browser = Subscription(id=0, endpoint="https://push.example/1", p256dh="", auth="")
    await ward.centre.transact(lambda tx: subscriptions.ask(tx, "nord-1-duty", browser, "user:kari-test"))
    await ward.look()
    before = await ward.waits_s()
    ward.machine.wall -= ahead_s
    ward.machine.synced = True
    await ward.begin_again()
    assert ward.clock.now().utc.timestamp() == pytest.approx(ward.machine.wall, abs=0.01)
    after = await ward.waits_s()
    assert {key: after[key] for key in before} == pytest.approx(before, abs=0.01)
    rows = await ward.desk.incidents()
    assert all(row.opened_at <= ward.clock.now().utc for row in rows)
    (asked,) = await ward.desk.rows(push_subscriptions)
    assert asked.created_at <= ward.clock.now().utc  # its code lasts no longer
    (told,) = [row for row in rows if row.kind == Kind.CENTRE_CLOCK_JUMPED]
    assert f"ahead by {ahead_s:.0f} s" in told.reason
    await ward.begin_again()  # once is enough
    again = await ward.waits_s()
    assert {key: again[key] for key in before} == pytest.approx(before, abs=0.01)


async def test_what_was_closed_by_a_clock_that_was_ahead_is_not_closed_just_now_for_a_year(ward: Ward) -> None:
    ward.machine.wall += YEAR
    await ward.begin_again()
    ending: Any = {"outcome": Outcome.HELP_GIVEN, "cause": Cause.NEED}
    await ward.centre.transact(lambda tx: desk.act(tx, 1, Event.CLOSE, "user:kari-test", **ending))
    await ward.look()
    ward.machine.wall -= YEAR
    ward.machine.synced = True
    await ward.begin_again()
    ward.machine.go_on(HOUR)
    now = ward.clock.now().utc
    await ward.desk.keep(ward.desk.event("pendant-1", Kind.ALARM_PRESSED, at=now, seq=9))
    text = Inbound(provider="one", provider_ref="in-1", sender=DUTY, recipient="+4700000001", text="OK", at=now)
    await ward.centre.transact(lambda tx: receive(tx, text))
    assert {row.need: row.state for row in await ward.desk.incidents() if row.incident_class == "care"} == {
        "care:r-1017:help": "acknowledged"
    }
    assert (await ward.desk.store.read(verify)).broken is None


async def test_killed_while_it_is_brought_back_it_is_done_once(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward.machine.wall += HOUR
    await ward.begin_again()
    await ward.look()
    before = await ward.waits_s()
    ward.machine.wall -= HOUR
    ward.machine.synced = True

    def torn(*_: object) -> None:
        raise TransientError("the power goes")

    with monkeypatch.context() as patch:
        patch.setattr(setback, "raise_incident", torn)
        with pytest.raises(TransientError):
            await ward.begin_again()
    with monkeypatch.context() as patch:  # killed between the commit and what follows it
        patch.setattr(SteadyClock, "believe", torn)
        with pytest.raises(TransientError):
            await ward.begin_again()
    await ward.begin_again()
    after = await ward.waits_s()
    assert {key: after[key] for key in before} == pytest.approx(before, abs=0.01)


async def test_what_was_named_in_local_time_stays(ward: Ward) -> None:
    ward.machine.wall += HOUR
    await ward.begin_again()
    await ward.centre.transact(dose.arm)
    await ward.look()
    named = {row.subject: row.at for row in await ward.desk.rows(due, due.c.kind == dose.WINDOW)}
    assert named
    ward.machine.wall -= HOUR
    ward.machine.synced = True
    await ward.begin_again()
    kept = {row.subject: row.at for row in await ward.desk.rows(due, due.c.kind == dose.WINDOW)}
    assert kept == named


async def test_the_mark_is_two_rows_whatever_boots(ward: Ward) -> None:
    for _ in range(3):
        ward.machine.reboot(10)
        ward.machine.boot += "x"
        await ward.begin_again()
        await ward.look()
    names = await ward.desk.store.read(lambda c: c.scalars(sa.select(cursors.c.name)).all())
    assert len(names) == 2
    assert await ward.desk.rows(incidents, incidents.c.kind == Kind.CENTRE_CLOCK_JUMPED) == []
