"""Writes what the chain is laid out with: the site of the municipality, and the home file of each home."""

import datetime as dt
import json
import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from firmware_sim.scenario.model import DevicePlan, HomePlan, Scenario

#: The phones of a scenario; nobody has these numbers.
PHONES = {"duty": "+4700000012", "leader": "+4700000090", "technician": "+4700000091"}
ZONE = "nord"
#: Two weeks: what says nothing until it is pressed is not overdue in any scenario.
_LONG_S = 14 * 86_400
_DAY_MIN = 24 * 60
# Until everything has surely started, on a busy machine too; whole minutes.
_START_S = 120

_HEAD = """\
[site]
name = {title}
timezone = "{zone}"
language = "nb"

[supervision]
{supervision}
{phones}
[[zones]]
id = "{nord}"
last_resort = "leader"
{rota}
[[plans]]
class = "care"
steps = [{{ roles = ["duty"], wait_s = {wait_s} }}, {{ roles = ["duty", "last-resort"], wait_s = {wait_s} }}]

[[plans]]
class = "technical"
on_the_way_s = 43200
steps = [{{ roles = ["technician"], wait_s = 3600 }}]
"""


class Fitting(NamedTuple):
    """How a kind of device is written in a site file: its link, and its profile."""

    link: str  # radio, ble, or line: a serial port of its own
    profile: str = ""
    supervision_s: int | None = None


#: Kinds that fit otherwise than a device with a line of its own.
_FITTINGS = {
    "enocean.pendant": Fitting("radio", "F6-01-01", _LONG_S),
    "enocean.pullcord": Fitting("radio", "F6-02-01", _LONG_S),
    "enocean.door": Fitting("radio", "D5-00-01", _LONG_S),
    "bthome.button": Fitting("ble", supervision_s=_LONG_S),
    "bthome.door": Fitting("ble", supervision_s=_LONG_S),
    "dispenser.ble": Fitting("ble"),
}
_LINE = Fitting("line")


class Layout:
    """The files of one run.

    Args:
        scenario: What is laid out.
        shift_s: How much later than its file says everything happens, when time cannot be faked.
    """

    def __init__(self, scenario: Scenario, shift_s: float = 0.0) -> None:
        self._scenario = scenario
        self._shift_min = round(shift_s / 60)
        self._addresses = _addresses(scenario)

    def site(self, ports: Mapping[str, str]) -> str:
        """Return the site file.

        Args:
            ports: Folder of the serial ports of each home with an edge.
        """
        scenario = self._scenario
        tables = [scenario.site.read_text() if scenario.site else self._head()]
        for home in scenario.homes:
            tables += [_table("residents", {"id": one.id, "zone": ZONE}) for one in home.residents]
            links = list(self._links(home, ports.get(home.id, "/dev/serial/by-id")))
            tables.append(_table("hubs", {"id": home.id, "zone": ZONE, "links": links}))
            tables += [_table("devices", self._device(home, device)) for device in home.devices]
            tables += [
                _table(
                    "doses", {"device": dose.device, "at": self._clock(dose.minute), "window_min": dose.window_min}
                )
                for dose in home.doses
            ]
        return "".join(tables)

    def home(self, home: HomePlan) -> str:
        """Return the home file of a home with an edge."""
        return "".join(_table("device", self._simulated(device)) for device in home.devices)

    def _head(self) -> str:
        supervision = {"never_seen_s": _LONG_S, **self._scenario.supervision}
        phones = "".join(_table("phones", {"id": name, "number": number}) for name, number in PHONES.items())
        always = {"days": "daily", "from": "00:00", "to": "24:00"}
        rota = "".join(
            _table("rota", {"zone": ZONE, "role": role, "phone": role, **always})
            for role in ("duty", "technician")
        )
        return _HEAD.format(
            title=json.dumps(self._scenario.title),
            zone=self._scenario.zone.key,
            supervision=_lines(supervision),
            phones=phones,
            nord=ZONE,
            rota=rota,
            wait_s=self._scenario.wait_s,
        )

    def _links(self, home: HomePlan, ports: str) -> Iterator[Mapping[str, str]]:
        seen = {_link(device): device for device in home.devices}
        for link, device in seen.items():
            if link == "ble":
                yield {"id": "ble", "kind": "ble"}
            else:
                yield {"id": link, "kind": "serial", "port": f"{ports}/{_port(device)}", "driver": _driver(device)}

    def _device(self, home: HomePlan, device: DevicePlan) -> Mapping[str, Any]:
        """Return the site's table of a device."""
        fitting = _FITTINGS.get(device.kind, _LINE)
        values = {
            "id": device.id,
            "hub": home.id,
            "link": _link(device),
            "driver": _driver(device),
            "resident": device.resident,
            "room": device.room or None,
            "profile": fitting.profile or None,
            "supervision_s": fitting.supervision_s,
            **self._addresses[device.id],
            **{key: value for key, value in device.site.items() if key not in {"link", "port"}},
        }
        if isinstance(night := values.get("night"), str):
            values["night"] = "-".join(self._clock(_minute(end)) for end in night.split("-"))
        return values

    def _simulated(self, device: DevicePlan) -> Mapping[str, Any]:
        """Return the home file's table of a device."""
        known = {key: device.site[key] for key in ("address", "key") if key in device.site}
        port = None if _link(device) == "ble" else _port(device)
        head = {"name": device.id, "kind": device.kind, "port": port}
        return {**head, **self._addresses[device.id], **known, **device.simulator}

    def _clock(self, minute: int) -> str:
        minute = (minute + self._shift_min) % _DAY_MIN
        return f"{minute // 60:02d}:{minute % 60:02d}"


