"""The link when the network or the broker misbehaves."""

import asyncio

import pytest

from hub.domain.errors import TransientError
from tests.fakes.ear import Ear, running, until
from tests.fakes.mosquitto import Mosquitto
from tests.fakes.proxy import Proxy


async def test_a_restarted_broker_is_found_again(broker: Mosquitto) -> None:
    ear = Ear(broker.port, "ear", "a", session_expiry_s=300)
    async with running(ear):
        assert await ear.up() is False
        await broker.restart()
        assert "closed by the broker" in await ear.down()
        assert await ear.up() is False, "it was killed: the session is gone, and that is reported"
        await ear.link.publish("a", b"x")
        assert (await ear.next()).payload == b"x"


@pytest.mark.parametrize("busy", [False, True])
async def test_a_half_open_link_is_noticed_within_two_keepalives(proxy: Proxy, busy: bool) -> None:
    ear = Ear(proxy.port, "ear", "a", keepalive_s=1)
    async with running(ear):
        await ear.up()
        proxy.half_open()
        loop = asyncio.get_running_loop()
        began = loop.time()
        waiting = [asyncio.create_task(ear.link.publish("a", b"into the void")) for _ in range(5 if busy else 0)]
        reason = await ear.down()
        assert loop.time() - began <= 2.0 + 0.5, "two keepalives, and what a busy machine adds"
        assert "nothing heard" in reason
        for result in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(result, TransientError)
        proxy.resume()
        await ear.up()
        await ear.link.publish("a", b"x")


async def test_a_silent_but_healthy_link_stays(broker: Mosquitto) -> None:
    ear = Ear(broker.port, "ear", keepalive_s=1)
    async with running(ear):
        await ear.up()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.5):
                await ear.downs.get()
        assert ear.link.generation == 1


async def test_a_frozen_broker_costs_the_publish_not_the_link(broker: Mosquitto) -> None:
    ear = Ear(broker.port, "ear", keepalive_s=1)
    async with running(ear):
        await ear.up()
        broker.freeze()
        with pytest.raises(TransientError, match="lost before"):
            await ear.link.publish("a", b"x")
        broker.thaw()
        await ear.up()
        await ear.link.publish("a", b"x")


@pytest.mark.parametrize("count", [1, 30, 60, 100, 1000])
async def test_a_link_cut_anywhere_recovers_and_says_what_is_unsure(proxy: Proxy, count: int) -> None:
    ear = Ear(proxy.port, "ear", "a")
    async with running(ear):
        await ear.up()
        proxy.cut_after(count)
        results = await asyncio.gather(
            *(ear.link.publish("a", b"%d" % number) for number in range(100)), return_exceptions=True
        )
        assert any(isinstance(result, TransientError) for result in results)
        assert all(result is None or isinstance(result, TransientError) for result in results)
        proxy.resume()
        await until(lambda: ear.link.connected)
        before = ear.link.generation
        await ear.link.publish("a", b"after")
        heard = b""
        while heard != b"after":
            heard = (await ear.next()).payload
        assert ear.link.generation == before


async def test_a_second_client_with_our_name_is_told(broker: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    one, two = Ear(broker.port, "same"), Ear(broker.port, "same")
    async with running(one, two):
        await until(lambda: "does another client call itself 'same' too?" in caplog.text)
    assert max(one.link.generation, two.link.generation) <= 6


async def test_cancelled_while_connecting_leaves_nothing_behind(proxy: Proxy) -> None:
    proxy.half_open()
    ear = Ear(proxy.port, "ear")
    task = asyncio.create_task(ear.link.run())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not ear.link.connected
