"""The card in a modem: its PIN, and how often it may be entered wrong."""

_TRIES = 3
_INCORRECT, _PUK_REQUIRED = 16, 12


class Sim:
    """A SIM.

    Args:
        pin: Its PIN, or empty.
    """

    def __init__(self, pin: str = "") -> None:
        self._pin = pin
        self.present = True
        self.tries = _TRIES
        self._open = not pin

    def power_lost(self) -> None:
        """Ask for the PIN anew."""
        self._open = not self._pin

    def ready(self) -> bool:
        """Tell whether it works."""
        return self.present and self._open and self.tries > 0

    def state(self) -> str:
        """Return what ``AT+CPIN?`` says (27.007, 8.3)."""
        if self.tries == 0:
            return "SIM PUK"
        return "READY" if self._open else "SIM PIN"

    def enter(self, pin: str) -> int:
        """Enter a PIN and return 0, or the number of the error."""
        if self.tries == 0:
            return _PUK_REQUIRED
        if pin != self._pin:
            self.tries -= 1
            return _INCORRECT
        self.tries, self._open = _TRIES, True
        return 0
