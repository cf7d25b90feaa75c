"""Identity: what makes two messages the same message."""

import datetime as dt
import re
import secrets

from hub.domain.errors import MalformedError

# What may stand in a topic, a line-protocol tag and a text message without being quoted.
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")
_EPOCH_BYTES = 4


def uuid7(at: dt.datetime) -> str:
    """Make a UUIDv7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, 74 random bits."""
    millis = max(0, int(at.timestamp() * 1000)) & 0xFFFF_FFFF_FFFF
    value = millis << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_epoch() -> str:
    """Make the name of one life of a journal: eight hexadecimal digits."""
    return secrets.token_hex(_EPOCH_BYTES)


def checked_name(text: str, what: str) -> str:
    """Return ``text`` when it can name a hub, a device, a resident or a zone.

    Raises:
        MalformedError: It has other than small letters, digits and hyphens, or more than 48 of them.
    """
    if not _NAME.fullmatch(text):
        raise MalformedError(
            f"{what} {text!r}: use 1 to 48 small letters, digits and hyphens, a letter or digit first"
        )
    return text
