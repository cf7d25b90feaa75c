"""What a stranger in the air probably is, from what the manifests say of their devices."""

import re
from collections.abc import Iterable

from drivers.base import Advert, Manifest


class Guesser:
    """Knows services and names of all drivers.

    Args:
        manifests: Of the drivers.
    """

    def __init__(self, manifests: Iterable[Manifest]) -> None:
        self._services: dict[str, list[str]] = {}
        self._names: list[tuple[re.Pattern[str], str]] = []
        for manifest in manifests:
            for uuid in manifest.services:
                self._services.setdefault(uuid, []).append(manifest.title)
            self._names += [(re.compile(pattern), title) for pattern, title in manifest.names.items()]

    def type_of(self, advert: Advert) -> str:
        """Return what it may be: its make by its name, else all families of its services, or nothing."""
        for pattern, title in self._names if advert.name else ():
            if pattern.fullmatch(advert.name or ""):
                return title
        titles = [
            title
            for uuid in (*advert.service_data, *advert.service_uuids)
            for title in self._services.get(uuid, ())
        ]
        return " or ".join(dict.fromkeys(titles))
