"""A GSM modem on a serial port with a network behind it, and dispensers that text through it."""

from typing import cast

from firmware_sim.devices.base import Device, Maker, Place, Spec
from firmware_sim.devices.gsm.dispensers import TEXTS, TextingDispenser
from firmware_sim.devices.gsm.modem import GsmModem
from firmware_sim.devices.gsm.moods import actions_of
from firmware_sim.devices.gsm.sim import Sim


def _modem(spec: Spec, place: Place) -> GsmModem:
    """Return the modem of this port; what the first device says of it holds."""
    port = spec.text("port", "gsm")
    key = f"gsm modem {port}"
    if key not in place.shared:
        modem = GsmModem(
            port,
            place.folder / port,
            place.clock,
            Sim(spec.text("pin", "")),
            capacity=int(spec.number("capacity", 20)),
            stores_reports=spec.flag("stores_reports", default=True),
        )
        modem.actions = actions_of(modem)
        place.shared[key] = modem
    return cast("GsmModem", place.shared[key])


def _dispenser(make: str) -> Maker:
    def made(spec: Spec, place: Place) -> Device:
        return TextingDispenser(_modem(spec, place), spec.text("number"), TEXTS[make])

    return made


KINDS: dict[str, Maker] = {
    "gsm.modem": _modem,
    **{f"gsm.{make}": _dispenser(make) for make in TEXTS},
}
