"""How a provider behaves: well, until somebody says otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from firmware_sim.errors import Unfit

#: What may happen to one request. ``code 21610`` answers with that code of the provider's own.
FAULTS = {
    "unavailable": "503",
    "error": "500",
    "busy": "429 with Retry-After",
    "hang": "no answer, ever",
    "login": "200 with the HTML login page of somebody else",
    "garbage": "200 with something of no form",
    "number": "the number is refused, in the provider's words",
    "account": "the account is refused, in the provider's words",
    "cut": "the message is taken, and the connection breaks in the middle of the answer",
    "slow": "the message is taken, and the answer drips without end",
    "early": "the message is taken, delivered and reported before the answer",
}


@dataclass(frozen=True)
class Manners:
    """How a provider behaves.

    Attributes:
        next: What happens to the next requests, one word of :data:`FAULTS` for each; ``ok`` is nothing.
        always: What happens to every request after those; empty: nothing.
        wrong_signature: Its calls to us are signed with another key.
        hooks: The address below which it is told that ``/delivery`` and ``/inbound`` are, where the account and
            not each message says so. Empty: nobody is told.
    """

    next: tuple[str, ...] = ()
    always: str = ""
    wrong_signature: bool = False
    hooks: str = ""

    def changed(self, given: Mapping[str, object]) -> "Manners":
        """Return these manners with some of them changed, from plain data.

        Raises:
            Unfit: A name is unknown or a value does not fit it.
        """
        changed = self
        for name, value in given.items():
            changed = changed._with(name, value)
        return changed

    def _with(self, name: str, value: object) -> "Manners":
        if name == "next" and isinstance(value, list | tuple):
            return replace(self, next=tuple(_fault(word) for word in value))
        if name == "always":
            return replace(self, always=_fault(value) if value else "")
        if name == "wrong_signature" and isinstance(value, bool):
            return replace(self, wrong_signature=value)
        if name == "hooks" and isinstance(value, str):
            return replace(self, hooks=value.rstrip("/"))
        raise Unfit(f"{name!r} cannot be {value!r}; known: next, always, wrong_signature, hooks")

    def taken(self) -> tuple[str, "Manners"]:
        """Return what happens to this request, and the manners after it."""
        if self.next:
            return self.next[0], replace(self, next=self.next[1:])
        return self.always, self


def _fault(word: object) -> str:
    if isinstance(word, str) and (word in FAULTS or word == "ok" or _is_code(word)):
        return word
    raise Unfit(f"unknown fault {word!r}; known: {', '.join(FAULTS)}, ok, code NUMBER")


def _is_code(word: str) -> bool:
    what, _, number = word.partition(" ")
    return what == "code" and number.isascii() and number.isdigit()
