import io
import re
import sys
from pathlib import Path

import msgspec
import pytest

from hub.central.auth.accounts import check_password, stored_hash
from hub.central.site.apply import load_current
from hub.central.store.engine import Store
from hub.cli import COMMANDS, main

SITES = Path(__file__).parents[2] / "sites"
EXAMPLE, PUBLISHED = SITES / "example.toml", SITES / "as-published.toml"
RECORD = "010107000000b948016b80510100000057011b00"


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/central.db"


def said(capsys: pytest.CaptureFixture[str], *argv: str | Path, code: int = 0) -> tuple[str, str]:
    assert main([str(word) for word in argv]) == code
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return captured.out, captured.err


def test_check_finds_nothing_wrong_with_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = said(capsys, "check", EXAMPLE, "--from", "2026-11-23")
    assert "example.toml: no errors, no warnings" in out
    assert "is filled from 2026-11-23 to 2027-11-24" in out


def test_check_refuses_the_table_as_published_with_its_gaps(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = said(capsys, "check", PUBLISHED, "--from", "2026-11-23", code=1)
    for complaint in (
        "zone nord-1, role duty: nobody 07:30-08:00 on any day, first on Mon 2026-11-23",
        "nobody 08:00-24:00 on sat, sun, public holidays",
        'as-published.toml:28: error: [[rota]] #1, key "phone": zone nord-1, role duty, 08:00 to 15:00: phone',
        "phone 'nord-1-switchboard' is a landline and takes no sms",
        "as-published.toml: 32 errors, 17 warnings",
    ):
        assert complaint in out


def test_check_tells_every_typo_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "typo.toml"
    path.write_text(
        EXAMPLE.read_text(encoding="utf-8").replace("last_resort", "last_ressort", 2), encoding="utf-8"
    )
    out, _ = said(capsys, "check", path, code=1)
    assert out.count('unknown key; did you mean "last_resort"?') == 2
    assert f"{path}: 4 errors, no warnings" in out


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda path: path.exists(), "No such file or directory"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: path.write_bytes(b"name = \xff"), "is not UTF-8 text (byte 7)"),
    ],
    ids=["missing", "folder", "binary"],
)
@pytest.mark.parametrize("command", [["check"], ["site", "apply"]], ids=["check", "apply"])
def test_a_file_that_cannot_be_read_is_one_clear_line(
    make: object, complaint: str, command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "site.toml"
    assert callable(make)
    make(path)
    _, err = said(capsys, *command, path, code=1)
    assert err == f"hub: {path}: {complaint}\n"


def test_apply_then_export_then_refuse_a_site_with_gaps(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = said(capsys, "site", "apply", EXAMPLE, "--store", store, "--by", "ward-office")
    assert re.search(r"applied as version \d+: 8 zones, 8 residents, 8 hubs, 13 devices", out)
    out, _ = said(capsys, "site", "export", "--store", store)
    assert out == EXAMPLE.read_text(encoding="utf-8")
    out, _ = said(capsys, "site", "apply", PUBLISHED, "--store", store, code=1)
    assert "nobody 07:30-08:00" in out
    assert "not applied; correct the errors first" in out
    opened = Store(store)
    directory = opened.read_now(load_current)
    opened.close()
    assert directory is not None
    assert directory.site.site.name == "Example municipality"


def test_export_of_nothing(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, err = said(capsys, "site", "export", "--store", store, code=1)
    assert err.endswith("there is no such file\n")
    Store(store).close()
    _, err = said(capsys, "site", "export", "--store", store, code=1)
    assert err == "hub: no site was applied to this store yet\n"


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("central.db", "write a URL such as sqlite:////"),
        ("nosuch://host/x", "store nosuch://host/x: write a URL such as"),
        ("sqlite:////proc/none/central.db", "there is no such file"),
        ("postgresql+psycopg://hub:hunter2@127.0.0.1:1/hub", "store postgresql+psycopg://hub:***@127.0.0.1:1/hub"),
    ],
)
def test_a_store_that_cannot_be_opened_is_one_line_without_its_password(
    url: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, err = said(capsys, "site", "export", "--store", url, code=1)
    assert complaint in err
    assert len(err.splitlines()) == 1
    assert "hunter2" not in err


def test_a_file_that_is_no_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "central.db"
    path.write_text("this is no database, and long enough to be read as one" * 20)
    _, err = said(capsys, "site", "export", "--store", f"sqlite:///{path}", code=1)
    assert err.endswith("file is not a database\n")
    assert len(err.splitlines()) == 1


def type_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_user_add(store: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    type_in(monkeypatch, "a long enough password\n")
    out, _ = said(capsys, "user", "add", "night-shift", "--store", store, "--password-stdin")
    assert out == "user night-shift: added\n"
    opened = Store(store)
    stored = opened.read_now(lambda connection: stored_hash(connection, "night-shift"))
    opened.close()
    assert check_password(stored, "a long enough password")
    type_in(monkeypatch, "another long password\n")
    _, err = said(capsys, "user", "add", "night-shift", "--store", store, "--password-stdin", code=1)
    assert "exists already" in err


def test_user_password(store: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["user", "password", "night-shift", "--store", store, "--password-stdin"]
    type_in(monkeypatch, "another long password\n")
    _, err = said(capsys, *command, code=1)
    assert err.endswith("there is no such file\n")
    type_in(monkeypatch, "a long enough password\n")
    said(capsys, "user", "add", "night-shift", "--store", store, "--password-stdin")
    type_in(monkeypatch, "another long password\n")
    said(capsys, *command)
    opened = Store(store)
    stored = opened.read_now(lambda connection: stored_hash(connection, "night-shift"))
    opened.close()
    assert [check_password(stored, word) for word in ("a long enough password", "another long password")] == [
        False,
        True,
    ]


def test_user_remove(store: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _, err = said(capsys, "user", "remove", "night-shift", "--store", store, code=1)
    assert err.endswith("there is no such file\n")
    type_in(monkeypatch, "a long enough password\n")
    said(capsys, "user", "add", "night-shift", "--store", store, "--password-stdin")
    out, _ = said(capsys, "user", "remove", "night-shift", "--store", store)
    assert out.startswith("user night-shift: removed")
    _, err = said(capsys, "user", "remove", "night-shift", "--store", store, code=1)
    assert "no user 'night-shift'" in err


@pytest.mark.parametrize(
    ("name", "password", "complaint"),
    [
        ("night-shift", "short", "12 to 256 characters"),
        ("night-shift", "", "the password is empty"),
        ("night-shift", "bl\udce5b\udce6r i skogen", "not text in UTF-8"),
        ("Night Shift", "a long enough password", "small letters"),
    ],
)
def test_user_add_refuses(
    name: str,
    password: str,
    complaint: str,
    store: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    type_in(monkeypatch, password)
    _, err = said(capsys, "user", "add", name, "--store", store, "--password-stdin", code=1)
    assert complaint in err
    assert not password or password not in err


@pytest.mark.parametrize(
    ("typed", "code", "complaint"),
    [
        (["a long enough password"] * 2, 0, ""),
        (["a long enough password", "a long enough passwort"], 1, "the two passwords differ; nothing was changed"),
    ],
)
def test_a_password_is_typed_twice(
    typed: list[str],
    code: int,
    complaint: str,
    store: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answers = iter(typed)
    monkeypatch.setattr("hub.central.commands.user.getpass", lambda _prompt: next(answers))
    _, err = said(capsys, "user", "add", "night-shift", "--store", store, code=code)
    assert complaint in err


def test_decode_prints_one_observation_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = said(capsys, "decode", "dispenser", RECORD)
    (line,) = out.splitlines()
    observation = msgspec.json.decode(line)
    assert (observation["kind"], observation["time"]) == ("dose.dispensed", "2026-11-21T07:31:05Z")
    assert err == ""


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["dispenser", RECORD[:-2]], "hub: "),
        (["enocean", ""], "no whole frame"),
        (["dispenser", "01 0g"], "HEX: write hexadecimal digits"),
        (["bthome", "40", "--key", "0"], "--key: write hexadecimal digits"),
        (["bthome", "4001643a01", "--key", "00"], "key of 1 bytes: bthome needs a key of 16"),
        (["toaster", "00"], "driver 'toaster': unknown; there are bthome, dispenser, enocean"),
    ],
)
def test_decode_says_what_is_wrong(argv: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, err = said(capsys, "decode", *argv, code=1)
    assert complaint in err


def test_the_help_of_every_command_teaches_by_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    listing = capsys.readouterr().out
    for command in COMMANDS:
        assert f"hub {command.words}" in listing
        with pytest.raises(SystemExit):
            main([*command.words.split(), "--help"])
        assert f"examples:\n  hub {command.words}" in capsys.readouterr().out


def test_the_store_is_taken_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HUB_STORE", f"sqlite:///{tmp_path}/from-environment.db")
    _, err = said(capsys, "site", "export", code=1)
    assert "/from-environment.db: there is no such file" in err
