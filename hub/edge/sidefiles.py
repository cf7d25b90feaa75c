"""Two small files beside the journal: a reserve of disk space, and a mark of how far it came."""

import errno
import logging
import os
import struct
import zlib
from pathlib import Path

log = logging.getLogger(__name__)

_OUT_OF_ROOM = {errno.ENOSPC, errno.EDQUOT}
_MARK = struct.Struct(">16sQ")
_CRC = struct.Struct(">I")


class Reserve:
    """Disk space held back, so that an alarm still fits when everything else is full.

    Args:
        path: The file that occupies the space.
        size: Bytes; 0 keeps none.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size

    @property
    def held(self) -> bool:
        """The space is there to be freed."""
        return self._size == 0 or (self._path.exists() and self._path.stat().st_size == self._size)

    def make(self) -> bool:
        """Occupy the space; tell whether it is held now."""
        if self.held:
            return True
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self._size)
            finally:
                os.close(descriptor)
        except OSError as error:
            self._path.unlink(missing_ok=True)
            if error.errno not in _OUT_OF_ROOM:
                log.warning("journal reserve: cannot be made: %s", error)
            return False
        return True

    def free(self) -> None:
        """Give the space back."""
        self._path.unlink(missing_ok=True)


class Mark:
    """The last number that was given out, outside of the database.

    Written after each commit and not synced, so it costs next to nothing. It is never ahead of an honest
    disk: a journal that ends before its mark has lost commits that were answered for.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def read(self) -> tuple[str, int] | None:
        """Return epoch and number, or ``None`` where the file is missing or damaged."""
        try:
            data = self._path.read_bytes()
        except OSError:
            return None
        body, crc = data[: _MARK.size], data[_MARK.size :]
        if len(data) != _MARK.size + _CRC.size or _CRC.unpack(crc)[0] != zlib.crc32(body):
            return None
        epoch, seq = _MARK.unpack(body)
        return epoch.rstrip(b"\0").decode("ascii", "replace"), seq

    def write(self, epoch: str, seq: int) -> None:
        """Note the last number. A mark that cannot be written is only a check less."""
        body = _MARK.pack(epoch.encode(), seq)
        try:
            if self._descriptor < 0:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.pwrite(self._descriptor, body + _CRC.pack(zlib.crc32(body)), 0)
        except OSError as error:
            log.debug("journal mark: %s", error)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
