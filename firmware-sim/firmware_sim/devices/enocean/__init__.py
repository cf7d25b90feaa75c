"""EnOcean: a USB stick on a serial port, and the devices around it, one kind for each equipment profile."""

from collections.abc import Mapping
from functools import partial
from typing import cast

from firmware_sim.devices.base import Device, Maker, Place, Spec
from firmware_sim.devices.enocean.esp3 import crc8, packet
from firmware_sim.devices.enocean.sender import Sender
from firmware_sim.devices.enocean.stick import Stick
from firmware_sim.devices.enocean.telegrams import TELEGRAMS

__all__ = ["KINDS", "TELEGRAMS", "crc8", "packet"]


def _make(kind: str, spec: Spec, place: Place) -> Device:
    name = spec.text("port", "enocean")
    stick = place.shared.setdefault(f"stick {name}", Stick(name, place.folder / name))
    return Sender(cast("Stick", stick), kind, spec)


KINDS: Mapping[str, Maker] = {f"enocean.{kind}": partial(_make, kind) for kind in TELEGRAMS}
