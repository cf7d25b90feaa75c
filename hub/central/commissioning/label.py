"""What is printed on a device: the text of its QR code, read into the keys of a ``[[devices]]`` table.

Source: EnOcean Alliance, "Product ID and Standardized Labeling Specification" (data identifiers of ANSI MH10.8.2
with a plus sign between: ``30S`` and 12 hexadecimal digits of the unique radio id, ``1P`` and the product id,
``10Z`` and on). Our own form is in ``docs/commissioning.md``.
"""

import re

from hub.domain.errors import MalformedError

# Longer than any label; a QR code holds at most 4,296 characters.
_MOST = 4296
OWN_KEYS = ("id", "driver", "address", "key", "profile")
FORMS = (
    "an EnOcean label such as 30S0000FEFEAE38+1P000C00000002, or ours: "
    "driver=bthome;address=A4:C1:38:00:20:01;key=00112233445566778899AABBCCDDEEFF"
)
_ENOCEAN = re.compile(r"30S([0-9A-F]+)((?:\+[0-9]{0,2}[A-Z][^+]*)*)")
_EURID_DIGITS, _PADDED_DIGITS = 8, 12


def read(text: str) -> dict[str, str]:
    """Return what a QR text says of a device, as keys of a ``[[devices]]`` table.

    Raises:
        MalformedError: It is of no form that is known, or not right in its form. The text itself, which may hold a
            key, is not repeated.
    """
    text = text.strip()
    if len(text) > _MOST or not text.isprintable():
        raise MalformedError(f"QR text: is no text of a label; there are {FORMS}")
    if text.upper().startswith("30S"):
        return _enocean(text.upper())
    if "=" in text:
        return _own(text)
    raise MalformedError(f"QR text: unknown form; there are {FORMS}")


def _enocean(text: str) -> dict[str, str]:
    found = _ENOCEAN.fullmatch(text)
    digits = found[1] if found else ""
    if len(digits) != _PADDED_DIGITS:  # eight are the label of another radio, of 2.4 GHz
        raise MalformedError(f"QR text: 30S is followed by {_PADDED_DIGITS} hexadecimal digits of the radio's id")
    eurid = digits[-_EURID_DIGITS:]
    if digits[:-_EURID_DIGITS].strip("0"):
        raise MalformedError("QR text: its id is longer than 32 bits: a radio that the stick does not hear")
    if eurid in {"00000000", "FFFFFFFF"}:
        raise MalformedError(f"QR text: {eurid} is no sender's id")
    return {"driver": "enocean", "address": eurid}


def _own(text: str) -> dict[str, str]:
    said: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or key not in OWN_KEYS or not value:
            raise MalformedError(f"QR text: write KEY=VALUE with ; between, KEY one of {', '.join(OWN_KEYS)}")
        if key in said:
            raise MalformedError(f"QR text: {key} is there twice")
        said[key] = value
    return said
