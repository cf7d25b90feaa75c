"""What the texts of dispensers mean: one row a pattern.

Not checked on real devices. That such dispensers text "doses remaining", "error", "upside down", "low battery" and
"not taken" is published; the exact words are not, and an installer can change many of them. So the rows are wide,
a text may match several, and one that matches none is a fault and never silence.
"""

import re
from typing import NamedTuple

from hub.domain.codes import Kind
from hub.domain.observation import Value


class Row(NamedTuple):
    """A pattern and what it means.

    Attributes:
        pattern: Searched in the text, small or capital letters alike; named groups are numbers of the value.
        kind: What it is.
        calms: It says that all is well: not believed of a text of which a part is missing.
    """

    pattern: re.Pattern[str]
    kind: Kind
    calms: bool = False


def _row(pattern: str, kind: Kind, *, calms: bool = False) -> Row:
    return Row(re.compile(pattern, re.IGNORECASE), kind, calms)


_NOT = r"\b(?:not|ikke|ikkje)\b(?: been| blitt)?"
_DOSES = r"(?:doses?|doser?|dosar)"

# A row takes its words out of the text: what stands above goes before what stands below.
_ANY = (
    _row(
        rf"{_NOT} (?:taken|tatt|tatt ut|teken|teke)\b|\bmissed\b|\bglemt\b"
        rf"|\b(?:no|ingen) {_DOSES} (?:taken|tatt)\b|\b(?:taken|tatt) ?[:?] ?(?:no|nei)\b",
        Kind.DOSE_NOT_DISPENSED,
    ),
    _row(rf"{_NOT} confirmed\b|{_NOT} bekreftet\b", Kind.DOSE_NOT_CONFIRMED),
    _row(r"\b(?:low battery|battery(?: is)? (?:low|empty)|lavt batteri|batteri lavt)\b", Kind.BATTERY_LOW),
    _row(
        rf"\b(?:no|0|ingen) {_DOSES}(?: (?:remaining|left|igjen|att))?\b"
        rf"|\b{_DOSES} (?:remaining|left|igjen|att):? ?0\b|\bempty\b|\btom\b",
        Kind.DISPENSER_EMPTY,
    ),
    _row(
        rf"\b(?P<doses_left>\d{{1,3}}) {_DOSES} (?:remaining|left|igjen|att)\b"
        rf"|\b{_DOSES} (?:remaining|left|igjen|att)\b:? ?(?P<doses_left_behind>\d{{1,3}})?",
        Kind.DISPENSER_LOW_STOCK,
    ),
    _row(r"\bjam(?:med)?\b(?: error)?|\bsitter fast\b", Kind.DISPENSER_JAMMED),
    _row(r"\bupside[ -]?down\b|\bopp ned\b|\btamper\w*", Kind.DEVICE_TAMPER),
    _row(
        r"\b(?:mains|power)\b.{0,12}\b(?:lost|loss|fail\w*|off|out|outage|cut|on (?:battery|backup))\b"
        r"|\bno (?:mains|power)\b|\bstrømbrudd\b",
        Kind.MAINS_LOST,
    ),
    _row(
        r"\b(?:mains|power)\b.{0,12}\b(?:restored|back|on)\b(?! (?:battery|backup))",
        Kind.MAINS_RESTORED,
        calms=True,
    ),
    _row(r"\b(?:lid|door|lokk)\b.{0,12}\b(?:open(?:ed)?|åpen|åpnet)\b|\bunlocked\b", Kind.DISPENSER_OPENED),
    _row(r"\b(?:error|fault|feil)\b(?: ?(?:code|nr)?:? ?(?P<code>\d{1,4}))?", Kind.DISPENSER_FAULT),
)
_TAKEN = (
    _row(
        r"\b(?:dose|dosen|medication|medisin) (?:was |has been |er )?(?:taken|tatt)\b",
        Kind.DOSE_DISPENSED,
        calms=True,
    ),
)

PATTERNS: dict[str, tuple[Row, ...]] = {
    "careousel": (
        *_ANY,
        _row(r"\b(?:time to take|dose is due|alarm sounding)\b", Kind.DOSE_PRESENTED, calms=True),
        *_TAKEN,
        _row(r"\btest (?:message|text|sms)\b", Kind.DEVICE_ALIVE, calms=True),
    ),
    "pivotell": (
        _row(r"\bdispenser (?:has )?not (?:been )?(?:turned|tipped|emptied)\b", Kind.DOSE_NOT_DISPENSED),
        *_ANY,
        *_TAKEN,
        _row(r"\b(?:daily report|heartbeat|status):? ok\b", Kind.DEVICE_ALIVE, calms=True),
    ),
    "plain": (*_ANY, *_TAKEN),
}


class Meaning(NamedTuple):
    """One thing that a text says."""

    kind: Kind
    value: Value


def meanings(profile: str, text: str, *, whole: bool = True) -> list[Meaning]:
    """Return everything that a text says, nothing where no row fits.

    Args:
        profile: A key of :data:`PATTERNS`.
        text: As it came.
        whole: No part of it is missing.
    """
    rest = " ".join(text.split())
    found: list[Meaning] = []
    for row in PATTERNS[profile]:
        match = row.pattern.search(rest)
        if match is None:
            continue
        # The bar keeps what stood on both sides from becoming words of their own.
        rest = row.pattern.sub(" | ", rest)
        meaning = Meaning(row.kind, _value(match))
        if (whole or not row.calms) and meaning not in found:
            found.append(meaning)
    return found


def _value(match: re.Match[str]) -> Value:
    numbers = {
        name.removesuffix("_behind"): int(digits)
        for name, digits in match.groupdict().items()
        if digits is not None
    }
    return {**numbers} or None
