"""SIGKILL at every step between claim and note, for every provider there is: at least one accepted send each.

The sender is a process of its own (``tests.fakes.mortal``), which ends at its n-th step; n grows until it
survives. After each death another sender takes over from the store alone.
"""

import asyncio
import datetime as dt
import multiprocessing
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa

from firmware_sim.clock import SystemClock
from firmware_sim.devices.gsm.modem import GsmModem
from firmware_sim.home import Home, specs_of
from firmware_sim.phone.app import Service
from firmware_sim.phone.model import Phone
from firmware_sim.phone.network import Network
from hub.central import clockwork
from hub.central.centre import Tx
from hub.central.escalation.plan import Position, Target
from hub.central.links.tokens import PATH, PLACE
from hub.central.notify import outbox
from hub.central.notify.channels import kinds
from hub.central.notify.channels.base import Subscription
from hub.central.notify.channels.webpush import new_key
from hub.central.notify.pipeline import Sender
from hub.central.notify.ways import Ways
from hub.central.store.tables import attempts, messages, push_subscriptions
from tests.fakes import mortal
from tests.fakes.push import CONTACT, provider, push_service, subscribed
from tests.fakes.serving import serving
from tests.fakes.smtp import MailServer
from tests.fakes.ward import DUTY, START, carry_out, open_centre, raised

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

USER, PASSWORD, OURS = "user", "a-token-of-the-tests", "+4700000001"
BASIC = {"username": USER, "password": PASSWORD}
SID = {"account_sid": USER, "auth_token": PASSWORD, "sender": OURS}
# By kind: what its entry in the settings has beside the address.
HTTP: dict[str, dict[str, Any]] = {
    "46elks": {**BASIC, "sender": OURS},
    "46elks-voice": {**BASIC, "sender": OURS, "speech_url": "https://speech.example/nb?say={text}"},
    "sveve": BASIC,
    "twilio": SID,
    "twilio-voice": SID,
    "link": {
        **BASIC,
        "sender": OURS,
        "platform_id": "COMMON_API",
        "platform_partner_id": "17",
        "gate_id": "g",
    },
}
_EVERY_STEP = 200
# What opens it is kept in a transaction of its own, before the text leaves.
LINKED = f"47. https://hub.example{PATH}{PLACE} Svar OK 47."


class Far(NamedTuple):
    """The other side: what the settings say of it, and how many messages it has accepted."""

    account: dict[str, Any]
    accepted: Callable[[], int]


@pytest.fixture(params=[*HTTP, "email", "modem", "webpush"])
async def far(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Far]:
    kind = str(request.param)
    if kind == "email":
        async with MailServer() as server:
            account = {
                "host": "127.0.0.1",
                "port": server.port,
                "security": "none",
                "sender": "hub@centre.example",
            }
            yield Far({"kind": kind, **account}, lambda: len(server.mails))
    elif kind == "modem":
        home = Home(
            specs_of({"device": [{"name": "modem", "kind": "gsm.modem", "port": "gsm"}]}), tmp_path, SystemClock()
        )
        await home.start()
        device = home.devices["modem"]
        assert isinstance(device, GsmModem)
        yield Far({"kind": kind, "port": str(tmp_path / "gsm")}, lambda: len(device.network.sent))
        await home.stop()
    elif kind == "webpush":
        async with push_service() as far:
            key = new_key()
            account = {"private_key": key, "contact": CONTACT, "own_services": [far.url]}
            _subscribe(tmp_path, subscribed(far, provider(far, key)))
            yield Far({"kind": kind, **account}, far.pushed.qsize)
    else:
        network = Network([Phone(DUTY, "duty")], None, OURS, SystemClock())
        service = Service(network, USER, PASSWORD)
        async with serving(service.app()) as url:
            yield Far({"kind": kind, "base_url": url, **HTTP[kind]}, lambda: len(network.messages))
            await service.close()


