"""The few statements that the two databases spell apart."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

S = TypeVar("S", bound=sa.Executable)
Insert = PostgresInsert | SqliteInsert


def spelt(build: Callable[[Callable[[sa.Table], Insert]], S]) -> Mapping[str, S]:
    """Make a statement once in the words of each database, and return it by the name of its dialect.

    Args:
        build: Makes it from a function that returns an insert, as :func:`insert` does.
    """
    return {"sqlite": build(sqlite_insert), "postgresql": build(postgres_insert)}


def insert(connection: sa.Connection, table: sa.Table) -> Insert:
    """Return an insert that knows ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
    return sqlite_insert(table) if connection.dialect.name == "sqlite" else postgres_insert(table)


def new_id(result: sa.CursorResult[tuple[int]]) -> int:
    """Return the number that the database gave to the one row that was inserted."""
    key = result.inserted_primary_key
    if key is None:
        raise AssertionError("the statement inserted no row")
    return int(key[0])
