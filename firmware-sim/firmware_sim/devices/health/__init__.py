"""Health devices by their Bluetooth profiles: one kind for each, with all the ways in which real ones differ."""

from collections.abc import Callable

from firmware_sim.ble.peripheral import Peripheral
from firmware_sim.devices.base import Device, Place, Spec
from firmware_sim.devices.health.frames import DEVICES
from firmware_sim.devices.health.gatt import GattHealth
from firmware_sim.devices.health.model import HealthDevice
from firmware_sim.errors import Unfit

_CLOCKS = ("current_time", "date_time", "none")


def _maker(name: str) -> Callable[[Spec, Place], Device]:
    def make(spec: Spec, place: Place) -> Device:
        clock = spec.text("clock", "current_time")
        if clock not in _CLOCKS:
            raise Unfit(f"device {spec.name!r}: 'clock' must be one of {', '.join(_CLOCKS)}, not {clock!r}")
        bonds = str(place.folder / f"{spec.name}.bonds.json")
        peripheral = Peripheral(place.air, spec.text("address").upper(), name.replace("_", " "), bonds)
        peripheral.controller.rssi_dbm = int(spec.number("rssi_dbm", peripheral.controller.rssi_dbm))
        return GattHealth(
            DEVICES[name],
            name,
            HealthDevice(name, DEVICES[name], place.memory(spec.name), place.clock),
            peripheral,
            # A glucose meter keeps its records: it is asked for those that are new.
            keep=spec.flag("keep", default=False),
            clock=clock,
            period_s=spec.number("period_s", 1.0),
            encrypted=spec.flag("encrypted", default=True),
        )

    return make


KINDS = {f"health.{name}": _maker(name) for name in DEVICES}
