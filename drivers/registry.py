"""Finds drivers: folders beside this file, and packages that name themselves under an entry point."""

import importlib
import logging
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from types import ModuleType

import drivers
from drivers.base import Device, LinkType, Manifest, Package, Setting, Setup
from hub.domain.errors import MalformedError
from hub.domain.observation import Scalar

log = logging.getLogger(__name__)

ENTRY_POINT = "welfare_hub.drivers"
_NOT_DRIVERS = {"base", "decode", "registry"}
_WORDS = {bool: "true or false", int: "whole number", float: "number", str: "text"}


def _shipped_by_others() -> Iterator[ModuleType]:
    """Load the drivers of other packages; one that is broken is named in the log and stops nothing."""
    for entry in entry_points(group=ENTRY_POINT):
        try:
            yield entry.load()
        except Exception:  # another's code: whatever it raises, our own drivers must go on
            log.exception("driver %s of %s cannot be loaded", entry.name, entry.value)


@cache
def packages() -> dict[str, Package]:
    """Return every driver by name.

    Raises:
        MalformedError: A folder is not a driver, or two have one name.
    """
    found: dict[str, Package] = {}
    modules = [
        importlib.import_module(f"drivers.{module.name}")
        for module in pkgutil.iter_modules(drivers.__path__)
        if module.name not in _NOT_DRIVERS and not module.name.startswith("_")
    ]
    modules += list(_shipped_by_others())
    for module in modules:
        if not isinstance(module, Package):
            raise MalformedError(f"driver {module.__name__}: has no MANIFEST or no open_driver")
        if module.MANIFEST.name in found:
            raise MalformedError(f"driver {module.MANIFEST.name}: there are two of this name")
        found[module.MANIFEST.name] = module
    return found


def package(name: str) -> Package:
    """Return one driver.

    Raises:
        MalformedError: There is none of this name; the sentence lists those that there are.
    """
    known = packages()
    if name not in known:
        raise MalformedError(f"driver {name!r}: unknown; there are {', '.join(sorted(known))}")
    return known[name]


def only_device(manifest: Manifest, link: LinkType, setup: Setup) -> Device:
    """Return the one device that a driver is opened for.

    Raises:
        MalformedError: The link or the device does not fit the manifest, or there are several.
    """
    if len(setup.devices) != 1:
        raise MalformedError(f"devices: {manifest.name} takes one, not {len(setup.devices)}")
    check_devices(manifest, link, setup)
    return setup.devices[0]


def check_devices(manifest: Manifest, link: LinkType, setup: Setup) -> None:
    """Check the link that a driver is opened on, and its devices.

    Raises:
        MalformedError: The link or a device does not fit the manifest, or two devices have one address.
    """
    if link not in manifest.links:
        raise MalformedError(f"link {link!r}: {manifest.name} has {', '.join(manifest.links)}")
    seen: set[str] = set()
    for device in setup.devices:
        check_device(manifest, device)
        if device.address in seen:
            raise MalformedError(f"address {device.address!r}: two devices on one link have the same")
        seen.add(device.address)


def check_device(manifest: Manifest, device: Device) -> None:
    """Check a device against its driver's manifest.

    Raises:
        MalformedError: Its address, key, profile or a setting is not of the form that the driver needs.
    """
    if not re.fullmatch(manifest.address, device.address):
        raise MalformedError(f"address {device.address!r}: {manifest.name} needs the form {manifest.address!r}")
    if device.key is not None and len(device.key) != manifest.key_bytes:
        needs = f"a key of {manifest.key_bytes} bytes" if manifest.key_bytes else "no key"
        raise MalformedError(f"key of {len(device.key)} bytes: {manifest.name} needs {needs}")
    if (manifest.profiles or device.profile) and device.profile not in manifest.profiles:
        raise MalformedError(
            f"profile {device.profile!r}: {manifest.name} has {', '.join(manifest.profiles) or 'none'}"
        )
    settings_of(manifest, device)


def settings_of(manifest: Manifest, device: Device) -> dict[str, Scalar]:
    """Return every setting of a device: what was set, else the default.

    Raises:
        MalformedError: A setting is unknown, of another type, or out of its range; the sentence names it.
    """
    unknown = sorted(set(device.settings) - set(manifest.settings))
    if unknown:
        known = ", ".join(manifest.settings) or "none"
        raise MalformedError(f"settings {unknown[0]!r}: {manifest.name} has {known}")
    return {name: _checked(name, row, device.settings.get(name)) for name, row in manifest.settings.items()}


def _checked(name: str, row: Setting, given: Scalar | None) -> Scalar:
    if given is None:
        return row.default
    if isinstance(row.default, float) and type(given) is int:
        given = float(given)
    if type(given) is not type(row.default):
        raise MalformedError(f"settings {name!r}: write a {_WORDS[type(row.default)]} ({row.title})")
    if isinstance(given, bool):
        return given
    size = len(given) if isinstance(given, str) else given
    if (row.low is not None and size < row.low) or (row.high is not None and size > row.high):
        what = " characters" if isinstance(given, str) else ""
        raise MalformedError(f"settings {name!r}: {row.title}: from {row.low} to {row.high}{what}")
    return given
