"""What every provider over HTTP promises, whatever the other side answers, tells, or leaves unsaid."""

import asyncio
import base64
import importlib
import logging
import pkgutil
from collections.abc import AsyncIterator
from functools import cache
from types import ModuleType
from urllib.parse import unquote_plus

import msgspec
import pytest

from hub.central.notify import channels
from hub.central.notify.channels import http
from hub.central.notify.channels.base import Accepted, Capability, Inbound, Keyed, Provider, ReceiptStatus, Report
from hub.domain.errors import MalformedError, PermanentError, RefusedError, TransientError
from tests.fakes.elks import FaultyProvider
from tests.fakes.providers import BENCHES, NOW, NUMBER, TEXT, TOKEN, Bench, Call, hooks, outgoing


def modules() -> dict[str, ModuleType]:
    """Return the modules of providers that speak HTTP to an address of their settings."""
    found = {}
    for info in pkgutil.iter_modules(channels.__path__):
        module = importlib.import_module(f"{channels.__name__}.{info.name}")
        settings = getattr(module, "Settings", None)
        if settings is not None and "base_url" in settings.__struct_fields__:
            found[info.name] = module
    return found


MODULES = modules()
NAMES = sorted(BENCHES)


def opened(name: str, url: str) -> Provider:
    module = MODULES[name]
    settings = msgspec.convert({"kind": module.NAME, "base_url": url, **BENCHES[name].settings}, module.Settings)
    provider: Provider = module.make(settings, hooks(module.NAME))
    return provider


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bench(name: str) -> Bench:
    return BENCHES[name]


@pytest.fixture
async def far() -> AsyncIterator[FaultyProvider]:
    async with FaultyProvider() as far:
        yield far


@pytest.fixture
async def provider(name: str, bench: Bench, far: FaultyProvider) -> AsyncIterator[Provider]:
    far.answer = bench.good
    provider = opened(name, far.url)
    yield provider
    await provider.close()


@cache
def _idle(name: str) -> Provider:
    return opened(name, "http://127.0.0.1:9")


@pytest.fixture
def idle(name: str) -> Provider:
    """A provider that sends nothing."""
    return _idle(name)


def test_each_provider_over_http_is_held_to_this() -> None:
    assert sorted(MODULES) == NAMES
    names = [module.NAME for module in MODULES.values()]
    assert len(set(names)) == len(names)


def test_what_it_is(idle: Provider, bench: Bench) -> None:
    assert idle.channel == ("sms" if bench.keyed is None else "voice")
    assert idle.channel in idle.capabilities
    # A text cannot reach a landline, a call can: what a provider cannot do is not in its set.
    assert (Capability.LANDLINE in idle.capabilities) is (idle.channel == "voice")
    assert Capability.TWO_WAY in idle.capabilities


async def test_accepted(provider: Provider, bench: Bench, far: FaultyProvider) -> None:
    assert await provider.send(outgoing(provider.name)) == Accepted(bench.ref)
    assert bench.sent in far.bodies[0]
    line, headers, _ = far.requests[0]
    assert line == f"POST {bench.path} HTTP/1.1"
    basic = "Basic " + base64.b64encode(f"{bench.user}:{TOKEN}".encode()).decode()
    assert headers.get("authorization") == (basic if bench.user else None)
    assert NUMBER in far.bodies[0].decode() or NUMBER in unquote_plus(far.bodies[0].decode())


async def test_a_second_attempt_bears_the_same_name(provider: Provider, bench: Bench, far: FaultyProvider) -> None:
    # None of them has a key against double sending: a report about either copy finds the message.
    far.cut = True
    with pytest.raises(TransientError):
        await provider.send(outgoing(provider.name))
    far.cut = False
    assert await provider.send(outgoing(provider.name)) == Accepted(bench.ref)
    assert far.bodies[0] == far.bodies[1]


@pytest.mark.parametrize("kind", ["refused", "account", "busy"])
async def test_what_it_refuses_has_a_name(
    provider: Provider, bench: Bench, far: FaultyProvider, kind: str
) -> None:
    answers = {
        "refused": (RefusedError, bench.refused),
        "account": (PermanentError, bench.account),
        "busy": (TransientError, bench.busy),
    }
    error, rows = answers[kind]
    for far.answer in rows:
        with pytest.raises(error) as caught:
            await provider.send(outgoing(provider.name))
        assert type(caught.value) is error, far.answer


@pytest.mark.parametrize(
    "answer",
    [
        (500, "oops"),
        (503, ""),
        (429, "slow down"),
        (408, ""),
        (302, ""),
        (200, "<html>Log in to the guest network</html>"),
        (200, "[1,2,3]"),
        (200, "{}"),
        (200, "\ud7ff{"),
        (200, ""),
        None,
    ],
)
async def test_whatever_is_not_theirs_is_tried_again(
    provider: Provider, bench: Bench, far: FaultyProvider, answer: tuple[int, str] | None
) -> None:
    far.answer = answer
    with pytest.raises(TransientError):
        await provider.send(outgoing(provider.name))
    far.answer = bench.good
    assert await provider.send(outgoing(provider.name)) == Accepted(bench.ref)


