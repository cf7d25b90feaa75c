"""BTHome v2 senders in the shape of Shelly BLU: buttons, contacts, motion and climate sensors."""

from collections.abc import Mapping
from functools import partial

from firmware_sim.ble.peripheral import Peripheral
from firmware_sim.devices.base import Maker, Place, Spec
from firmware_sim.devices.bthome.frames import (
    BATTERY,
    BUTTON,
    ILLUMINANCE,
    OPENING,
    PACKET_ID,
    ROTATION,
    encrypted_frame,
    frame,
    objects,
)
from firmware_sim.devices.bthome.sender import BURST_S, BtHomeDevice
from firmware_sim.devices.bthome.shapes import Button, Climate, Door, Motion, Remote
from firmware_sim.errors import Unfit

__all__ = [
    "BATTERY",
    "BUTTON",
    "ILLUMINANCE",
    "KINDS",
    "OPENING",
    "PACKET_ID",
    "ROTATION",
    "Button",
    "encrypted_frame",
    "frame",
    "objects",
]

_SHORTEST_S, _LONGEST_S = 0.2, 2.0


def _make(shape: type[BtHomeDevice], name: str, spec: Spec, place: Place) -> BtHomeDevice:
    address = spec.octets("address", 6)
    key = spec.octets("key", 16) if "key" in spec.settings else None
    burst_s = spec.number("burst_s", BURST_S)
    if not _SHORTEST_S <= burst_s <= _LONGEST_S:
        raise Unfit(f"device {spec.name!r}: 'burst_s' must be {_SHORTEST_S} to {_LONGEST_S:g}, not {burst_s:g}")
    printed = ":".join(f"{octet:02X}" for octet in address)
    peripheral = Peripheral(place.air, printed, name, str(place.folder / f"{spec.name}.bonds.json"))
    peripheral.controller.rssi_dbm = int(spec.number("rssi_dbm", peripheral.controller.rssi_dbm))
    memory = place.memory(spec.name)
    return shape(peripheral, address, memory, key, spec.number("beacon_s", 0.0), burst_s)


KINDS: Mapping[str, Maker] = {
    "bthome.button": partial(_make, Button, "SBBT-002C"),
    "bthome.remote": partial(_make, Remote, "SBBT-004CEU"),
    "bthome.door": partial(_make, Door, "SBDW-002C"),
    "bthome.motion": partial(_make, Motion, "SBMO-003Z"),
    "bthome.climate": partial(_make, Climate, "SBHT-003C"),
}
