"""Types of columns. Instants are microseconds since 1970 in UTC: both databases sort them alike."""

import datetime as dt
from typing import Any

import sqlalchemy as sa

from hub.domain.clock import UTC

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def microseconds(at: dt.datetime) -> int:
    """Return an instant as it is kept."""
    return (at - _EPOCH) // _MICROSECOND


class Instant(sa.types.TypeDecorator[dt.datetime]):
    """A timezone-aware UTC datetime, kept as a 64-bit integer of microseconds."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: sa.Dialect) -> int | None:
        """Turn an instant into microseconds; refuses a datetime without a zone."""
        del dialect
        return None if value is None else microseconds(value)

    def process_result_value(self, value: Any | None, dialect: sa.Dialect) -> dt.datetime | None:  # noqa: ANN401 - the base class says so
        """Turn microseconds into an instant."""
        del dialect
        return None if value is None else _EPOCH + dt.timedelta(microseconds=int(value))


# SQLite counts only in a column that is called INTEGER.
Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Name = sa.String(64)

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
