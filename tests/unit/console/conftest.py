"""A store without anybody in it."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from hub.central.store import tables


@pytest.fixture
def connection() -> Iterator[sa.Connection]:
    """An empty store in memory."""
    engine = sa.create_engine("sqlite://")
    tables.metadata.create_all(engine)
    with engine.connect() as connection:
        yield connection
    engine.dispose()
