from pathlib import Path

import pytest

from firmware_sim.clock import FixedClock
from firmware_sim.devices.dispenser.model import Dispenser
from firmware_sim.devices.dispenser.record import ALIVE, EVENTS, ON_MAINS, Dose, encoded_plan
from firmware_sim.memory import Memory


def test_records_are_kept_until_acknowledged() -> None:
    dispenser = Dispenser(Memory(), FixedClock())
    for word in ("present", "dispense", "miss"):
        dispenser.add(EVENTS[word])
    assert [record.seq for record in dispenser.unacknowledged()] == [1, 2, 3]
    dispenser.acknowledged(2)
    assert [record.seq for record in dispenser.unacknowledged()] == [3]
    assert dispenser.add(EVENTS["dispense"]).seq == 4


def test_sequence_and_records_survive_a_new_start(tmp_path: Path) -> None:
    clock = FixedClock()
    before = Dispenser(Memory(tmp_path / "m.json"), clock)
    left = before.add(EVENTS["dispense"]).doses_left
    before.add(EVENTS["miss"])
    before.acknowledged(1)
    after = Dispenser(Memory(tmp_path / "m.json"), clock)
    assert [record.seq for record in after.unacknowledged()] == [2]
    assert after.add(EVENTS["miss"]).seq == 3
    assert after.status().doses_left == left


async def test_power_cut_forgets_the_clock_and_keeps_the_records() -> None:
    clock = FixedClock()
    dispenser = Dispenser(Memory(), clock)
    dispenser.set_clock(1_795_246_265)
    clock.at_s += 10
    assert dispenser.add(EVENTS["miss"]).unix_time == 1_795_246_275
    await dispenser.actions["power_cut"]({})
    clock.at_s += 5
    late = dispenser.add(EVENTS["miss"])
    assert (late.unix_time, late.uptime_s, late.seq) == (0, 5, 2)


def test_status_tells_the_present_and_stores_nothing() -> None:
    dispenser = Dispenser(Memory(), FixedClock())
    assert dispenser.status().event == ALIVE
    assert dispenser.status().seq == 1
    assert dispenser.status().flags == ON_MAINS
    assert dispenser.unacknowledged() == []


def test_a_damaged_plan_leaves_the_old_one() -> None:
    dispenser = Dispenser(Memory(), FixedClock())
    good = encoded_plan(2, [Dose(480, 127, 60)])
    dispenser.take_plan(good)
    with pytest.raises(ValueError, match="checksum"):
        dispenser.take_plan(good[:-1] + b"\xff")
    assert dispenser.plan == good


async def test_mains_and_doses_are_told_with_the_events() -> None:
    dispenser = Dispenser(Memory(), FixedClock())
    full = dispenser.status().doses_left
    await dispenser.actions["unplug"]({})
    await dispenser.actions["dispense"]({"slot": 3})
    unplugged, dispensed = dispenser.unacknowledged()
    assert unplugged.flags & ON_MAINS == 0
    assert (dispensed.slot, dispensed.doses_left) == (3, full - 1)


async def test_any_event_code_can_be_raised() -> None:
    dispenser = Dispenser(Memory(), FixedClock())
    await dispenser.actions["event"]({"event": 0x77, "test": True})
    (record,) = dispenser.unacknowledged()
    assert (record.event, record.flags & 0x04) == (0x77, 0x04)
    with pytest.raises(ValueError, match="'event' must be a whole number"):
        await dispenser.actions["event"]({"event": 300})


def test_memory_that_is_no_json_starts_empty(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text("\x00\x00")
    assert Memory(path).number("seq") == 0
