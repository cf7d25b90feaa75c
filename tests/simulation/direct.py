"""The centre's own statements with less in between: SQLAlchemy writes each once, and SQLite is asked directly.

To carry a statement there and back takes SQLAlchemy several times as long as it takes SQLite to do it, and half of
a seed's time. Several rows and lists of any length still go the whole way, and so does every error.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Dialect, IteratorResult
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

Values = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None
Convert = Callable[[Any], Any]

_PLANS = "plans of the simulation"


class _Value(NamedTuple):
    key: str | None  # what it is called by whoever executes the statement; ``None``: it is part of the statement
    fixed: Any
    convert: Convert | None


class _Plan(NamedTuple):
    text: str
    values: tuple[_Value, ...]
    meta: SimpleResultMetaData | None  # of its rows; ``None``: it has none
    converts: tuple[tuple[int, Convert], ...]


class Changed(NamedTuple):
    """What a statement without rows has done: to how many rows, and the number that a new one was given."""

    rowcount: int
    inserted_primary_key: tuple[int | None]


class Connection:
    """Stands for SQLAlchemy's connection in what the centre does with one.

    Args:
        whole: The connection itself.
        raw: The same connection to SQLite below it.
    """

    def __init__(self, whole: sa.Connection, raw: sqlite3.Connection) -> None:
        self._whole = whole
        self._raw = raw
        self.dialect = whole.dialect

    def execute(self, statement: Any, values: Values = None) -> Any:
        """Execute a statement."""
        given = {} if values is None else values
        plan = _plan(statement, given, self.dialect) if isinstance(given, Mapping) else None
        done = plan and self._done(plan, given)
        if plan is None or done is None:
            return self._whole.execute(statement, values)
        if plan.meta is None:
            return Changed(done.rowcount, (done.lastrowid,))
        return IteratorResult(plan.meta, iter(_converted(done.fetchall(), plan.converts)))

    def scalar(self, statement: Any, values: Values = None) -> Any:
        """Return the first value of the first row, ``None`` where there is none."""
        return self.execute(statement, values).scalar()

    def scalars(self, statement: Any, values: Values = None) -> Any:
        """Return the first value of each row."""
        return self.execute(statement, values).scalars()

    def _done(self, plan: _Plan, values: Any) -> sqlite3.Cursor | None:
        try:
            return self._raw.execute(plan.text, [_given(value, values) for value in plan.values])
        except sqlite3.Error:
            return None  # nothing was changed: the whole way raises what the centre knows


def _plan(statement: Any, values: Mapping[str, Any], dialect: Dialect) -> _Plan | None:
    """Return how a statement is put to SQLite; ``None``: the whole way."""
    of, plans = statement.__dict__.get(_PLANS, (None, None))
    if of != id(statement):  # one that is made of another bears what was noted of that
        # Most are made once, when a module is imported; one that is made each time never gets a plan.
        statement.__dict__[_PLANS] = id(statement), {}
        return None
    keys = tuple(values)
    if keys not in plans:
        plans[keys] = _made(statement, values, dialect)
    plan: _Plan | None = plans[keys]
    return plan


def _made(statement: Any, values: Mapping[str, Any], dialect: Dialect) -> _Plan | None:
    compiled = statement.compile(dialect=dialect, column_keys=sorted(values))
    assert isinstance(compiled, SQLCompiler)
    if any(bind.expanding and bind.key in values for bind in compiled.binds.values()):
        return None
    written = compiled.construct_expanded_state(values)
    made_of = []
    for name in written.positiontup or ():
        bind = compiled.binds.get(name)
        if bind is None:  # one of a list that is part of the statement
            made_of.append(_Value(None, written.parameters[name], written.processors.get(name)))
            continue
        key = next((each for each in (bind.key, name) if each in values), None)
        made_of.append(_Value(key, written.parameters[name], _impl(bind.type, dialect).bind_processor(dialect)))
    columns = list(statement.exported_columns)
    made = [_impl(column.type, dialect).result_processor(dialect, None) for column in columns]
    converts = tuple((number, convert) for number, convert in enumerate(made) if convert is not None)
    meta = SimpleResultMetaData([str(column.key) for column in columns]) if columns else None
    return _Plan(written.statement, tuple(made_of), meta, converts)


def _impl(kind: TypeEngine[Any], dialect: Dialect) -> TypeEngine[Any]:
    return kind.dialect_impl(dialect)


def _given(value: _Value, given: Mapping[str, Any]) -> Any:
    known = value.fixed if value.key is None else given[value.key]
    return known if value.convert is None else value.convert(known)


def _converted(rows: list[Any], converts: tuple[tuple[int, Convert], ...]) -> list[Any]:
    if not converts:
        return rows
    converted = []
    for row in rows:
        values = list(row)
        for number, convert in converts:
            values[number] = convert(values[number])
        converted.append(tuple(values))
    return converted
