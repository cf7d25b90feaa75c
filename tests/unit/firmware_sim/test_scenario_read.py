from pathlib import Path

import pytest

from firmware_sim.scenario.command import shipped
from firmware_sim.scenario.read import read_scenario
from firmware_sim.scenario.routines import routine_events
from firmware_sim.scenario.table import ScenarioError

SMALL = """
[scenario]
title = "small"
from = 2027-01-12T22:00:00
until = 2027-01-13T22:00:00
seed = 1
[[home]]
id = "h-1"
[[home.resident]]
id = "r-1"
routine = ["doors", "doses", "visits"]
[[home.device]]
id = "door"
kind = "enocean.door"
resident = "r-1"
room = "gang"
[[home.device]]
id = "disp"
kind = "dispenser.serial"
resident = "r-1"
[[home.dose]]
device = "disp"
at = "08:00"
"""


def read(folder: Path, text: str, seed: int | None = None) -> object:
    path = folder / "small.toml"
    path.write_text(text)
    return read_scenario(path, seed)


@pytest.mark.parametrize("name", list(shipped()))
def test_a_shipped_scenario_can_be_read(name: str) -> None:
    scenario = read_scenario(shipped()[name])
    assert scenario.title
    assert all(scenario.from_s <= event.at_s < scenario.until_s for event in routine_events(scenario))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("[[event]]\nat = '25:00'\ndevice = 'door'\ndo = 'open'", "[[event]] number 1, key 'at': must be a time"),
        (
            "[[event]]\nat = '23:00'\ndevice = 'dor'\ndo = 'open'",
            "[[event]] number 1, key 'device': no device 'dor'",
        ),
        ("[[event]]\nat = '23:00'\nhome = 'h-2'\ndevice = 'door'\ndo = 'x'", "key 'home': no home 'h-2'"),
        ("[[event]]\nat = 'day 4 03:10'\ndevice = 'door'\ndo = 'open'", "key 'at': is not within the scenario"),
        ("[[fault]]\nfrom = '23:00'\nwhere = 'roof'", "[[fault]] number 1, key 'where': 'roof' is none of"),
        (
            "[[fault]]\nfrom = '23:00'\nwhere = 'uplink'\nwhat = { wet = true }",
            "'wet' is unknown; at 'uplink' fit",
        ),
        (
            "[[fault]]\nfrom = '23:00'\nwhere = 'device'\ndevice = 'door'\nwhat = { frames = { drop = 2 } }",
            "[[fault]] number 1, key 'what': fault 'drop' is a number from 0 to 1",
        ),
        ("[[expect]]\nkind = 'x'\nfrom = '23:00'\nuntil = '22:30'", "[[expect]] number 1, key 'until'"),
        ("[[expect]]\nkind = 'x'\ntold = 'dutty'", "[[expect]] number 1, key 'told': 'dutty' is none of"),
        ("[[expect]]\nkinds = 'x'", "[[expect]] number 1, key 'kinds': unknown; did you mean 'kind'?"),
        (
            "[[nurse]]\nphone = 'duty'\nanswers_s = -1",
            "[[nurse]] number 1, key 'answers_s': must be a number from 0",
        ),
        ("[[home]]\nid = 'h-1'", "a second home has the id 'h-1'"),
        ("[[home]]\nid = 'h-2'\ncount = 3", "[[home]] number 2, key 'count': only homes with hub"),
    ],
)
def test_an_error_names_table_and_key(tmp_path: Path, more: str, said: str) -> None:
    with pytest.raises(ScenarioError) as raised:
        read(tmp_path, SMALL + more)
    assert str(raised.value).startswith("small.toml: ")
    assert said in str(raised.value)


def test_the_seed_says_when(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    first, again, other = (routine_events(read_scenario(path, seed)) for seed in (None, 1, 2))
    assert first == again != other
    assert {event.do for event in first} == {"open", "close", "dispense"}
