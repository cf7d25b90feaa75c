"""Medication dispensers that speak the open dispenser profile 1, over BLE or a serial line."""

from drivers.base import GattDriver, LinkType, Manifest, SerialDriver, Setup
from drivers.dispenser.control import CONTROLS
from drivers.dispenser.gatt import SERVICE, GattDispenser
from drivers.dispenser.plans import check_doses
from drivers.dispenser.serial_line import SerialDispenser
from drivers.registry import only_device
from hub.domain.errors import MalformedError

__all__ = ["MANIFEST", "open_driver"]

MANIFEST = Manifest(
    name="dispenser",
    title="Medication dispenser (open dispenser profile)",
    links=("gatt", "serial"),
    # Over BLE its address; a serial line has one dispenser and takes none.
    address="([0-9A-F]{2}(:[0-9A-F]{2}){5})?",
    # It notifies its status every minute or so, and answers when a serial line was quiet for ten.
    supervision_s=900,
    baud=115200,
    services=(SERVICE,),
    commands={name: control.title for name, control in CONTROLS.items()},
    bonded=True,
)


def open_driver(link: LinkType, setup: Setup) -> GattDriver | SerialDriver:
    """Open the driver for one dispenser.

    Raises:
        MalformedError: The link, the address, the key, the profile or the plan does not fit.
    """
    device = only_device(MANIFEST, link, setup)
    if bool(device.address) is (link == "serial"):
        needs = "none on a serial line" if device.address else "its BLE address"
        raise MalformedError(f"address {device.address!r}: {MANIFEST.name} needs {needs}")
    doses = setup.doses.get(device.id)
    check_doses(doses or ())
    if link == "gatt":
        return GattDispenser(device, doses, setup)
    return SerialDispenser(device, doses, setup)
