"""Accounts and their passwords, hashed with Argon2id."""

import unicodedata

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from hub.central.auth import audit
from hub.central.store import tables
from hub.domain.clock import Now
from hub.domain.errors import RefusedError
from hub.domain.ids import checked_name

COMMAND = "command"

# NIST SP 800-63B, section 3.1.1.2: length is what counts; no rules about characters. The upper bound only
# keeps a stranger from making us hash a book.
MIN_LENGTH = 12
MAX_LENGTH = 256

_hasher = PasswordHasher()  # RFC 9106, second recommended option: 64 MiB, three passes
# The hash of a password that nobody knows: an unknown name costs the same time as a known one.
NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$Fn4RgvNa0THXqu58Zt7sdA$KS56+RtV+QjFfB7pRuAIgiYNfe2Kqc9OViAyesSsyxg"


def create_user(connection: sa.Connection, username: str, password: str, now: Now) -> None:
    """Make an account.

    Args:
        connection: An open transaction of the store.
        username: Small letters, digits and hyphens.
        password: At least 12 characters.
        now: This moment.

    Raises:
        MalformedError: The name has other characters.
        RefusedError: The account exists, or the password is too short, too long or the name itself.
    """
    checked_name(username, "user")
    hashed = _hashed(username, password)
    known = sa.select(tables.users.c.username).where(tables.users.c.username == username)
    if connection.scalar(known) is not None:
        raise RefusedError(f"user {username!r} exists already")
    connection.execute(sa.insert(tables.users).values(username=username, password_hash=hashed, created_at=now.utc))
    audit.note(connection, now, COMMAND, "user.created", f"user:{username}")


def set_password(connection: sa.Connection, username: str, password: str, now: Now) -> None:
    """Give an account another password and end all of its sessions.

    Raises:
        RefusedError: There is no such account, or the password is not accepted.
    """
    hashed = _hashed(username, password)
    changed = connection.execute(
        sa.update(tables.users).where(tables.users.c.username == username).values(password_hash=hashed)
    )
    if not changed.rowcount:
        raise RefusedError(f"there is no user {username!r}")
    connection.execute(sa.delete(tables.sessions).where(tables.sessions.c.username == username))
    audit.note(connection, now, COMMAND, "user.password_set", f"user:{username}")


def remove_user(connection: sa.Connection, username: str, now: Now) -> None:
    """Take an account away and end all of its sessions; what was done under its name keeps it.

    Raises:
        RefusedError: There is no such account.
    """
    connection.execute(sa.delete(tables.sessions).where(tables.sessions.c.username == username))
    gone = connection.execute(sa.delete(tables.users).where(tables.users.c.username == username))
    if not gone.rowcount:
        raise RefusedError(f"there is no user {username!r}")
    audit.note(connection, now, COMMAND, "user.removed", f"user:{username}")


def check_password(stored: str | None, password: str) -> bool:
    """Tell whether a password fits; takes as long when ``stored`` is ``None``: nobody has that name."""
    try:
        _hasher.verify(stored or NOBODY, _normal(password)[:MAX_LENGTH])
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def stored_hash(connection: sa.Connection, username: str) -> str | None:
    """Return the password hash of an account, ``None`` when there is no such account."""
    query = sa.select(tables.users.c.password_hash).where(tables.users.c.username == username)
    return connection.scalar(query)


def _hashed(username: str, password: str) -> str:
    normal = _normal(password)
    if not MIN_LENGTH <= len(normal) <= MAX_LENGTH:
        raise RefusedError(f"a password has {MIN_LENGTH} to {MAX_LENGTH} characters; this one has {len(normal)}")
    if normal.casefold().replace(username, "") == "":
        raise RefusedError("a password must be something else than the name")
    return _hasher.hash(normal)


def _normal(password: str) -> str:
    # The same å may come as one character or as two, depending on the keyboard.
    return unicodedata.normalize("NFKC", password)
