"""Whether what comes over a serial line makes sense: a wrong speed sounds like garbage without end."""

from drivers.base import Answer
from hub.domain.codes import Kind
from hub.wire.serial_line import LineErrors

# Noise makes single bad frames, a wrong speed nothing else.
BAD_IN_A_ROW = 5
BAD_FOR_S = 30.0
# Characters without a stop bit, as the port itself counts them, leave no doubt and need no wait.
FRAMING_IN_A_ROW = 20
LOOK_EVERY_S = 5.0
# A driver may tell of what it cannot read.
_FAULT = Kind.DEVICE_FAULT


class Sense:
    """Follows one line. Pure: it is told what came."""

    def __init__(self) -> None:
        self._complained = False
        self.opened(0.0, None)

    def opened(self, mono: float, errors: LineErrors | None) -> None:
        """Begin anew; what was complained of already is not again before something made sense."""
        self._bad = 0
        self._since = self._looked = mono
        self._before = errors

    def due(self, mono: float) -> bool:
        """Tell whether it is time to look at the port's counters again."""
        if mono - self._looked < LOOK_EVERY_S:
            return False
        self._looked = mono
        return True

    def took(self, data: bytes, answer: Answer, mono: float) -> bool:
        """Take what the driver made of bytes, or of a tick; return whether a complaint has just ended."""
        if (data and _sensible(answer)) or any(x.observation.kind is not _FAULT for x in answer.observations):
            ended, self._complained = self._complained, False
            self._bad = 0
            return ended
        if answer.bad:
            if not self._bad:
                self._since = mono
            self._bad += len(answer.bad)
        return False

    def complaint(self, mono: float, errors: LineErrors | None) -> str:
        """Return what is to be said of the line now, once; else nothing."""
        wrong = self._grown(errors)
        if not self._bad:
            self._before = errors  # a frame has made sense since: a bad plug, no more
        if self._complained or not self._bad:
            return ""
        if wrong >= FRAMING_IN_A_ROW:
            why = f" ({wrong} framing errors)"
        elif self._bad >= BAD_IN_A_ROW and mono - self._since >= BAD_FOR_S:
            why = ""
        else:
            return ""
        self._complained = True
        return f"bytes arrive but none make sense{why}: wrong baud or wrong driver?"

    def _grown(self, errors: LineErrors | None) -> int:
        if errors is None or self._before is None:
            return 0
        return errors.framing + errors.parity - self._before.framing - self._before.parity


def _sensible(answer: Answer) -> bool:
    # A station that must answer whatever comes (NAK) acts on garbage too, but says that it was bad.
    acted = answer.actions or answer.state is not None
    return bool(answer.strangers) or bool(acted and not answer.bad)
