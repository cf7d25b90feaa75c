"""The colours of the console, by day and at night, as WCAG 2.2 (1.4.3 and 1.4.11) measures them."""

import re
from pathlib import Path

import pytest

from hub.central import console

CSS = (Path(console.__file__).parent / "static" / "console.css").read_text(encoding="utf-8")
TONES = ("critical", "serious", "moderate", "normal")
TEXT = 4.5
SHAPE = 3.0


def palette(scheme: str) -> dict[str, str]:
    blocks = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    chosen = "".join(blocks[: 1 if scheme == "light" else 2])
    return dict(re.findall(r"--([a-z-]+): ([^;]+);", chosen))


def rgb(colour: str) -> tuple[float, ...]:
    digits = colour.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    return tuple(int(digits[place : place + 2], 16) for place in (0, 2, 4))


def mixed(one: tuple[float, ...], share: float, other: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(share * a + (1 - share) * b for a, b in zip(one, other, strict=True))


def luminance(colour: tuple[float, ...]) -> float:
    linear = [part / 3294.6 if part <= 10.02 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(scheme: str) -> None:
    colours = {name: rgb(value) for name, value in palette(scheme).items() if value.startswith("#")}
    tint = int(palette(scheme)["tint"].removesuffix("%")) / 100
    pairs = [(name, colours[name], colours["card"]) for name in ("ink", "soft", "accent", "good", *TONES)]
    pairs += [
        (f"{name} on page", colours[name], colours["page"]) for name in ("ink", "soft", "accent", "critical")
    ]
    pairs += [("primary button", colours["on-accent"], colours["accent"])]
    for tone in TONES:
        back = mixed(colours[tone], tint, colours["card"])
        pairs += [(f"{tone} on its tint", colours[tone], back), (f"ink on {tone}", colours["ink"], back)]
        pairs += [(f"soft on {tone}", mixed(colours["ink"], 0.82, back), back)]
    weak = {name: round(contrast(text, back), 2) for name, text, back in pairs if contrast(text, back) < TEXT}
    assert weak == {}
    for surface in ("card", "page"):
        assert contrast(colours["ring"], colours[surface]) >= SHAPE
