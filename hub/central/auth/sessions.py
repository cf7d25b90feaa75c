"""Sessions of the console. The browser holds a random token, the store only its hash."""

import datetime as dt
import hashlib
import secrets

import msgspec
import sqlalchemy as sa

from hub.central.store import tables
from hub.domain.clock import Now

# One shift and the hand-over after it.
LIFETIME = dt.timedelta(hours=12)
_TOKEN_BYTES = 32


class Session(msgspec.Struct, frozen=True):
    """A session that holds.

    Attributes:
        username: Whose it is.
        csrf: What every change must bring along, besides the cookie.
        expires_at: When it ends, used or not.
    """

    username: str
    csrf: str
    expires_at: dt.datetime

    @property
    def actor(self) -> str:
        """The user as incidents and the audit trail name him or her."""
        return f"user:{self.username}"


def open_session(connection: sa.Connection, username: str, now: Now) -> str:
    """Begin a session and return its token; sessions that have ended are cleared away."""
    ended = tables.sessions.c.expires_at <= now.utc
    connection.execute(sa.delete(tables.sessions).where(ended))
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    connection.execute(
        sa.insert(tables.sessions).values(
            token_hash=_hash(token),
            username=username,
            csrf=secrets.token_urlsafe(_TOKEN_BYTES),
            created_at=now.utc,
            expires_at=now.utc + LIFETIME,
        )
    )
    return token


def find_session(connection: sa.Connection, token: str, now: Now) -> Session | None:
    """Return the session of a token, ``None`` when there is none or it has ended."""
    sessions = tables.sessions
    row = connection.execute(
        sa.select(sessions.c.username, sessions.c.csrf, sessions.c.expires_at).where(
            sessions.c.token_hash == _hash(token), sessions.c.expires_at > now.utc
        )
    ).one_or_none()
    return None if row is None else Session(row.username, row.csrf, row.expires_at)


def close_session(connection: sa.Connection, token: str) -> None:
    """End a session, if it holds."""
    connection.execute(sa.delete(tables.sessions).where(tables.sessions.c.token_hash == _hash(token)))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
