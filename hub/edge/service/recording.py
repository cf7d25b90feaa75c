"""A recording of what comes over the links: raw frames with their times, pseudonymous (docs/recordings.md)."""

from collections import deque
from typing import Any

from drivers import registry
from drivers.base import Renaming
from hub.domain.clock import Now
from hub.edge.service.pseudonyms import Pseudonyms
from hub.edge.tap import Tapped

VERSION = 1
# Frames that may wait for a slow reader: a minute of a busy home.
ROOM = 1000
# Bytes of a serial line that come closer together than this are one piece.
JOIN_S = 0.05
_JOIN_BYTES = 1024

Line = dict[str, Any]


class _Piece:
    """Bytes of one serial line that came without a pause."""

    def __init__(self, seen: Tapped) -> None:
        self.first = seen
        self.data = b""
        self.until = seen.now.mono


class Recording:
    """Takes frames, and gives the lines of the file. Pure: it is told the time.

    Args:
        pseudonyms: Make its addresses up.
        room: How many lines may wait.
    """

    def __init__(self, pseudonyms: Pseudonyms, room: int = ROOM) -> None:
        self._pseudonyms = pseudonyms
        self._room = room
        self._lines: deque[Line] = deque()
        self._pieces: dict[str, _Piece] = {}
        self._lost = 0

    def header(self, hub_id: str, now: Now) -> Line:
        """Return the first line."""
        return {"recording": VERSION, "salt": self._pseudonyms.salt, "hub": hub_id, **_times(now)}

    def tapped(self, seen: Tapped) -> None:
        """Take a frame."""
        for address in (*(device.address for device in seen.task.setup.devices), *seen.answer.strangers):
            self._pseudonyms.address(address)
        if seen.task.link_type != "serial":
            self._add(self._line(seen, seen.frame.data))
            return
        name = seen.task.name
        piece = self._pieces.get(name)
        if piece and (seen.now.mono - piece.until > JOIN_S or len(piece.data) > _JOIN_BYTES):
            self._end(name)
            piece = None
        piece = piece or self._pieces.setdefault(name, _Piece(seen))
        piece.data += seen.frame.data
        piece.until = seen.now.mono

    def take(self, mono: float) -> list[Line]:
        """Return the lines since the last call, and how many were lost because nobody took them."""
        for name in [name for name, piece in self._pieces.items() if mono - piece.until > JOIN_S]:
            self._end(name)
        lines = list(self._lines)
        self._lines.clear()
        if self._lost:
            lines.append({"lost": self._lost})
            self._lost = 0
        return lines

    def _end(self, name: str) -> None:
        piece = self._pieces.pop(name)
        self._add(self._line(piece.first, piece.data))

    def _add(self, line: Line) -> None:
        if len(self._lines) >= self._room:
            self._lost += 1
        else:
            self._lines.append(line)

    def _line(self, seen: Tapped, data: bytes) -> Line:
        task, made_up = seen.task, self._pseudonyms
        one = task.setup.devices[0] if len(task.setup.devices) == 1 else None
        line: Line = {
            **_times(seen.now),
            "link": task.link.id,
            "kind": task.link_type,
            "driver": task.driver,
            "device": one.id if one else None,
            "address": made_up.address(one.address) if one else "",
            "place": made_up.text(seen.frame.place),
        }
        package = registry.package(task.driver)
        keys = [device.key for device in task.setup.devices if device.key]
        if package.MANIFEST.personal or any(key in data for key in keys):
            return {**line, "withheld": len(data)}
        if seen.frame.advert is None:
            if isinstance(package, Renaming):
                data = package.renamed(data, made_up.address)
            return {**line, "hex": made_up.data(data).hex()}
        advert = seen.frame.advert
        return {
            **line,
            "rssi_dbm": advert.rssi_dbm,
            "service_data": {uuid: made_up.data(part).hex() for uuid, part in advert.service_data.items()},
            "manufacturer_data": {
                str(maker): made_up.data(part).hex() for maker, part in advert.manufacturer_data.items()
            },
            "service_uuids": list(advert.service_uuids),
        }


def _times(now: Now) -> Line:
    return {"at": now.utc.isoformat(timespec="milliseconds"), "mono": round(now.mono, 4)}
