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


def signed(hook: Hook, token: str) -> None:
    """Make sure that a call is Twilio's.

    Its own libraries accept the address with and without its port, the usual one too: what signs there does not
    always do the same.

    Raises:
        RefusedError: The signature is missing or wrong.
    """
    given = hook.headers.get(_HEADER, "").encode()
    fits = [
        hmac.compare_digest(given, signature(url, dict(hook.form), token).encode())
        for url in (hook.url, *_with_and_without_port(hook.url))
    ]
    if not any(fits):
        raise RefusedError("the signature does not fit")


def _with_and_without_port(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return urlunsplit(parts._replace(netloc=f"{host}:{port}")), urlunsplit(parts._replace(netloc=host))
