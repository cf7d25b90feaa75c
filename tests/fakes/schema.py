"""Databases that are made by the migrations once, and copied ever after: most tests need one, none is about it."""

import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

import sqlalchemy as sa

from hub.central.store import engine as store_engine
from hub.central.store import migrate


@cache
def _template() -> Path:
    path = Path(tempfile.mkdtemp(prefix="schema-")) / "central.db"
    made = sa.create_engine(f"sqlite:///{path}")
    migrate.upgrade(made)
    made.dispose()
    return path


def _upgrade(engine: sa.Engine) -> None:
    """Do as :func:`migrate.upgrade` does, from a copy where there is nothing yet."""
    path = engine.url.database
    if engine.dialect.name == "sqlite" and path and migrate._schema(engine) is None:
        engine.dispose()
        with closing(sqlite3.connect(_template())) as ready, closing(sqlite3.connect(path)) as empty:
            ready.backup(empty)
    migrate.upgrade(engine)


def use_copies() -> None:
    """From now on, let every new store of this process begin as a copy."""
    store_engine.upgrade = _upgrade  # type: ignore[attr-defined] # for tests only
