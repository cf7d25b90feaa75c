"""The databases that every contract of the store is held against."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.fakes.centre import DeskCentre
from tests.fakes.postgres import Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/central.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any table yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/central.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.bare_database()


@pytest.fixture
async def desk(store_url: str) -> AsyncIterator[DeskCentre]:
    centre = DeskCentre(store_url)
    yield centre
    centre.store.close()
