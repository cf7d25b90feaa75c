"""Site and home files of the scenario tests, made from a few words."""

from collections.abc import Iterable, Mapping
from typing import Any

DUTY = "+4700000012"
LEADER = "+4700000090"
TECHNICIAN = "+4700000091"
PHONES = {DUTY: "duty", LEADER: "leader", TECHNICIAN: "technician"}
HUB = "h-0042"

_SITE = """
[site]
name = "Scenario"
timezone = "Europe/Oslo"
language = "nb"

[supervision]
hub_silent_s = {hub_silent_s}
alive_s = {alive_s}
dose_grace_s = 3

[[phones]]
id = "duty"
number = "{duty}"
[[phones]]
id = "leader"
number = "{leader}"
[[phones]]
id = "technician"
number = "{technician}"

[[zones]]
id = "nord"
last_resort = "leader"

[[rota]]
zone = "nord"
role = "duty"
phone = "duty"
days = "daily"
from = "00:00"
to = "24:00"
[[rota]]
zone = "nord"
role = "technician"
phone = "technician"
days = "daily"
from = "00:00"
to = "24:00"

[[plans]]
class = "care"
[[plans.steps]]
roles = ["duty"]
wait_s = {wait_s}
[[plans.steps]]
roles = ["last-resort"]
wait_s = 600
[[plans]]
class = "technical"
[[plans.steps]]
roles = ["technician"]
wait_s = 600
"""


def site(
    hubs: Mapping[str, Iterable[Mapping[str, Any]]],
    devices: Iterable[Mapping[str, Any]],
    *,
    doses: Iterable[Mapping[str, Any]] = (),
    hub_silent_s: int = 90,
    alive_s: float = 5,
    wait_s: int = 300,
) -> str:
    """Return a site of one zone.

    Args:
        hubs: Links of each hub.
        devices: As in a site file; residents are those that they name.
        doses: As in a site file.
        hub_silent_s: After how much silence a hub is reported.
        alive_s: Between heartbeats.
        wait_s: How long the first step of care waits.
    """
    devices = list(devices)
    residents = sorted({device["resident"] for device in devices if "resident" in device})
    head = _SITE.format(
        hub_silent_s=hub_silent_s, alive_s=alive_s, wait_s=wait_s, duty=DUTY, leader=LEADER, technician=TECHNICIAN
    )
    return head + "".join(
        [
            *(table("residents", {"id": resident, "zone": "nord"}) for resident in residents),
            *(table("hubs", {"id": hub, "zone": "nord", "links": list(links)}) for hub, links in hubs.items()),
            *(table("devices", device) for device in devices),
            *(table("doses", dose) for dose in doses),
        ]
    )


def table(name: str, values: Mapping[str, Any]) -> str:
    """Return one ``[[table]]``."""
    return f"\n[[{name}]]\n" + "".join(f"{key} = {_value(value)}\n" for key, value in values.items())


def _value(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + " }"
    return str(value)


def stick(port: str = "enocean") -> dict[str, Any]:
    """Return the link of an EnOcean stick."""
    return {"id": "radio", "kind": "serial", "port": f"{{ports}}/{port}", "driver": "enocean"}


def line(name: str) -> dict[str, Any]:
    """Return the link of a dispenser on a serial line of its own."""
    return {"id": name, "kind": "serial", "port": f"{{ports}}/{name}", "driver": "dispenser"}


def pendant(name: str, number: int, resident: str, hub: str = HUB) -> dict[str, Any]:
    """Return a pendant of a resident; its address follows from its number."""
    return {
        "id": name,
        "hub": hub,
        "link": "radio",
        "driver": "enocean",
        "address": address(number),
        "profile": "F6-01-01",
        "resident": resident,
        "room": "stue",
    }


def door(name: str, number: int, resident: str, night: str) -> dict[str, Any]:
    """Return a door contact that counts by night."""
    return {**pendant(name, number, resident), "profile": "D5-00-01", "room": "gang", "night": night}


def dispenser(name: str, resident: str, hub: str = HUB) -> dict[str, Any]:
    """Return a dispenser on the line of its own name."""
    return {"id": name, "hub": hub, "link": name, "driver": "dispenser", "resident": resident, "room": "bad"}


def button(name: str, mac: str, resident: str, key: str) -> dict[str, Any]:
    """Return an encrypted BTHome button."""
    device = {"id": name, "hub": HUB, "link": "ble", "driver": "bthome", "address": mac, "key": key}
    return {**device, "resident": resident, "room": "soverom"}


def address(number: int) -> str:
    """Return an EnOcean address."""
    return f"0189{number:04X}"


def home(devices: Iterable[Mapping[str, Any]]) -> str:
    """Return the home file with the devices of a site; each speaks as its profile says."""
    kinds = {"F6-01-01": "enocean.pendant", "D5-00-01": "enocean.door", "": "dispenser.serial"}
    tables = []
    for device in devices:
        values = {"name": device["id"], "kind": kinds[device.get("profile", "")]}
        if device["driver"] == "bthome":
            values |= {"kind": "bthome.button", "address": device["address"], "key": device["key"]}
        elif "address" in device:
            values |= {"address": device["address"], "port": "enocean"}
        else:
            values["port"] = device["id"]
        tables.append(table("device", values))
    return "".join(tables)
