"""The event loop of the simulation: its time leaps, and a process in it stops and goes on as one."""

import asyncio

from tests.simulation import loop
from tests.simulation.loop import Process


def _nothing(_process: Process) -> None:
    pass


def test_time_leaps_to_the_next_timer() -> None:
    async def sleeps() -> float:
        await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time()

    assert loop.run(sleeps()) == 86_400


def test_a_stopped_process_does_nothing_and_then_everything_in_its_order() -> None:
    done: list[tuple[str, float]] = []

    async def ticks(name: str) -> None:
        for _ in range(3):
            await asyncio.sleep(10)
            done.append((name, asyncio.get_running_loop().time()))

    async def play() -> None:
        running, process = asyncio.get_running_loop(), Process(_nothing)
        inside = [running.create_task(ticks(name), context=process.context) for name in ("first", "second")]
        outside = running.create_task(ticks("outside"))
        running.call_at(15, process.stop)
        running.call_at(100, process.go_on)
        await asyncio.wait([*inside, outside])

    loop.run(play())
    assert [at for name, at in done if name == "outside"] == [10, 20, 30]
    assert [(name, at) for name, at in done if name != "outside"] == [
        ("first", 10), ("second", 10), ("first", 100), ("second", 100), ("first", 110), ("second", 110),
    ]  # fmt: skip


def test_what_a_process_begins_belongs_to_it() -> None:
    done: list[float] = []

    async def begins() -> None:
        asyncio.get_running_loop().call_later(5, lambda: done.append(asyncio.get_running_loop().time()))

    async def play() -> None:
        running, process = asyncio.get_running_loop(), Process(_nothing)
        await running.create_task(begins(), context=process.context)
        process.stop()
        running.call_at(30, process.stop)  # which it is already: it keeps what is held
        running.call_at(60, process.go_on)
        await asyncio.sleep(61)

    loop.run(play())
    assert done == [60]


def test_a_process_is_asked_before_each_step_and_may_stop_just_there() -> None:
    done: list[int] = []

    async def counts() -> None:
        for number in range(5):
            done.append(number)
            await asyncio.sleep(0)

    async def play() -> None:
        steps = 0

        def stop_at_the_third(process: Process) -> None:
            nonlocal steps
            steps += 1
            if steps == 3:
                process.stop()

        process = Process(stop_at_the_third)
        task = asyncio.get_running_loop().create_task(counts(), context=process.context)
        await asyncio.sleep(1)
        assert done == [0, 1]
        process.go_on()
        await task

    loop.run(play())
    assert done == [0, 1, 2, 3, 4]
