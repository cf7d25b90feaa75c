"""A plugin for pytest: each test finds out anew, for what was worked out without the mutant is forgotten.

A mutant is forked from a process that has run the tests once, and is shown those that reached its function then.
"""

from hypothesis import settings

from hub.central.escalation.calendar import calendar
from hub.central.escalation.days import instant

# A machine that is busy is no defect that a test noticed.
settings.register_profile("mutants", deadline=None)


def pytest_runtest_setup() -> None:
    for remembered in (calendar, instant):
        remembered.cache_clear()
