"""The site of the benchmark: one hub with pendants on a serial line, and many that a load generator plays."""

from collections.abc import Iterator
from pathlib import Path

EDGE_HUB = "h-bench"
LOAD_HUBS = 50
SENSORS = 4  # of each hub of the load generator
PENDANTS = 4  # of each, every one of another resident

_HEAD = """\
[site]
name = "Benchmark"
timezone = "Europe/Oslo"
language = "nb"

[[phones]]
id = "duty"
number = "+4700000012"

[[phones]]
id = "leader"
number = "+4700000090"

[[zones]]
id = "nord-1"
last_resort = "leader"

[[rota]]
zone = "nord-1"
role = "duty"
phone = "duty"
days = "daily"
from = "00:00"
to = "24:00"

[[plans]]
class = "care"
[[plans.steps]]
roles = ["duty"]
wait_s = 3600

[[plans]]
class = "technical"
[[plans.steps]]
roles = ["duty"]
wait_s = 3600
"""


def load_hub(number: int) -> str:
    """Return the id of a hub of the load generator."""
    return f"load-{number:02d}"


def sensor(hub: int, number: int) -> str:
    """Return the id of a sensor of such a hub."""
    return f"s-{hub:02d}-{number}"


def load_pendant(number: int) -> tuple[str, str, str]:
    """Return hub, device and resident of the n-th pendant of the load generator's hubs."""
    hub, own = number % LOAD_HUBS, number // LOAD_HUBS
    return load_hub(hub), f"p-{hub:02d}-{own}", f"w-{hub:02d}-{own}"


def resident(number: int) -> str:
    """Return who wears the n-th pendant of the edge."""
    return f"r-{number:04d}"


def sender(number: int) -> bytes:
    """Return the radio address of the n-th pendant of the edge."""
    return (0x01800000 + number).to_bytes(4, "big")


def site_toml(pendants: int, port: Path) -> str:
    """Return the site file.

    Args:
        pendants: How many the edge hears on its line.
        port: That line.
    """
    return "\n".join([_HEAD, *_edge(pendants, port), *_loads()])


def _edge(pendants: int, port: Path) -> Iterator[str]:
    link = f'{{ id = "radio", kind = "serial", port = "{port}", driver = "enocean" }}'
    yield f'[[hubs]]\nid = "{EDGE_HUB}"\nzone = "nord-1"\nlinks = [{link}]\n'
    for number in range(pendants):
        yield from _resident(resident(number))
        yield (
            f'[[devices]]\nid = "pendant-{number:04d}"\nhub = "{EDGE_HUB}"\nlink = "radio"\ndriver = "enocean"\n'
            f'address = "{sender(number).hex().upper()}"\nprofile = "F6-01-01"\n'
            f'resident = "{resident(number)}"\nroom = "stue"\n'
        )


def _loads() -> Iterator[str]:
    for hub in range(LOAD_HUBS):
        yield f'[[hubs]]\nid = "{load_hub(hub)}"\nzone = "nord-1"\nlinks = [{{ id = "ble", kind = "ble" }}]\n'
        for number in range(SENSORS):
            yield _ble(load_hub(hub), sensor(hub, number), hub * 16 + number)
    for number in range(LOAD_HUBS * PENDANTS):
        hub_id, device, who = load_pendant(number)
        yield from _resident(who)
        yield _ble(hub_id, device, 0x8000 + number) + f'resident = "{who}"\n'


def _resident(who: str) -> Iterator[str]:
    yield f'[[residents]]\nid = "{who}"\nzone = "nord-1"\n'


def _ble(hub_id: str, device: str, number: int) -> str:
    address = f"F0:00:00:00:{number >> 8:02X}:{number & 0xFF:02X}"
    return (
        f'[[devices]]\nid = "{device}"\nhub = "{hub_id}"\nlink = "ble"\ndriver = "bthome"\naddress = "{address}"\n'
    )
