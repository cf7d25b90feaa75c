"""A device in somebody's hands: each thing that can happen to it is a button, and a word."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from textual.widgets import Button, Input, RichLog

from firmware_sim.clock import SystemClock
from firmware_sim.handheld.command import value_of
from firmware_sim.handheld.screen import Handheld
from firmware_sim.home import Home, specs_of

PENDANT = {"name": "device", "kind": "enocean.pendant", "address": "0189A3F1"}


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    made = Home(specs_of({"device": [PENDANT]}), tmp_path, SystemClock())
    await made.start()
    yield made
    await made.stop()


def _heard(home: Home) -> int:
    """Open the port as a hub does."""
    (path,) = home.ports().values()
    return os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)


async def test_a_button_on_the_screen_is_pressed_on_the_device(home: Home) -> None:
    line = _heard(home)
    try:
        app = Handheld(home, "enocean.pendant", home.ports())
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.click("#do-press")
            await pilot.pause()
            assert os.read(line, 4096).startswith(b"\x55\x00\x07\x07\x01")
            shown = "\n".join(str(strip.text) for strip in app.query_one(RichLog).lines)
            assert "press: " in shown
            assert {button.id for button in app.query(Button)} == {
                f"do-{word}" for word in home.devices["device"].actions
            }
    finally:
        os.close(line)


async def test_what_is_typed_is_done_or_explained(home: Home) -> None:
    app = Handheld(home, "enocean.pendant", home.ports())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("/")
        for line in ("press", "explode now=1"):
            app.query_one(Input).value = line
            await pilot.press("enter")
            await pilot.pause()
        shown = " ".join(str(strip.text) for strip in app.query_one(RichLog).lines)
        assert "cannot 'explode'" in shown


def test_without_a_terminal_words_are_read_from_a_pipe(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "firmware_sim.cli", "device", "enocean.pendant", "--dir", str(tmp_path)]
    done = subprocess.run(
        command, input="help\npress\nquit\n", capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "enocean: " in done.stdout
    assert "done" in done.stdout


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [("rssi_dbm", "-60", -60), ("on", "true", True), ("loss", "0.5", 0.5), ("address", "12345678", "12345678")],
)
def test_a_setting_is_a_number_where_it_looks_like_one_and_an_address_never_is(
    key: str, text: str, value: object
) -> None:
    assert value_of(key, text) == value
