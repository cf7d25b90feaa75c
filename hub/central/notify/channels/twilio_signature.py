"""Twilio's signature: HMAC-SHA1 over the address and the sorted fields (twilio.com/docs/usage/security)."""

import base64
import hashlib
import hmac
from urllib.parse import urlsplit, urlunsplit

from hub.central.notify.channels.base import Hook
from hub.domain.errors import RefusedError

_HEADER = "x-twilio-signature"


def signature(url: str, form: dict[str, str], token: str) -> str:
    """Return what Twilio writes for a call to this address with this form, in base64."""
    said = url + "".join(name + form[name] for name in sorted(form))
    # SHA-1 is what Twilio signs with; as HMAC it is not broken.
    return base64.b64encode(hmac.new(token.encode(), said.encode(), hashlib.sha1).digest()).decode()


def signed(hook: Hook, hooks: str, token: str) -> None:
    """Make sure that a call is Twilio's.

    What is signed is the address that Twilio was told. A proxy before us changes scheme, host and port of what we
    see, so it is put together from our own public address. Twilio's libraries accept it with and without a port.

    Raises:
        RefusedError: The signature is missing or wrong.
    """
    query = urlsplit(hook.url).query
    called = f"{hooks.rstrip('/')}/{hook.what}" + (f"?{query}" if query else "")
    given = hook.headers.get(_HEADER, "").encode()
    fits = [
        hmac.compare_digest(given, signature(url, dict(hook.form), token).encode())
        for url in (called, _without_port(called))
    ]
    if not any(fits):
        raise RefusedError("the signature does not fit")


def _without_port(url: str) -> str:
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return urlunsplit(parts._replace(netloc=host))
