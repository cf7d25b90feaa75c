"""A centre on SQLite with a clock that stands still."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.central.centre import Centre
from tests.fakes.town import Town
from tests.fakes.ward import HandClock, ObedientProvider, open_centre


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def centre(tmp_path: Path, clock: HandClock) -> AsyncIterator[Centre]:
    centre = open_centre(tmp_path, clock)
    yield centre
    centre.store.close()


@pytest.fixture
def provider() -> ObedientProvider:
    return ObedientProvider()


@pytest.fixture
def town(centre: Centre) -> Town:
    return Town(centre)