@pytest.mark.parametrize("fault", ["hang", "drip"])
async def test_it_does_not_wait_for_ever(
    provider: Provider, far: FaultyProvider, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(http, "TOTAL_S", 0.05)
    setattr(far, fault, True)
    with pytest.raises(TransientError, match="no answer within"):
        await provider.send(outgoing(provider.name))


async def test_nobody_there(name: str) -> None:
    async with FaultyProvider() as gone:
        url = gone.url
    provider = opened(name, url)
    with pytest.raises(TransientError, match="ConnectError"):
        await provider.send(outgoing(provider.name))
    await provider.close()


async def test_messages_leave_side_by_side(provider: Provider, far: FaultyProvider) -> None:
    await asyncio.gather(*(provider.send(outgoing(provider.name)) for _ in range(20)))
    assert len(far.requests) == 20
    assert 1 < far.connections <= 20


async def test_after_many_waited_in_vain_the_next_leaves(
    provider: Provider, bench: Bench, far: FaultyProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "TOTAL_S", 0.3)
    far.hang = True
    waited = await asyncio.gather(
        *(provider.send(outgoing(provider.name)) for _ in range(50)), return_exceptions=True
    )
    assert {type(error) for error in waited} == {TransientError}
    monkeypatch.undo()
    far.hang = False
    assert await provider.send(outgoing(provider.name)) == Accepted(bench.ref)


async def test_neither_number_nor_text_gets_into_logs_and_errors(
    provider: Provider, bench: Bench, far: FaultyProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    told: list[str] = []
    for far.answer in (*bench.refused, *bench.account, *bench.busy, (500, f"{NUMBER} {'x' * 500}\n"), None):
        with pytest.raises((TransientError, PermanentError)) as caught:
            await provider.send(outgoing(provider.name))
        told.append(str(caught.value))
    for call in (bench.delivered, bench.failed, bench.inbound, bench.keyed):
        if call is not None:
            provider.hook(call.hook(provider.name))
    told += [record.getMessage() for record in caplog.records if record.name.startswith("hub")]
    for said in told:
        assert "00000012" not in said
        assert "Trygghetsalarm" not in said
        assert TEXT not in said
        assert "\n" not in said
        assert len(said) < 200


def test_each_kind_of_receipt(idle: Provider, bench: Bench) -> None:
    rows = [
        (bench.delivered, ReceiptStatus.DELIVERED),
        (bench.failed, ReceiptStatus.FAILED),
        (bench.under_way, ReceiptStatus.SENT),
    ]
    for call, status in rows:
        if call is None:
            continue
        (report,) = idle.hook(call.hook(idle.name))
        assert isinstance(report, Report)
        assert (report.provider_ref, report.message_id, report.status) == (bench.ref, 7, status)
        assert abs(report.at - NOW).total_seconds() <= 1
        if status is ReceiptStatus.FAILED:
            assert bench.reason in report.reason


def test_the_same_call_twice_says_the_same(idle: Provider, bench: Bench) -> None:
    for call in (bench.failed, bench.inbound, bench.keyed):
        if call is not None:
            hook = call.hook(idle.name)
            assert idle.hook(hook) == idle.hook(hook)


def test_a_text_that_came_in(idle: Provider, bench: Bench) -> None:
    if bench.inbound is None:
        assert idle.channel == "voice"
        return
    (inbound,) = idle.hook(bench.inbound.hook(idle.name))
    assert isinstance(inbound, Inbound)
    assert (inbound.provider, inbound.text, inbound.at) == (idle.name, "OK 47", NOW)
    # Sveve leaves out the country: Norwegian numbers get theirs.
    assert inbound.sender == NUMBER
    assert inbound.provider_ref


def test_a_key(idle: Provider, bench: Bench) -> None:
    if bench.keyed is None:
        assert idle.channel == "sms"
        return
    hook = bench.keyed.hook(idle.name)
    (keyed,) = idle.hook(hook)
    assert keyed == Keyed(provider_ref=bench.ref, message_id=7, digits="1")
    assert idle.reply(hook, (keyed,), "Alarm 47 er din.").status == 200


def test_no_key_ends_a_call(idle: Provider, bench: Bench) -> None:
    if bench.keyed is None:
        return
    nothing = {"Digits": "", "result": "failed"}
    form = {field: nothing.get(field, value) for field, value in bench.keyed.form.items()}
    hook = bench.keyed._replace(form=form).hook(idle.name)
    (report,) = idle.hook(hook)
    assert isinstance(report, Report)
    assert (report.status, report.reason) == (ReceiptStatus.FAILED, "no key was pressed")
    assert b"angup" in idle.reply(hook, (report,), "").body


def test_a_call_that_is_not_theirs_is_refused(idle: Provider, bench: Bench) -> None:
    if not idle.name.startswith("twilio"):
        return  # the others sign nothing; their secret is the address
    calls = [call for call in (bench.failed, bench.inbound, bench.keyed) if call is not None]
    for call in calls:
        good = call.hook(idle.name)
        bad = [
            call.hook(idle.name, token="another"),
            msgspec.structs.replace(good, headers={}),
            msgspec.structs.replace(good, form={**good.form, "Body": "OK 48"}),
            msgspec.structs.replace(good, url=good.url + "&message=8"),
        ]
        for hook in bad:
            with pytest.raises(RefusedError):
                idle.hook(hook)


def test_what_has_no_form_is_malformed(idle: Provider) -> None:
    long = "x" * 500
    for what in ("delivery", "inbound", "voice", "anything"):
        for body in (b"", b"{", b"[]", b"{}", b"\xff\xfe", b'{"id":7}', b"null"):
            for form in ({}, {"id": ""}, {"id": long, "MessageSid": long, "CallSid": long}):
                with pytest.raises(MalformedError):
                    idle.hook(Call(what, form, {}, body).hook(idle.name))