def shifted(scenario: Scenario, now_s: float) -> float:
    """Return by how many seconds, whole minutes, a scenario must be shifted to begin in a moment."""
    return (now_s - scenario.from_s) // 60 * 60 + _START_S


def local(at_s: float, scenario: Scenario) -> dt.datetime:
    """Return an instant as the residents' clocks show it."""
    return dt.datetime.fromtimestamp(at_s, scenario.zone)


def _addresses(scenario: Scenario) -> Mapping[str, Mapping[str, str]]:
    """Give every device an address of its own, and a key where it has one."""
    dice = random.Random(f"{scenario.seed} keys")
    found: dict[str, Mapping[str, str]] = {}
    number = 0
    for home in scenario.homes:
        for device in home.devices:
            number += 1
            link = _link(device)
            key = dice.randbytes(16).hex()
            if link == "radio":
                found[device.id] = {"address": f"0189{number:04X}"}
            elif link == "ble":
                address = f"F0:11:22:33:{number >> 8:02X}:{number & 0xFF:02X}"
                found[device.id] = {
                    "address": address,
                    **({"key": key} if device.kind.startswith("bthome") else {}),
                }
            else:
                found[device.id] = {}
    return found


def _driver(device: DevicePlan) -> str:
    return str(device.site.get("driver", device.kind.split(".", maxsplit=1)[0]))


def _link(device: DevicePlan) -> str:
    """Return the link's id: ``radio`` and ``ble`` are shared, any other is the device's own line."""
    link = str(device.site.get("link", _FITTINGS.get(device.kind, _LINE).link))
    return device.id if link == "line" else link


def _port(device: DevicePlan) -> str:
    return "enocean" if _link(device) == "radio" else str(device.site.get("port", device.id))


def _minute(text: str) -> int:
    hour, _, minute = text.partition(":")
    return int(hour) * 60 + int(minute)


def _table(name: str, values: Mapping[str, Any]) -> str:
    return f"\n[[{name}]]\n{_lines(values)}"


def _lines(values: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_value(value)}\n" for key, value in values.items() if value is not None)


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    # JSON's texts, numbers, true and false are TOML's too.
    return json.dumps(value, ensure_ascii=False)
