"""What every channel promises: accepted, try again, refused, or not at all, whatever the other side does."""

import asyncio
import base64
from collections.abc import AsyncIterator

import pytest

from hub.central.notify.channels import http
from hub.central.notify.channels.base import Accepted, Capability, Outgoing, Provider
from hub.central.notify.channels.elks import Elks, Settings
from hub.domain.errors import PermanentError, RefusedError, TransientError
from tests.fakes.elks import GOOD, FaultyProvider
from tests.fakes.ward import DUTY, ObedientProvider

OUTGOING = Outgoing(
    message_id=7,
    number=DUTY,
    text="47 Trygghetsalarm: r-12, på badet, 21:00. Svar OK 47.",
    key="message-7",
    receipt_url="https://centre.example/hooks/46elks/secret/delivery?message=7",
)


def elks_at(url: str) -> Elks:
    return Elks(Settings(base_url=url, username="user", password="word", sender="+4700000001"))


@pytest.fixture
async def provider() -> AsyncIterator[FaultyProvider]:
    async with FaultyProvider() as provider:
        yield provider


@pytest.fixture
async def channel(provider: FaultyProvider) -> AsyncIterator[Elks]:
    channel = elks_at(provider.url)
    yield channel
    await channel.close()


def test_channels_fit_the_protocol() -> None:
    channels: list[Provider] = [elks_at("http://127.0.0.1"), ObedientProvider()]
    for channel in channels:
        assert channel.channel == "sms"
        assert channel.capabilities <= frozenset(Capability)
        # A text cannot reach a landline: what a channel cannot do is not in its set.
        assert Capability.LANDLINE not in channel.capabilities


async def test_accepted(provider: FaultyProvider, channel: Elks) -> None:
    assert await channel.send(OUTGOING) == Accepted("s17")
    line, headers, form = provider.requests[0]
    assert line == "POST /a1/sms HTTP/1.1"
    assert headers["authorization"] == "Basic " + base64.b64encode(b"user:word").decode()
    assert form == {
        "from": "+4700000001",
        "to": DUTY,
        "message": OUTGOING.text,
        "whendelivered": OUTGOING.receipt_url,
    }


async def test_one_connection_serves_many_messages(provider: FaultyProvider, channel: Elks) -> None:
    for _ in range(5):
        await channel.send(OUTGOING)
    assert provider.connections == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((500, "oops"), TransientError),
        ((503, ""), TransientError),
        ((429, "slow down"), TransientError),
        ((408, ""), TransientError),
        ((302, ""), TransientError),
        ((200, "<html>Log in to the guest network</html>"), TransientError),
        ((200, "{}"), TransientError),
        ((200, '{"id":"s1","status":"failed"}'), RefusedError),
        ((400, "Invalid to number"), RefusedError),
        ((403, "Invalid to number"), RefusedError),
        ((401, "no"), PermanentError),
        ((404, "no"), PermanentError),
        (None, TransientError),
    ],
)
async def test_whatever_it_answers_has_a_name(
    provider: FaultyProvider, channel: Elks, answer: tuple[int, str] | None, error: type[Exception]
) -> None:
    provider.answer = answer
    with pytest.raises(error) as caught:
        await channel.send(OUTGOING)
    assert type(caught.value) is error
    provider.answer = GOOD
    assert await channel.send(OUTGOING) == Accepted("s17")


async def test_it_does_not_wait_for_ever(
    provider: FaultyProvider, channel: Elks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "TOTAL_S", 0.05)
    provider.hang = True
    with pytest.raises(TransientError, match="no answer within"):
        await channel.send(OUTGOING)


async def test_nobody_there() -> None:
    async with FaultyProvider() as gone:
        url = gone.url
    channel = elks_at(url)
    with pytest.raises(TransientError, match="ConnectError"):
        await channel.send(OUTGOING)
    await channel.close()


async def test_its_errors_carry_no_phone_number(provider: FaultyProvider, channel: Elks) -> None:
    provider.answer = (403, f"Invalid to number\n{DUTY} {'x' * 500}")
    with pytest.raises(RefusedError) as caught:
        await channel.send(OUTGOING)
    assert "00000012" not in str(caught.value)
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


async def test_messages_leave_side_by_side(provider: FaultyProvider, channel: Elks) -> None:
    await asyncio.gather(*(channel.send(OUTGOING) for _ in range(50)))
    assert len(provider.requests) == 50
    assert provider.connections <= 50
