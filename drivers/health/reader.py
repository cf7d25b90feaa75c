"""A characteristic's value, field after field; what is missing is named by its byte."""

import datetime as dt
from decimal import Decimal

from drivers.health.number import FLOAT_BYTES, SFLOAT_BYTES, Number, float32, sfloat
from hub.domain.errors import MalformedError

_DATE_TIME_BYTES = 7


class Reader:
    """Reads little-endian fields from the start.

    Args:
        data: The value as it came.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def whole(self, size: int, name: str, *, signed: bool = False) -> int:
        """Read an integer of ``size`` bytes.

        Raises:
            MalformedError: The value ends before it.
        """
        end = self._at + size
        if end > len(self._data):
            raise MalformedError(
                f"byte {len(self._data)}: ends in or before {name} (bytes {self._at} to {end - 1})"
            )
        raw = int.from_bytes(self._data[self._at : end], "little", signed=signed)
        self._at = end
        return raw

    def sfloat(self, name: str) -> Number:
        """Read an SFLOAT.

        Raises:
            MalformedError: The value ends before it.
        """
        return sfloat(self.whole(SFLOAT_BYTES, name))

    def float32(self, name: str) -> Number:
        """Read a FLOAT.

        Raises:
            MalformedError: The value ends before it.
        """
        return float32(self.whole(FLOAT_BYTES, name))

    def scaled(self, name: str, unit: str) -> Decimal:
        """Read an unsigned 16-bit integer that counts units.

        Raises:
            MalformedError: The value ends before it.
        """
        return self.whole(2, name) * Decimal(unit)

    def date_time(self) -> dt.datetime | None:
        """Read a Date Time, which has no zone; ``None`` where a part is not known or there is no such day.

        Raises:
            MalformedError: The value ends before it.
        """
        if self._at + _DATE_TIME_BYTES > len(self._data):
            self.whole(_DATE_TIME_BYTES, "date and time")
        year = self.whole(2, "year")
        parts = ("month", "day", "hour", "minute", "second")
        month, day, hour, minute, second = (self.whole(1, part) for part in parts)
        try:
            return dt.datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 -- the device knows no zone
        except ValueError:
            return None

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self._data) - self._at
