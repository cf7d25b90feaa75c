"""The tokens of links: made for a text, kept when the text had room for them."""

import datetime as dt
import hashlib
import re
import secrets

from hub.central.centre import Tx
from hub.central.store.tables import links

# 128 bits: nobody guesses one (OWASP ASVS 3.2.2 asks for 64 of a session).
_TOKEN_BYTES = 16
# What the text of a channel can carry as something to be opened.
_SHOWN_BY = frozenset({"sms", "push", "email"})
PATH = "/l/"
_IN_TEXT = re.compile(rf"https://[^\s/]+(?:/[^\s/]+)*?({PATH}[A-Za-z0-9_-]{{22}})(?![A-Za-z0-9_-])")


def fresh(tx: Tx, channel: str) -> str:
    """Return a new token, empty when the site wants no links or the channel cannot show one."""
    settings = tx.site.site.site
    wanted = settings.links and settings.public_url and channel in _SHOWN_BY
    return secrets.token_urlsafe(_TOKEN_BYTES) if wanted else ""


def address(tx: Tx, token: str) -> str:
    """Return the address that opens a token, empty for none."""
    return f"{tx.site.site.site.public_url}{PATH}{token}" if token else ""


def path_in(text: str) -> str:
    """Return the path of the link that a text bears, empty for none."""
    found = _IN_TEXT.search(text)
    return found[1] if found else ""


def keep(tx: Tx, token: str, incident_id: int, phone: str) -> None:
    """Let a token open an incident for a phone, until the site's time is over."""
    lifetime = dt.timedelta(hours=tx.site.site.site.link_h)
    tx.connection.execute(links.delete().where(links.c.expires_at <= tx.now.utc))
    row = {"token_hash": digest(token), "incident_id": incident_id, "phone": phone}
    tx.connection.execute(links.insert(), row | {"created_at": tx.now.utc, "expires_at": tx.now.utc + lifetime})


def digest(token: str) -> str:
    """Return what the store keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()