def _subscribe(folder: Path, browser: Subscription) -> None:
    """Let the duty phone have switched push on in a browser."""
    row = {
        "phone": "p-duty",
        "number": DUTY,
        "endpoint_hash": "of the endpoint",
        "endpoint": browser.endpoint,
        "p256dh": browser.p256dh,
        "auth": browser.auth,
        "created_at": START,
        "created_by": "user:test",
        "confirmed_at": START,
        "code_hash": "",
        "tries": 0,
    }
    centre = open_centre(folder, mortal.Hasty())
    centre.store.write_now(lambda connection: connection.execute(push_subscriptions.insert(), row))
    centre.store.close()


def test_no_kind_of_provider_is_left_out() -> None:
    known = {str(settings.__struct_config__.tag) for settings in kinds.KINDS}
    # Nothing rests on what is told for information.
    assert known - {"apprise"} == {*HTTP, "email", "modem", "webpush"}


async def test_at_least_one_accepted_send(far: Far, tmp_path: Path) -> None:
    clock = mortal.Hasty()
    channel = mortal.make(far.account).channel
    deaths = 0
    for steps in range(1, _EVERY_STEP):
        before = far.accepted()
        message_id = await queued(tmp_path, clock, channel, steps)
        code = await asyncio.to_thread(killed_at, steps, tmp_path, clock.utc, far.account, message_id)
        clock.move(clockwork.LEASE.total_seconds() + 1)
        made = await taken_over(tmp_path, clock, far.account, message_id)
        assert far.accepted() > before, f"killed at step {steps}: no send was accepted"
        # A modem tells within this time that it was delivered, too.
        assert {message for message, _ in made} in ({"sent"}, {"delivered"}), f"killed at step {steps}"
        assert "queued" not in {attempt for _, attempt in made}, f"killed at step {steps}"
        if code == 0:
            break
        assert code == -signal.SIGKILL
        deaths += 1
    sends = far.accepted()
    print(f"{far.account['kind']}: killed at each of {deaths} steps, {sends} sends accepted")  # noqa: T201 - a figure
    assert sends > deaths + 1, "it died after the provider had the message, too"


def killed_at(steps: int, folder: Path, utc: dt.datetime, account: dict[str, Any], message_id: int) -> int | None:
    """Let a sender live for so many steps, in a process forked from one that has imported all of it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.fakes.mortal"])
    process = context.Process(target=mortal.live, args=(folder, utc, account, message_id, steps))
    process.start()
    process.join()
    return process.exitcode


async def queued(folder: Path, clock: mortal.Hasty, channel: str, person: int) -> int:
    """Write a message on a channel, as a step of a plan writes it, leased by the one that is going to die."""
    centre = open_centre(folder, clock)
    number = await raised(centre, f"r-{person}")
    phone = centre.site.phones["p-duty"]

    def write(tx: Tx) -> int:
        outbox.cancel(tx, number, "the test writes its own")
        return outbox.queue(tx, number, Target("nord-1", "duty", phone, channel), LINKED, Position(0, 0))

    message_id = await centre.transact(write)
    centre.store.close()
    return message_id


async def taken_over(
    folder: Path, clock: mortal.Hasty, account: dict[str, Any], message_id: int
) -> list[tuple[str, str]]:
    """Let another centre carry out what is left; return the message's state beside that of each attempt."""
    centre = open_centre(folder, clock)
    centre.owner = "centre-2"
    way = mortal.make(account)
    sender = Sender(centre, Ways([way]), lambda _name: mortal.HOOKS)
    async with mortal.listening(centre, way):
        await carry_out(centre, sender)
    await way.close()
    query = sa.select(messages.c.state, attempts.c.state.label("attempt")).join(attempts)
    rows = await centre.store.read(lambda c: c.execute(query.where(messages.c.id == message_id)).all())
    centre.store.close()
    return [(row.state, row.attempt) for row in rows]
