"""The dead-man's switch: each signal at its address, again while it may help, and never held up."""

import asyncio
import logging

import pytest

from hub.central.synthetic.ping import Switch
from tests.fakes.deadman import DeadMan, Ping, answer, dead_man

RUN = "0193a0b1-0000-7000-8000-000000000001"
NO_WAIT = (0.0, 0.0, 0.0)


async def tell(fake: DeadMan, *signals: str, timeout_s: float = 5.0) -> list[bool]:
    switch = Switch(fake.url + "/", waits_s=NO_WAIT, timeout_s=timeout_s)
    told = [await switch.tell(signal, RUN, "delivered 12:00:01") for signal in signals]  # type: ignore[arg-type] # a test's shorthand
    await switch.close()
    return told


async def test_each_signal_has_its_address_the_run_and_a_body() -> None:
    async with dead_man() as fake:
        assert await tell(fake, "start", "success", "fail") == [True, True, True]
        assert fake.pings == [Ping(signal, RUN, "delivered 12:00:01") for signal in ("start", "success", "fail")]


@pytest.mark.parametrize(
    "fault",
    [
        answer(500),
        answer(502, b"bad gateway"),
        answer(429, b"rate limit"),
        answer(200, b"OK (rate limited)"),
        b"",  # hangs up
        b"HTTP/1.1 ",  # hangs up in the middle
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nO",  # promises more than it says
        None,  # takes it and never answers
    ],
)
async def test_what_may_pass_is_tried_again(fault: bytes | None) -> None:
    async with dead_man() as fake:
        fake.faults = [fault]
        assert await tell(fake, "success", timeout_s=0.5) == [True]
        assert fake.signals() == ["success", "success"]


@pytest.mark.parametrize(
    "fault", [answer(404), answer(400), answer(409), answer(301), answer(200, b"OK (not found)")]
)
async def test_what_will_not_pass_is_not_and_counts_as_untold(fault: bytes) -> None:
    async with dead_man() as fake:
        fake.faults = [fault]
        assert await tell(fake, "success") == [False]
        assert fake.signals() == ["success"]


async def test_a_switch_that_stays_broken_is_given_up() -> None:
    async with dead_man() as fake:
        fake.faults = [answer(503)] * 9
        assert await tell(fake, "success") == [False]
        assert len(fake.pings) == len(NO_WAIT) + 1


async def test_nobody_listens_there() -> None:
    switch = Switch("http://127.0.0.1:9/check", waits_s=(0.0,))
    assert not await switch.tell("success", RUN)
    await switch.close()


async def test_a_switch_that_drips_and_never_ends_holds_nobody_up() -> None:
    ended = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        try:
            while True:
                writer.write(b"H")
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            pass
        finally:
            writer.close()
            ended.set()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    switch = Switch(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x", waits_s=(), timeout_s=0.2)
    async with asyncio.timeout(5):
        assert not await switch.tell("success", RUN)
    await switch.close()
    await ended.wait()
    server.close()


async def test_its_address_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "hub")
    async with dead_man() as fake:
        fake.faults = [answer(500)] * 4
        await tell(fake, "success")
    ours = [record for record in caplog.records if record.name.startswith("hub")]
    assert ours
    assert all("the-check" not in record.getMessage() for record in ours)
