"""``KEY=VALUE``, as people type it."""

import json


def pair(text: str) -> tuple[str, object]:
    """Read a key and its value.

    Raises:
        ValueError: There is no ``=`` in it.
    """
    key, equals, written = text.partition("=")
    if not equals:
        raise ValueError(f"{text!r}: write KEY=VALUE")
    return key, value(written)


def value(text: str) -> object:
    """Read what is written: JSON where it is any, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text
