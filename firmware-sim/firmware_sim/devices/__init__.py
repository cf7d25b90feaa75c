"""The simulated devices. A module or folder here that offers ``KINDS`` is found by itself."""

import importlib
import pkgutil
from collections.abc import Mapping

from firmware_sim.devices.base import Maker


def kinds() -> Mapping[str, Maker]:
    """Return every kind of device that can be simulated, with what makes one."""
    found: dict[str, Maker] = {}
    for module in pkgutil.iter_modules(__path__):
        offered = getattr(importlib.import_module(f"{__name__}.{module.name}"), "KINDS", {})
        for kind, maker in offered.items():
            if kind in found:
                raise ValueError(f"two modules offer the device kind {kind!r}")
            found[kind] = maker
    return found
