"""Dispensers that text: what each says, in the words that its maker publishes as far as they are known."""

from collections.abc import Mapping
from pathlib import Path

from firmware_sim.devices.base import Action, Arguments, whole
from firmware_sim.devices.gsm.modem import GsmModem

#: Words by what happens; ``{doses}`` and ``{code}`` are arguments.
TEXTS: Mapping[str, Mapping[str, str]] = {
    "careousel": {
        "miss": "Careousel: medication not taken",
        "take": "Careousel: dose taken",
        "low_stock": "Careousel: {doses} doses remaining",
        "empty": "Careousel: no doses remaining",
        "error": "Careousel: error {code}",
        "jam": "Careousel: jam error",
        "upside_down": "Careousel: upside down",
        "low_battery": "Careousel: low battery",
        "test": "Careousel: test message",
    },
    "pivotell": {
        "miss": "Pivotell alert: dispenser not turned, dose not taken",
        "take": "Pivotell: dose has been taken",
        "low_stock": "Pivotell: doses remaining: {doses}",
        "error": "Pivotell: fault code {code}",
        "jam": "Pivotell: tray jammed",
        "low_battery": "Pivotell: battery is low",
        "lid": "Pivotell: lid opened",
        "mains_off": "Pivotell: mains power lost",
        "mains_on": "Pivotell: mains power restored",
        "test": "Pivotell: status OK",
    },
}


class TextingDispenser:
    """A dispenser with a SIM of its own, that texts to the modem of the home.

    Args:
        modem: The modem that it texts to.
        number: Its own number.
        texts: What it says.
    """

    def __init__(self, modem: GsmModem, number: str, texts: Mapping[str, str]) -> None:
        self._modem = modem
        self._number = number
        self.actions: Mapping[str, Action] = {
            **{name: self._saying(words) for name, words in texts.items()},
            "garbage": self._saying("¿?¿? 0x3F2A ØÆ§ {code}"),
        }

    @property
    def port(self) -> tuple[str, Path] | None:
        """Return the port of the modem that it texts to."""
        return self._modem.port

    async def start(self) -> None:
        """Switch on the modem; the dispenser has nothing to say yet."""
        await self._modem.start()

    async def stop(self) -> None:
        """Switch off the modem."""
        await self._modem.stop()

    def _saying(self, words: str) -> Action:
        async def act(arguments: Arguments) -> None:
            doses, code = whole(arguments, "doses", 0, 999, 4), whole(arguments, "code", 0, 9999, 12)
            self._modem.network.text(self._number, words.format(doses=doses, code=code))

        return act
