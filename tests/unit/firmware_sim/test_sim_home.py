from pathlib import Path

import pytest

from firmware_sim.clock import FixedClock
from firmware_sim.home import Home, HomeError, read_home, specs_of


def device(**settings: object) -> dict[str, object]:
    table = {"name": "a", "kind": "enocean.pendant", "address": "0189A3F1", **settings}
    return {"device": [table]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "no \\[\\[device\\]\\]"),
        ({"device": ["x"]}, "tables"),
        (device(name=""), "'name' must be a word"),
        (device(name="../x"), "'name' must be a word"),
        (device(kind="enocean.pendnat"), "unknown kind 'enocean.pendnat'; known: bthome.button"),
        ({"device": [*device()["device"], *device()["device"]]}, "second device"),  # type: ignore[misc] # lists
    ],
)
def test_a_home_that_cannot_be_is_refused(content: dict[str, object], message: str) -> None:
    with pytest.raises(HomeError, match=message):
        specs_of(content)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"address": "0189"}, "device 'a': 'address' must be 4 bytes in hex"),
        ({"address": 5}, "'address' must be a text"),
        ({"kind": "bthome.button", "address": "10:11:22:33:44:02"}, "not random static"),
        ({"kind": "bthome.button", "address": "F0:11:22:33:44:02", "key": "xy"}, "16 bytes in hex"),
        ({"kind": "dispenser.serial", "alive_s": "often"}, "'alive_s' must be a number"),
    ],
)
async def test_settings_that_do_not_fit_are_refused(
    settings: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(HomeError, match=message):
        Home(specs_of(device(**settings)), tmp_path, FixedClock())


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "home.toml"
    with pytest.raises(HomeError, match=r"home.toml: No such file"):
        read_home(path)
    path.write_text("[[device]\n")
    with pytest.raises(HomeError, match=r"home\.toml: "):
        read_home(path)
