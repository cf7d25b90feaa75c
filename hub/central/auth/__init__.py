"""Who may use the console: accounts, their sessions, and how often a password may be tried."""

from hub.central.auth.accounts import check_password, create_user, remove_user, set_password
from hub.central.auth.sessions import Session, close_session, find_session, open_session
from hub.central.auth.throttle import Throttle

__all__ = [
    "Session",
    "Throttle",
    "check_password",
    "close_session",
    "create_user",
    "find_session",
    "open_session",
    "remove_user",
    "set_password",
]
