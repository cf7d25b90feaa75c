"""``hub user add``: an account for the console."""

import sys
from getpass import getpass

from hub.central.auth.accounts import create_user
from hub.central.commands import Say
from hub.central.commands.stores import opened
from hub.domain.clock import Now
from hub.domain.errors import RefusedError


def add(name: str, store_url: str, password: str, now: Now, say: Say) -> int:
    """Make an account.

    Raises:
        HubError: Name or password are not accepted, or the store cannot be written.
    """
    with opened(store_url) as store:
        store.write_now(lambda connection: create_user(connection, name, password, now))
    say(f"user {name}: added")
    return 0


def asked_password(*, from_stdin: bool) -> str:
    """Return a password that was typed twice, or the first line of standard input.

    Raises:
        RefusedError: The two differ, or there is none.
    """
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        try:
            password = getpass("Password: ")
            again = getpass("The same again: ")
        except EOFError as error:
            raise RefusedError("no password was typed; use --password-stdin where there is no terminal") from error
        if password != again:
            raise RefusedError("the two passwords differ; nothing was added")
    if not password:
        raise RefusedError("the password is empty; nothing was added")
    return password
