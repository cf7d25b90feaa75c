"""Files and stores as a command meets them: whatever is wrong becomes one clear sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from hub.central.store.engine import Store
from hub.domain.errors import MalformedError, PermanentError


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        PermanentError: It cannot be read.
        MalformedError: It is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise PermanentError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise MalformedError(f"{path}: is not UTF-8 text (byte {error.start})") from error


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
