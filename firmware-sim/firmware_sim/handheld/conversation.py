"""Words that make something happen to a device, typed or piped."""

import asyncio
import json
from collections.abc import Mapping

from firmware_sim.home import Home
from firmware_sim.typed import pair

DEVICE = "device"


async def say(home: Home, line: str) -> str:
    """Do what a line says (``event code=17``) and return what the device answers, or why it cannot."""
    word, *pairs = line.split()
    try:
        answer = await home.do(DEVICE, word, dict(pair(text) for text in pairs))
    except ValueError as error:
        return str(error)
    return json.dumps(dict(answer)) if answer else "done"


def words(home: Home) -> list[str]:
    """Return what can be done to the device."""
    return sorted(home.devices[DEVICE].actions)


async def talk(home: Home, places: Mapping[str, str]) -> None:
    """Read words from standard input, line by line, until ``quit`` or its end."""
    for name, place in places.items():
        _print(f"{name}: {place}")
    _print(f"words: {', '.join(words(home))}, help, quit")
    while (line := await asyncio.to_thread(_typed)) not in {None, "quit"}:
        if line == "help":
            _print(", ".join(words(home)))
        elif line:
            _print(await say(home, line))


def _typed() -> str | None:
    try:
        return input("> ").strip()
    except EOFError:
        return None


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201 -- this is a conversation
