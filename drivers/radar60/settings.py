"""The radar's settings: written, read back, written again when they are not what they should be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from drivers.radar60.codec import frame
from drivers.radar60.table import ANSWER, QUERY, SETTINGS, SETTINGS_CONTROL, Row
from hub.domain.observation import Scalar

# A radar answers within some tens of milliseconds; writing often is said to jam it.
ANSWER_S = 2.0
ATTEMPTS = 3
# How often what was confirmed is read again: a radar may lose its settings without saying so.
VERIFY_S = 60.0


class Refused(NamedTuple):
    """A setting that the radar did not take; ``has`` is what it said instead, or ``None`` for no answer."""

    name: str
    wanted: int
    has: int | None


@dataclass
class _Kept:
    row: Row
    wanted: bytes
    write: bool = True
    attempts: int = 0
    due: float = 0.0
    has: bytes | None = None


class Settings:
    """Keeps a radar's settings.

    Args:
        given: What must hold, by name.
        refused: Names that were reported as refused already.
    """

    def __init__(self, given: Mapping[str, Scalar], refused: list[str]) -> None:
        self._kept = [_Kept(row, int(given[row.name]).to_bytes(row.size, "big")) for row in SETTINGS]
        self.refused = [name for name in refused if name in given]

    def begin(self, mono: float) -> None:
        """Write all of them: the line was opened, or the radar started anew."""
        for each in self._kept:
            each.write, each.attempts, each.due, each.has = True, 0, mono, None

    def due(self, mono: float) -> tuple[list[bytes], list[Refused]]:
        """Return what must be sent now, and what the radar has not taken; each of these is told once."""
        sent: list[bytes] = []
        refused: list[Refused] = []
        for each in self._kept:
            if mono < each.due:
                continue
            if each.attempts == ATTEMPTS:
                each.attempts, each.due = 0, mono + VERIFY_S
                if each.row.name not in self.refused:
                    self.refused.append(each.row.name)
                    has = None if each.has is None else int.from_bytes(each.has, "big")
                    refused.append(Refused(each.row.name, int.from_bytes(each.wanted, "big"), has))
                continue
            if not each.attempts:
                each.has = None
            if each.write:
                sent.append(frame(SETTINGS_CONTROL, each.row.command, each.wanted))
            sent.append(frame(SETTINGS_CONTROL, each.row.command | ANSWER, QUERY))
            each.attempts += 1
            each.due = mono + ANSWER_S
        return sent, refused

    def answered(self, command: int, data: bytes, mono: float) -> tuple[bool, str]:
        """Take a frame of the settings' control.

        Only the answer to a query counts: a radar may repeat what was written and not keep it.

        Returns:
            Whether it was about a setting, and the setting's name when one that was refused is now as it must be.
        """
        for each in self._kept:
            if command == each.row.command:
                return True, ""
            if command != each.row.command | ANSWER:
                continue
            each.has = data
            if data != each.wanted:
                if not each.write:  # it was right and is not any more
                    each.write, each.attempts, each.due = True, 0, mono
                return True, ""
            each.write, each.attempts, each.due = False, 0, mono + VERIFY_S
            if each.row.name in self.refused:
                self.refused.remove(each.row.name)
                return True, each.row.name
            return True, ""
        return False, ""
