"""The log: whatever is put into it, no number, key or token comes out, in either form."""

import io
import logging
import re
import sys
import threading
import warnings
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.masking import masked
from hub.wire import logs
from hub.wire.logs import Json, Masked

E164 = re.compile(r"\+[1-9][0-9]{6,14}")
KEY = re.compile(r"[0-9A-Fa-f]{32}")
# Whatever may stand beside: the more it looks like a part of a number or a key, the better.
around = st.text(
    st.sampled_from("0123456789abcdefABCDEF+ -.:/%\\\"'\b\f\n\t\x1f\u2028xåø"), max_size=40
) | st.text(max_size=20)
numbers = st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True)
keys = st.from_regex(r"[0-9a-fA-F]{32,64}", fullmatch=True)


def record(message: str, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, None) if error else None
    return logging.LogRecord("hub.central", logging.WARNING, "x.py", 1, message, arguments, info)


@given(around, numbers | keys, around, st.booleans(), st.sampled_from([Masked(), Json()]))
def test_no_number_and_no_key_ever_comes_out(
    before: str, secret: str, after: str, in_error: bool, form: logging.Formatter
) -> None:
    text = before + secret + after
    line = form.format(record("it: %s", "x", error=ValueError(text)) if in_error else record("it: %s", text))
    assert not E164.search(line)
    assert not KEY.search(line)


@given(st.text(max_size=60), st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=8, max_size=20))
def test_no_secret_of_the_settings_comes_out(text: str, secret: str) -> None:
    for form in (Masked([secret]), Json([secret])):
        assert secret not in form.format(record(text.replace(secret, "") + secret)).replace("[secret]", "")


@given(st.text(max_size=200))
def test_an_entry_of_json_is_one_line_and_reads_back(text: str) -> None:
    line = Json().format(record("%s", text, error=ValueError(text)))
    assert "\n" not in line
    assert set(msgspec.json.decode(line)) == {"time", "level", "logger", "message", "error"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("told +47 00 00 00 12 now", "told [number] now"),
        ("from=%2B4700000012&x", "from=[number]&x"),
        ("call 004700000012", "call [number]"),
        ("call 0047 00 00 00 12, busy", "call [number], busy"),
        ("to 4700000012 failed", "to [number] failed"),
        ("{'number':'4700000012'}", "{'number':'[number]'}"),
        ('{"to":"47 000 00 012"}', '{"to":"[number]"}'),
        ("to=4700000012&x", "to=[number]&x"),
        ("sms:47 00 00 00 12.", "sms:[number]."),
        ("DETAIL:  Failing row contains (1, h\n-1, 59.91).\nx", "DETAIL:  Failing row contains [row]\nx"),
        ("key 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF.", "key [secret]."),
        ("Authorization: Bearer abc.def", "Authorization: [secret]"),
        ("sent Basic aHViOmdlaGVpbQ==", "sent Basic [secret]"),
        ("postgresql://hub:geheim@db/hub", "postgresql://hub:[secret]@db/hub"),
        ("POST /hooks/46elks/abcdefgh/sms?x=1", "POST /hooks/46elks/[secret]/sms?x=1"),
        ("GET /l/a-Z0_9a-Z0_9a-Z0_9a-Z0: store", "GET /l/[secret]: store"),
        ('{"password": "hunter22", "user": "hub"}', '{"password": "[secret]", "user": "hub"}'),
        ("api_key=abc123&to=x", "api_key=[secret]&to=x"),
        ("mail to kari@example.org failed", "mail to [address] failed"),
        ("token q7Yt0aZkP3uV9wXcR5sB1nM8dF2hJ4gL6eK0oT2iU4yE", "token [secret]"),
    ],
)
def test_what_is_taken_out(text: str, shown: str) -> None:
    assert masked(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "incident 47 had no next action",
        "command 0193a0b1-7c3e-7000-8000-000000000001: done",
        "the centre's clock was set by +3600 s",
        "2026-11-21 20:30:00.123456+00:00 h-0042 epoch 5f1c09aa seq 1234567890",
        "auditor: due: What is due is not taken up. The oldest has waited 31 s.",
        "wt/1/h-0042/up/alarm: 512 bytes, F0:11:22:33:44:05",
        "GET http://127.0.0.1:8080/health/ready",
        # Eight digits alone may be a number of somebody, or of anything.
        "seq 47000000 of 47000012, message 00000012",
        # An epoch of 2026, in seconds and finer; a seq, a size, a time and a version that begin alike.
        "at 1795287600, 1795287600000, 1795287600000000",
        "seq 47000000123 after 470000001, 447000000123 bytes",
        "0047-00-00 took 4700000012.5 s, 1.4700000012 s, 0.0047000000 s",
        "epoch a4700000012 4700000012f id 0193a0b1-4700-7000-8000-470000001234",
        "0047",
        # Bytes of a frame.
        "44 47 00 00 00 12 0A",
    ],
)
def test_what_a_technician_needs_stays(text: str) -> None:
    assert masked(text) == text


class Account(msgspec.Struct):
    username: str
    password: str


class Settings(msgspec.Struct):
    hook_secret: str
    accounts: list[Account]
    watch: dict[str, str]


def test_the_settings_tell_their_secrets() -> None:
    settings = Settings(
        "s" * 32, [Account("hub", "geheim-geheim"), Account("x", "kort")], {"ping_url": "https://p/x"}
    )
    assert logs.secrets_in(settings) == {"s" * 32, "geheim-geheim", "https://p/x"}


@pytest.fixture
def everything(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """The process's stderr, with the log set up as in earnest, and all as it was afterwards."""
    root, stderr = logging.getLogger(), io.StringIO()
    before = root.handlers[:], root.level, threading.excepthook, sys.excepthook
    monkeypatch.setattr(sys, "stderr", stderr)
    logs.set_up("json", ["geheim-geheim"])
    yield stderr
    logging.captureWarnings(capture=False)
    root.handlers[:], level, threading.excepthook, sys.excepthook = before
    root.setLevel(level)


def test_libraries_threads_and_warnings_go_the_same_way(everything: io.StringIO) -> None:
    for name in ("uvicorn.error", "alembic.runtime", "anything"):
        logging.getLogger(name).warning("of %s by geheim-geheim", "+4700000012")

    def fails() -> None:
        raise ValueError("+4700000013")

    thread = threading.Thread(target=fails, name="shaky")
    thread.start()
    thread.join()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("to +4700000014", stacklevel=1)
    sys.excepthook(ValueError, ValueError("+4700000015"), None)
    entries = [msgspec.json.decode(line) for line in everything.getvalue().splitlines()]
    assert [entry["logger"] for entry in entries[:3]] == ["uvicorn.error", "alembic.runtime", "anything"]
    assert entries[0]["message"] == "of [number] by [secret]"
    assert [entry["logger"] for entry in entries[3:]] == ["thread", "py.warnings", "hub"]
    assert entries[3]["message"] == "thread shaky failed"
    assert "+47" not in everything.getvalue()
