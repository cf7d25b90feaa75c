"""A medication dispenser by the Open Dispenser Profile 1: one model, on Bluetooth or on a serial line."""

from firmware_sim.ble.peripheral import Peripheral
from firmware_sim.devices.base import Device, Place, Spec
from firmware_sim.devices.dispenser.gatt import GattDispenser
from firmware_sim.devices.dispenser.line import RESEND_S, LineDispenser
from firmware_sim.devices.dispenser.model import Dispenser

_ALIVE_S = 60.0


def _over_ble(spec: Spec, place: Place) -> Device:
    bonds = str(place.folder / f"{spec.name}.bonds.json")
    peripheral = Peripheral(place.air, spec.text("address").upper(), "ODP dispenser", bonds)
    peripheral.controller.rssi_dbm = int(spec.number("rssi_dbm", peripheral.controller.rssi_dbm))
    return GattDispenser(
        Dispenser(place.memory(spec.name), place.clock),
        peripheral,
        spec.number("alive_s", _ALIVE_S),
        encrypted=spec.flag("encrypted", default=True),
    )


def _over_serial(spec: Spec, place: Place) -> Device:
    port = spec.text("port", spec.name)
    model = Dispenser(place.memory(spec.name), place.clock)
    return LineDispenser(
        model,
        port,
        place.folder / port,
        spec.number("alive_s", _ALIVE_S),
        resend_s=spec.number("resend_s", RESEND_S),
    )


KINDS = {"dispenser.ble": _over_ble, "dispenser.serial": _over_serial}
