"""What a device measured or said, in words: ``{"button": 1, "press": "single"}`` is a single press of button 1."""

from typing import Any

import msgspec

from hub.central.console.words import Words

# UCUM, section 4: how its codes are written for people, where that differs.
SIGNS = {"Cel": "°C", "[degF]": "°F", "mm[Hg]": "mmHg", "[lb_av]": "lb", "kW.h": "kWh", "/min": "per min", "1": ""}


def say(value: Any, unit: str | None, words: Words) -> str:  # noqa: ANN401 - what a device said
    """Return a value with its unit; empty when there is none."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return ", ".join(_detail(str(name), part, words) for name, part in value.items() if part is not None)
    text = _plain(value, words)
    # An annotation in braces says what is counted; it leaves the unit itself as it is (UCUM section 6).
    sign = SIGNS.get(unit or "", (unit or "").partition("{")[0])
    return f"{text} {sign}" if sign else text


def stored(text: str | None, unit: str | None, words: Words) -> str:
    """Return a value as the store keeps it, in JSON."""
    return "" if text is None else say(msgspec.json.decode(text), unit, words)


def _detail(name: str, part: Any, words: Words) -> str:  # noqa: ANN401 - the same
    return words.detail(name, _plain(part, words))


def _plain(part: Any, words: Words) -> str:  # noqa: ANN401 - the same
    if isinstance(part, bool):
        return words.name("value", "yes" if part else "no")
    if isinstance(part, float):
        return f"{part:.10g}".replace(".", words.name("value", "point"))
    if isinstance(part, int):
        return str(part)
    if isinstance(part, str):
        return words.name("value", part)
    return msgspec.json.encode(part).decode()
