"""A plugin for pytest: each mutant answers itself, for what was worked out before it was made is forgotten.

Mutants are forked from a process that has already run the tests once.
"""

from hub.central.escalation.calendar import calendar
from hub.central.escalation.days import instant


def pytest_sessionstart() -> None:
    for remembered in (calendar, instant):
        remembered.cache_clear()
