"""`hub devices add`, `test` and `list`, and what `hub site apply` says of devices."""

import json
import os
import shutil
from pathlib import Path

import pytest

from hub.central.commands import devices_add
from hub.central.site.load import load
from hub.central.site.model import Device
from hub.cli import main
from hub.domain.errors import PermanentError

EXAMPLE = Path(__file__).parents[3] / "sites" / "example.toml"
BY_HAND = [
    *("--hub", "h-0002", "--link", "ble", "--resident", "r-2001", "--room", "bad"),
    *("--driver", "bthome", "--address", "a4:c1:38:00:20:09", "--key", "00112233445566778899AABBCCDDEEFF"),
]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    shutil.copy(EXAMPLE, path)
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
        "r-2001-bthome", "A4:C1:38:00:20:09", "r-2001", "bad"
    )  # fmt: skip
    assert "next: hub site apply" in out
    assert "then: hub devices test r-2001-bthome" in out
    assert site.stat().st_mode == mode
    assert in_folder(site) == ["site.toml"]
    said(capsys, "check", site, "--from", "2026-11-23")
    said(capsys, "devices", "add", site, *BY_HAND[:-4], "--address", "A4:C1:38:00:20:0A")
    assert devices(site)[-1].id == "r-2001-bthome-2"


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
        (["--address", "A4:C1:38:00:20:01"], "has the same address on this link"),
        (["--id", "d-2001-button"], "is also the id of"),
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
        devices_add._replace(site, site.read_bytes(), "new")
    assert in_folder(site) == ["site.toml"]
    assert site.read_text(encoding="utf-8") == EXAMPLE.read_text(encoding="utf-8")


def test_test_mode_from_the_command_line(site: Path, store: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "site", "apply", site, "--store", store)
    count = len(devices(site))
    assert f"{count} of {count} devices were never tested" in out
    test = ["devices", "test", "d-2001-button", "--store", store]
    assert "none of this name" in said(capsys, *test, "--phone", "nobody", code=1)
    assert "a landline takes no text" in said(capsys, *test, "--phone", "nord-2-switchboard", code=1)
    assert "1 to 120" in said(capsys, *test, "--phone", "nord-2-desk", "--minutes", "121", code=1)
    assert "phone nord-2-desk gets a text that begins with TEST" in said(capsys, *test, "--phone", "nord-2-desk")
    rows = [json.loads(line) for line in said(capsys, "devices", "list", "--store", store, "--json").splitlines()]
    assert len(rows) == count
    (row,) = [row for row in rows if row["state"] == "testing"]
    assert (row["id"], row["resident"], row["test_phone"]) == ("d-2001-button", "r-2001", "nord-2-desk")
    table = said(capsys, "devices", "list", "--store", store).splitlines()
    assert table[0].split() == ["DEVICE", "RESIDENT", "ROOM", "STATE", "SINCE", "LAST", "HEARD"]
    assert table[-1].split()[:4] == ["d-2001-button", "r-2001", "bedroom", "testing"]
    assert "has ended" in said(capsys, *test, "--end")
    assert "is not in test mode" in said(capsys, *test, "--end", code=1)


def test_a_store_without_a_site_is_one_clear_line(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no such file" in said(capsys, "devices", "list", "--store", store, code=1)
