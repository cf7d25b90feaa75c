"""`hub devices add`, `test` and `list`, and what `hub site apply` says of devices."""

import datetime as dt
import json
import os
import shutil
from pathlib import Path

import pytest

from hub.central.commands import files
from hub.central.site.load import load
from hub.central.site.model import Device
from hub.central.store import tables
from hub.central.store.engine import Store
from hub.cli import main
from hub.domain.clock import UTC
from hub.domain.errors import PermanentError
from tests.fakes.site import SITE

AT = dt.datetime(2026, 11, 21, 19, 0, tzinfo=UTC)
TEXT = f"""# A comment that must come back.
{SITE}
[[phones]]  # so must this one
id = "desk"
number = "+4700000093"
kind = "landline"
"""
BY_HAND = [
    *("--hub", "h-1", "--link", "ble", "--resident", "r-1017", "--room", "bad"),
    *("--driver", "bthome", "--address", "a4:c1:38:00:20:09", "--key", "00112233445566778899AABBCCDDEEFF"),
]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/central.db"


def said(capsys: pytest.CaptureFixture[str], *argv: str | Path, code: int = 0) -> str:
    assert main([str(word) for word in argv]) == code
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return captured.out + captured.err


def in_folder(site: Path) -> list[str]:
    return [path.name for path in site.parent.iterdir()]


def devices(path: Path) -> tuple[Device, ...]:
    return load(path.read_text(encoding="utf-8")).devices


