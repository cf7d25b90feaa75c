"""``hub user add``, ``hub user password`` and ``hub user remove``: accounts of the console."""

import sys
from getpass import getpass

from hub.central.auth.accounts import create_user, remove_user, set_password
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


def change_password(name: str, store_url: str, password: str, now: Now, say: Say) -> int:
    """Give an account another password; whoever is signed in with it is signed out.

    Raises:
        HubError: There is no such account, the password is not accepted, or the store cannot be written.
    """
    with opened(store_url, make=False) as store:
        store.write_now(lambda connection: set_password(connection, name, password, now))
    say(f"user {name}: has the new password; its sessions are ended")
    return 0


def remove(name: str, store_url: str, now: Now, say: Say) -> int:
    """Take an account away; whoever is signed in with it is signed out.

    Raises:
        HubError: There is no such account, or the store cannot be written.
    """
    with opened(store_url, make=False) as store:
        store.write_now(lambda connection: remove_user(connection, name, now))
    say(f"user {name}: removed; its sessions are ended, and what was done under the name stays in the history")
    return 0


def asked_password(*, from_stdin: bool) -> str:
    """Return a password that was typed twice, or the first line of standard input.

    Raises:
        RefusedError: The two differ, there is none, or it is no text.
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
            raise RefusedError("the two passwords differ; nothing was changed")
    if not password:
        raise RefusedError("the password is empty; nothing was changed")
    try:
        password.encode()
    except UnicodeEncodeError as error:  # how Python keeps bytes that are no text
        raise RefusedError("the password is not text in UTF-8; nothing was changed") from error
    return password
