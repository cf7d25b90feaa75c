"""The store as a command meets it: whatever is wrong becomes one clear sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from hub.central.store.engine import Store
from hub.domain.errors import MalformedError, PermanentError


@contextmanager
def opened(url: str) -> Iterator[Store]:
    """Open a store for one command.

    Raises:
        MalformedError: The URL is none.
        PermanentError: The store cannot be opened.
    """
    try:
        shown = sa.make_url(url).render_as_string(hide_password=True)
    except sa.exc.ArgumentError as error:
        raise MalformedError(
            "store: write a URL such as sqlite:////var/lib/hub/central.db or postgresql+psycopg://user@host/name"
        ) from error
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
