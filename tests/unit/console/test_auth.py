"""Accounts, sessions and the throttle."""

import datetime as dt

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from hub.central.auth import (
    Throttle,
    check_password,
    close_session,
    create_user,
    find_session,
    open_session,
    remove_user,
    set_password,
)
from hub.central.auth.accounts import NOBODY, stored_hash
from hub.central.auth.sessions import LIFETIME
from hub.central.store import tables
from hub.domain.clock import UTC, Now
from hub.domain.errors import MalformedError, RefusedError

NOW = Now(dt.datetime(2026, 11, 21, 2, 10, tzinfo=UTC), 100.0)
PASSWORD = "fjord og fjell 7"


def later(seconds: float) -> Now:
    return Now(NOW.utc + dt.timedelta(seconds=seconds), NOW.mono + seconds)


def test_a_password_is_stored_hashed_and_found_again(connection: sa.Connection) -> None:
    create_user(connection, "kari-test", PASSWORD, NOW)
    stored = stored_hash(connection, "kari-test")
    assert stored is not None
    assert PASSWORD not in stored
    assert check_password(stored, PASSWORD)
    assert not check_password(stored, PASSWORD + "8")


def test_nobody_gets_in_and_costs_the_same() -> None:
    assert not check_password(None, PASSWORD)
    assert not PasswordHasher().check_needs_rehash(NOBODY)  # the same cost as a stored one


def test_a_damaged_hash_lets_nobody_in() -> None:
    assert not check_password("not a hash", PASSWORD)


def test_composed_and_decomposed_letters_are_one_password(connection: sa.Connection) -> None:
    create_user(connection, "kari-test", "bl\u00e5b\u00e6r i skogen", NOW)
    assert check_password(stored_hash(connection, "kari-test"), "bla\u030ab\u00e6r i skogen")


@pytest.mark.parametrize("password", ["", "elevenchars", "kari-testkari-test", "x" * 257])
def test_bad_passwords_are_refused(connection: sa.Connection, password: str) -> None:
    with pytest.raises(RefusedError, match="password"):
        create_user(connection, "kari-test", password, NOW)
    assert stored_hash(connection, "kari-test") is None


def test_a_name_is_taken_once_and_has_plain_letters(connection: sa.Connection) -> None:
    create_user(connection, "kari-test", PASSWORD, NOW)
    with pytest.raises(RefusedError, match="exists already"):
        create_user(connection, "kari-test", PASSWORD, NOW)
    with pytest.raises(MalformedError):
        create_user(connection, "Kari Test", PASSWORD, NOW)


def test_a_new_password_ends_every_session(connection: sa.Connection) -> None:
    create_user(connection, "kari-test", PASSWORD, NOW)
    token = open_session(connection, "kari-test", NOW)
    set_password(connection, "kari-test", "another long one", NOW)
    assert find_session(connection, token, NOW) is None
    assert check_password(stored_hash(connection, "kari-test"), "another long one")
    with pytest.raises(RefusedError, match="no user"):
        set_password(connection, "ola-test", "another long one", NOW)


def test_an_account_that_is_taken_away_has_no_session_and_no_password(connection: sa.Connection) -> None:
    create_user(connection, "kari-test", PASSWORD, NOW)
    token = open_session(connection, "kari-test", NOW)
    remove_user(connection, "kari-test", NOW)
    assert find_session(connection, token, NOW) is None
    assert not check_password(stored_hash(connection, "kari-test"), PASSWORD)
    with pytest.raises(RefusedError, match="no user"):
        remove_user(connection, "kari-test", NOW)


def test_a_session_holds_twelve_hours_and_no_longer(connection: sa.Connection) -> None:
    create_user(connection, "kari-test", PASSWORD, NOW)
    token = open_session(connection, "kari-test", NOW)
    session = find_session(connection, token, later(LIFETIME.total_seconds() - 1))
    assert session is not None
    assert session.actor == "user:kari-test"
    assert find_session(connection, token, later(LIFETIME.total_seconds())) is None
    assert find_session(connection, token + "x", NOW) is None


def test_the_store_does_not_hold_the_token(connection: sa.Connection) -> None:
    create_user(connection, "kari-test", PASSWORD, NOW)
    token = open_session(connection, "kari-test", NOW)
    row = connection.execute(sa.select(tables.sessions)).one()
    assert token not in [str(column) for column in row]
    close_session(connection, token)
    assert find_session(connection, token, NOW) is None


def test_ended_sessions_are_cleared_away(connection: sa.Connection) -> None:
    create_user(connection, "kari-test", PASSWORD, NOW)
    open_session(connection, "kari-test", NOW)
    open_session(connection, "kari-test", later(LIFETIME.total_seconds() + 1))
    assert connection.scalar(sa.select(sa.func.count()).select_from(tables.sessions)) == 1


def test_guessing_is_slowed_down_and_never_locks_for_good() -> None:
    throttle = Throttle(burst=3, every_s=30)
    assert [throttle.take("kari@a", 0.0) for _ in range(4)] == [0.0, 0.0, 0.0, 30.0]
    assert throttle.take("kari@b", 0.0) == 0.0  # another address is another key
    assert throttle.take("kari@a", 29.0) == 1.0
    assert throttle.take("kari@a", 30.0) == 0.0


def test_success_is_forgiven() -> None:
    throttle = Throttle(burst=1, every_s=30)
    throttle.take("kari@a", 0.0)
    throttle.forgive("kari@a")
    throttle.forgive("never seen")
    assert throttle.take("kari@a", 0.0) == 0.0


def test_the_throttle_forgets_the_longest_unused_key() -> None:
    throttle = Throttle(burst=1, every_s=30, most=2)
    for key in ("a", "b", "c"):
        throttle.take(key, 0.0)
    assert throttle.take("a", 0.0) == 0.0
    assert throttle.take("c", 0.0) == 30.0


@given(st.lists(st.floats(0, 10), min_size=1, max_size=80))
def test_no_pattern_of_attempts_beats_the_rate(gaps: list[float]) -> None:
    throttle = Throttle(burst=3, every_s=30)
    at_s = 0.0
    admitted = 0
    for gap in gaps:
        at_s += gap
        wait_s = throttle.take("key", at_s)
        assert 0.0 <= wait_s <= 30.0 + 1e-6  # nobody is ever told to wait longer than one interval
        admitted += wait_s == 0.0
    assert admitted <= 3 + at_s / 30 + 1e-6
