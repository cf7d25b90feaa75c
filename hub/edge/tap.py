"""The tap: the one place where whoever looks on (a technician, a recording) sees every frame of every link."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from drivers.base import Advert, Answer
from hub.domain.clock import Now
from hub.edge.configuration import Task


class Frame(NamedTuple):
    """What came over a link.

    Attributes:
        data: The bytes; empty for an advert.
        place: Characteristic, or topic below the base of its link.
        advert: The whole of it, where it is one.
    """

    data: bytes
    place: str = ""
    advert: Advert | None = None


class Tapped(NamedTuple):
    """A frame, whose it is, and what its driver made of it."""

    now: Now
    task: Task
    frame: Frame
    answer: Answer


Onlooker = Callable[[Tapped], None]


class Tap:
    """Hands frames to onlookers, who must return at once and never raise; without one it costs nothing."""

    def __init__(self) -> None:
        self._onlookers: list[Onlooker] = []

    @contextmanager
    def open(self, onlooker: Onlooker) -> Iterator[None]:
        """Let somebody look on while the body runs."""
        self._onlookers = [*self._onlookers, onlooker]
        try:
            yield
        finally:
            self._onlookers = [one for one in self._onlookers if one is not onlooker]

    def passed(self, now: Now, task: Task, frame: Frame, answer: Answer) -> None:
        """Show a frame."""
        if self._onlookers:
            seen = Tapped(now, task, frame, answer)
            for onlooker in self._onlookers:
                onlooker(seen)
