"""PostgreSQL, which nobody waits for without end.

It ends itself what takes too long. When it cannot say so any more (its host is lost, it has failed over without a
word, it is there and says nothing), it is we who give up, a little later, and go on over a new connection.
"""

from functools import partial
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa
from psycopg.abc import PQGen

from hub.domain.clock import boottime

T = TypeVar("T")

# Seconds that one statement may take: of every day's work, and of a report over a year.
STATEMENT_S = 10.0
REPORT_S = 60.0
# A centre that is frozen inside a transaction holds rows that the others need. What the database's own settings,
# or the URL, limit already is left alone. Milliseconds.
_LIMITS = {"idle_in_transaction_session_timeout": 10_000, "lock_timeout": 10_000}
# For libpq, where the URL says nothing else: seconds to connect, milliseconds until what was sent is acknowledged,
# and a host that says nothing is asked after 5 s and given up 6 s later.
_REACHED = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
# By how much our patience is longer than PostgreSQL's: its own word is the better one, and has to travel.
GRACE_S = 2.0


class Patient(psycopg.Connection[Any]):
    """A connection that gives up a server that says nothing.

    Attributes:
        patience_s: How many seconds of silence are borne within a statement; ``None``: any.
    """

    patience_s: float | None = None

    def wait(self, gen: PQGen[T], *args: Any, **options: Any) -> T:  # noqa: ANN401 - psycopg's own, which vary
        """Wait for an answer, as psycopg does.

        Raises:
            psycopg.OperationalError: None came in time; the connection is closed.
        """
        return super().wait(self._bounded(gen, self.patience_s), *args, **options)

    def _bounded(self, gen: PQGen[T], patience_s: float | None) -> PQGen[T]:
        try:
            wanted = next(gen)
            heard = boottime()
            while True:
                ready = yield wanted
                if ready:
                    heard = boottime()
                elif patience_s is not None and boottime() - heard > patience_s:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"the server has said nothing for {patience_s:g} s")
                wanted = gen.send(ready)
        except StopIteration as end:
            answer: T = end.value
            return answer


def engine(url: sa.URL, size: int, statement_s: float | None) -> sa.Engine:
    """Return an engine over PostgreSQL.

    Args:
        url: Where it is; what it limits itself is left alone.
        size: How many connections are kept.
        statement_s: Seconds that a statement may take; ``None``, for migrations: any.
    """
    reached = {name: value for name, value in _REACHED.items() if name not in url.query}
    # What an error quotes of its parameters would put residents into the log.
    made = sa.create_engine(url, pool_pre_ping=True, pool_size=size, connect_args=reached, hide_parameters=True)
    sa.event.listen(made, "do_connect", _connect)
    sa.event.listen(made, "handle_error", _leave_standby)
    if statement_s is not None:
        sa.event.listen(made, "connect", partial(_limit, statement_s=statement_s))
    return made


def _connect(_dialect: object, _record: object, args: list[Any], options: dict[str, Any]) -> Patient:
    return Patient.connect(*args, **options)


def _leave_standby(context: sa.engine.ExceptionContext) -> None:
    """Take a server that may only be read for lost: after a failover the primary is behind a new connection."""
    if isinstance(context.original_exception, psycopg.errors.ReadOnlySqlTransaction):
        context.is_disconnect = True


def _limit(connection: Patient, _record: object, *, statement_s: float) -> None:
    """Let PostgreSQL limit what is done over a connection, and limit how long it is waited for itself."""
    connection.patience_s = statement_s + GRACE_S
    limits = {**_LIMITS, "statement_timeout": round(statement_s * 1000)}
    with connection.cursor() as cursor:
        for name, limit in limits.items():
            unlimited = "SELECT set_config(%s, %s, false) WHERE current_setting(%s) = '0'"
            cursor.execute(unlimited, (name, str(limit), name))
        cursor.execute("SELECT setting FROM pg_settings WHERE name = 'statement_timeout'")
        ((limit_ms,),) = cursor.fetchall()
    connection.commit()
    # Where somebody else has limited it already, that is how long an answer may take.
    connection.patience_s = int(limit_ms) / 1000 + GRACE_S
