"""The tokens of links: a text is queued with a place for one, and gets it at the moment it leaves.

A token is only in the text that the provider gets: whoever reads the store finds a hash, which opens nothing.
"""

import datetime as dt
import hashlib
import re
import secrets

import sqlalchemy as sa

from hub.central.centre import Tx
from hub.central.store.tables import links

# 128 bits: nobody guesses one (OWASP ASVS 3.2.2 asks for 64 of a session).
_TOKEN_BYTES = 16
# What the text of a channel can carry as something to be opened.
_SHOWN_BY = frozenset({"sms", "push", "email"})
PATH = "/l/"
# As long as a token, so that it is known what fits. No token has brackets or blanks; and whatever a site calls its
# rooms and residents, gsm.plain() leaves no two blanks in a row.
PLACE = "(made  when  it  goes)"
_WORD = "[A-Za-z0-9_-]{22}"
_IN_TEXT = re.compile(rf"https://[^\s/]+(?:/[^\s/]+)*?({PATH}{_WORD})(?![A-Za-z0-9_-])")
_WAITING = re.compile(rf"https://\S+{PATH}{re.escape(PLACE)} ?")
# As it stands, in JSON that escapes its slashes, and in a form.
_SLASH = r"(?:\\?/|%2[Ff])"
_REPEATED = re.compile(rf"({_SLASH}l{_SLASH}){_WORD}")
# Made once: to make a statement takes longer than to ask it.
_FORGET = links.delete().where(links.c.expires_at <= sa.bindparam("now"))
_KEEP = links.insert()


def address(tx: Tx, channel: str) -> str:
    """Return the address of a link to be, with a place for its token; empty when there is to be none.

    The site may want no links, or the channel cannot show one.
    """
    settings = tx.site.site.site
    wanted = settings.links and settings.public_url and channel in _SHOWN_BY
    return f"{settings.public_url}{PATH}{PLACE}" if wanted else ""


def wanted(text: str) -> bool:
    """Tell whether a queued text has a place for a token."""
    return _WAITING.search(text) is not None


def make(tx: Tx, incident_id: int, phone: str) -> str:
    """Return a new token, which opens an incident for a phone until the site's time is over."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    lifetime = dt.timedelta(hours=tx.site.site.site.link_h)
    tx.connection.execute(_FORGET, {"now": tx.now.utc})
    row = {"token_hash": digest(token), "incident_id": incident_id, "phone": phone}
    tx.connection.execute(_KEEP, row | {"created_at": tx.now.utc, "expires_at": tx.now.utc + lifetime})
    return token


def filled(text: str, token: str) -> str:
    """Return a queued text as it leaves: with a token in its place, without the link when there is none."""
    return text.replace(PLACE, token) if token else _WAITING.sub("", text)


def path_in(text: str) -> str:
    """Return the path of the link that a text bears, empty for none."""
    found = _IN_TEXT.search(text)
    return found[1] if found else ""


def hidden(text: str) -> str:
    """Return what somebody else says without the tokens in it: it may repeat a text of ours."""
    return _REPEATED.sub(r"\1…", text)


def digest(token: str) -> str:
    """Return what the store keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()
