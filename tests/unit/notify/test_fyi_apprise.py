"""Messages for information through Apprise, to a receiver on a real socket that may be slow, wrong or gone."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from hub.central.notify.channels import fyi_apprise
from hub.central.notify.channels.base import Accepted, Outgoing
from hub.central.notify.channels.fyi_apprise import Apprise, Settings, make
from hub.domain.errors import MalformedError, PermanentError, RefusedError, TransientError
from tests.fakes.elks import FaultyProvider

# What Apprise itself imports.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

SECRET = "a-secret-of-the-tests"
TEXT = "Til orientering, ny: 47 Trygghetsalarm: r-12, på badet, 21:00."


def to(name: str = "office") -> Outgoing:
    return Outgoing(message_id=7, number=name, text=TEXT, key="message-7", receipt_url="")


@pytest.fixture
async def far() -> AsyncIterator[FaultyProvider]:
    async with FaultyProvider() as far:
        far.answer = (200, "ok")
        yield far


def opened(url: str, path: str = SECRET, limit_s: float = 10.0) -> Apprise:
    made = make(Settings(urls={"office": f"{url.replace('http', 'json')}/{path}"}), "")
    return Apprise(made._services, limit_s=limit_s)


async def test_the_receiver_gets_the_text_at_the_secret_address(far: FaultyProvider) -> None:
    assert await opened(far.url).send(to()) == Accepted("message-7")
    assert json.loads(far.bodies[0])["message"] == TEXT
    assert far.requests[0][0].startswith(f"POST /{SECRET}")


def _fails(far: FaultyProvider) -> None:
    far.answer = (500, "down")


def _refuses(far: FaultyProvider) -> None:
    far.answer = (403, "no")


def _hangs_up(far: FaultyProvider) -> None:
    far.answer = None


def _is_silent(far: FaultyProvider) -> None:
    far.hang = True


def _drips(far: FaultyProvider) -> None:
    far.drip = True


@pytest.mark.parametrize("trouble", [_fails, _refuses, _hangs_up, _is_silent, _drips])
async def test_what_the_receiver_does_not_take_is_tried_again(
    far: FaultyProvider, trouble: Callable[[FaultyProvider], None], caplog: pytest.LogCaptureFixture
) -> None:
    trouble(far)
    with pytest.raises(TransientError) as failed:
        await opened(far.url, limit_s=0.5).send(to())
    assert SECRET not in str(failed.value) + caplog.text
    assert TEXT not in str(failed.value) + caplog.text


async def test_nobody_is_there() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        with pytest.raises(TransientError):
            await opened(f"http://127.0.0.1:{unheard.getsockname()[1]}").send(to())


async def test_what_hangs_is_left_behind_and_never_more_than_a_few() -> None:
    free = threading.Event()
    hung = Apprise({"office": lambda _text: free.wait(), "desk": lambda _text: True}, limit_s=0.05)
    for _ in range(fyi_apprise._AT_ONCE):
        with pytest.raises(TransientError, match="no answer within"):
            await hung.send(to())
    left = [thread for thread in threading.enumerate() if thread.name == fyi_apprise.NAME]
    assert len(left) == fyi_apprise._AT_ONCE
    assert all(thread.daemon for thread in left)  # the end of the process does not wait for them
    with pytest.raises(TransientError, match="still under way"):
        await hung.send(to("desk"))
    free.set()
    for thread in left:
        await asyncio.to_thread(thread.join)  # each has told the loop before it ended
    assert await hung.send(to("desk")) == Accepted("message-7")


async def test_a_service_that_breaks_is_a_failure_and_its_words_are_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def breaks(_text: str) -> bool:
        raise ValueError(SECRET)

    with pytest.raises(TransientError):
        await Apprise({"office": breaks}).send(to())
    assert "ValueError" in caplog.text
    assert SECRET not in caplog.text


async def test_a_recipient_without_an_address_is_refused(far: FaultyProvider) -> None:
    with pytest.raises(RefusedError, match='write the address of "nobody"'):
        await opened(far.url).send(to("nobody"))


def test_an_address_that_apprise_does_not_know_is_named_and_not_shown() -> None:
    with pytest.raises(MalformedError, match='"office"') as failed:
        make(Settings(urls={"office": f"nonsense://{SECRET}"}), "")
    assert SECRET not in str(failed.value)


def test_without_apprise_the_start_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(PermanentError, match=r"welfare-hub\[fyi\]"):
        make(Settings(urls={}), "")


def test_settings_with_nothing_else_reach_no_phone(tmp_path: Path) -> None:
    from hub.central.settings import load  # noqa: PLC0415 - only here

    path = tmp_path / "central.toml"
    path.write_text(
        f'hook_secret = "{"s" * 32}"\n[mqtt]\nhost = "broker.example"\nclient_id = "centre"\n'
        '[[providers]]\nkind = "apprise"\nurls = { office = "json://receiver.example" }\n'
    )
    with pytest.raises(MalformedError, match="reaches phones"):
        load(path)


def test_the_addresses_are_secrets_of_the_log() -> None:
    from hub.wire.logs import secrets_in  # noqa: PLC0415 - only here

    url = f"json://receiver.example/{SECRET}"
    assert secrets_in(msgspec.to_builtins({"providers": [Settings(urls={"office": url})]})) == {url}