def test_a_device_is_added_and_all_else_stays_as_it_was(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, mode = site.read_text(encoding="utf-8"), site.stat().st_mode
    out = said(capsys, "devices", "add", site, *BY_HAND)
    after = site.read_text(encoding="utf-8")
    assert after.startswith(before.rstrip("\n"))
    new = devices(site)[-1]
    assert (new.id, new.address, new.resident, new.room) == (
        "r-1017-bthome", "A4:C1:38:00:20:09", "r-1017", "bad"
    )  # fmt: skip
    assert "next: hub site apply" in out
    assert "then: hub devices test r-1017-bthome" in out
    assert site.stat().st_mode == mode
    assert in_folder(site) == ["site.toml"]
    said(capsys, "check", site, "--from", "2026-11-23")
    said(capsys, "devices", "add", site, *BY_HAND[:-4], "--address", "A4:C1:38:00:20:0A")
    assert devices(site)[-1].id == "r-1017-bthome-2"


def test_a_label_says_what_was_not_typed(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    label = "driver=bthome;address=A4:C1:38:00:20:09;key=00112233445566778899AABBCCDDEEFF"
    said(capsys, "devices", "add", site, *BY_HAND[:8], "--qr", label, "--id", "d-new")
    assert (devices(site)[-1].id, devices(site)[-1].key) == ("d-new", "00112233445566778899AABBCCDDEEFF")
    out = said(capsys, "devices", "add", site, *BY_HAND[:8], "--driver", "enocean", "--qr", label, code=1)
    assert "--driver: the label says otherwise" in out


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (["--hub", "h-9999"], "there is no hub 'h-9999'"),
        (["--link", "line"], "has no link 'line'"),
        (["--resident", "r-9999"], "there is no resident 'r-9999'"),
        (["--driver", "toaster"], "driver 'toaster': unknown"),
        (["--key", "00"], "key of 1 bytes"),
        (["--address", "F0:11:22:33:44:05"], "has the same address on this link"),
        (["--id", "pendant-1"], "is also the id of"),
        (["--id", "Not An Id"], "use 1 to 48 small letters"),
        (["--qr", "https://example.org"], "unknown form; there are"),
    ],
)
def test_an_error_leaves_the_file_as_it_was(
    site: Path, change: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = site.read_bytes()
    out = said(capsys, "devices", "add", site, *BY_HAND, *change, code=1)
    assert complaint in out
    assert site.read_bytes() == before
    assert in_folder(site) == ["site.toml"]


def test_a_file_with_line_ends_of_another_system_keeps_them(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.write_bytes(site.read_bytes().replace(b"\n", b"\r\n"))
    said(capsys, "devices", "add", site, *BY_HAND)
    assert b"\n" not in site.read_bytes().replace(b"\r\n", b"")


def test_what_somebody_else_wrote_meanwhile_is_not_overwritten(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    copymode = shutil.copymode

    def meanwhile(source: Path, target: Path) -> None:
        copymode(source, target)
        site.write_text("theirs")

    monkeypatch.setattr(shutil, "copymode", meanwhile)
    assert "was changed meanwhile" in said(capsys, "devices", "add", site, *BY_HAND, code=1)
    assert site.read_text() == "theirs"
    assert in_folder(site) == ["site.toml"]


def test_a_folder_that_takes_no_file_is_one_clear_line(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PermanentError, match="No space left"):
        files.replace(site, site.read_bytes(), "new")
    assert in_folder(site) == ["site.toml"]
    assert site.read_text(encoding="utf-8") == TEXT


def test_test_mode_from_the_command_line(site: Path, store: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "site", "apply", site, "--store", store)
    count = len(devices(site))
    assert f"{count} of {count} devices were never tested" in out
    test = ["devices", "test", "pendant-1", "--store", store]
    assert "none of this name" in said(capsys, *test, "--phone", "nobody", code=1)
    assert "a landline takes no text" in said(capsys, *test, "--phone", "desk", code=1)
    assert "1 to 120" in said(capsys, *test, "--phone", "technician", "--minutes", "121", code=1)
    assert "phone technician gets a text that begins with TEST" in said(capsys, *test, "--phone", "technician")
    rows = [json.loads(line) for line in said(capsys, "devices", "list", "--store", store, "--json").splitlines()]
    assert len(rows) == count
    (row,) = [row for row in rows if row["state"] == "testing"]
    assert (row["id"], row["resident"], row["test_phone"]) == ("pendant-1", "r-1017", "technician")
    table = said(capsys, "devices", "list", "--store", store).splitlines()
    assert table[0].split() == ["DEVICE", "RESIDENT", "ROOM", "STATE", "SINCE", "LAST", "HEARD"]
    assert table[-1].split()[:4] == ["pendant-1", "r-1017", "stue", "testing"]
    assert "has ended" in said(capsys, *test, "--end")
    assert "is not in test mode" in said(capsys, *test, "--end", code=1)


def test_a_store_without_a_site_is_one_clear_line(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no such file" in said(capsys, "devices", "list", "--store", store, code=1)


def test_applying_another_assignment_says_what_is_out_of_service(
    site: Path, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "site", "apply", site, "--store", store)
    opened = Store(store)
    opened.write_now(
        lambda connection: connection.execute(
            tables.devices.update()
            .where(tables.devices.c.device_id.in_(["pendant-1", "dispenser-1"]))
            .values(in_service_at=AT, in_service_by="sms:technician", in_service_incident=1)
        )
    )
    opened.close()
    site.write_text(site.read_text(encoding="utf-8").replace("01020304", "01020305"), "utf-8")
    out = said(capsys, "site", "apply", site, "--store", store)
    assert "device pendant-1 is assigned otherwise than it was tested: it is out of service" in out
    assert "dispenser-1" not in out
    rows = [json.loads(line) for line in said(capsys, "devices", "list", "--store", store, "--json").splitlines()]
    assert [row["id"] for row in rows if row["state"] == "in_service"] == ["dispenser-1"]


@pytest.mark.parametrize(
    ("phone", "complaint"), [("nobody", "there is no phone 'nobody'"), ("desk", "takes no text")]
)
def test_a_site_whose_test_phone_takes_no_text_is_refused(
    site: Path, phone: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = site.read_text(encoding="utf-8").replace("[site]\n", f'[site]\ntest_phone = "{phone}"\n', 1)
    site.write_text(text, encoding="utf-8")
    out = said(capsys, "check", site, "--from", "2026-11-23", code=1)
    assert 'error: [site], key "test_phone": ' in out
    assert complaint in out
