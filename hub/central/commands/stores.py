"""The store as a command meets it: whatever is wrong becomes one clear sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from hub.central.store.engine import Store
from hub.domain.errors import MalformedError, PermanentError

_WRITE = "write a URL such as sqlite:////var/lib/hub/central.db or postgresql+psycopg://user@host/name"


@contextmanager
def opened(url: str, *, make: bool = True) -> Iterator[Store]:
    """Open a store for one command.

    Args:
        url: Its SQLAlchemy URL.
        make: A SQLite file that is not there is made; a command that only reads does not.

    Raises:
        MalformedError: The URL is none, or of a database that the hub does not know.
        PermanentError: The store cannot be opened.
    """
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise MalformedError(f"store: {_WRITE}") from error
    shown = parsed.render_as_string(hide_password=True)
    if parsed.drivername not in {"sqlite", "postgresql+psycopg"}:
        raise MalformedError(f"store {shown}: {_WRITE}")
    if not make and parsed.database and parsed.drivername == "sqlite" and not Path(parsed.database).exists():
        raise PermanentError(f"store {shown}: there is no such file")
    try:
        store = Store(url)
    except (sa.exc.SQLAlchemyError, OSError, PermanentError) as error:
        # The libraries write a paragraph; its first line says what is wrong.
        reason = str(error.__cause__ or error).splitlines()[0]
        raise PermanentError(f"store {shown} cannot be opened: {reason}") from error
    try:
        yield store
    finally:
        store.close()
