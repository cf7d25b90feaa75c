"""Takes out of a text what must not be in a log: phone numbers, addresses, keys, tokens.

A last line of defence. What is logged holds ids only; this is for what comes in an error's own words.
"""

import re
from collections.abc import Iterable

NUMBER, ADDRESS, SECRET, ROW = "[number]", "[address]", "[secret]", "[row]"

# E.164 with its plus, its 00, or its plus as a form writes it; with what people put between the digits.
_NUMBER = re.compile(
    r"(?:\+|%2[bB])[ ]?[0-9](?:[ \-.()/]{0,2}[0-9]){5,}|(?<![0-9.,:-])00[1-9][0-9]{6,14}(?![0-9])"
)
# The same with what people put between the digits, and as some providers have it, without its plus: Norway's code
# and eight digits. Those eight alone may as well be a seq or a size, and stay; so do the bytes of a frame.
_NATIONAL = re.compile(
    r"(?<![\w.,:\-])00[1-9](?:[ \-]?[0-9]){8,12}(?!\w)"
    r"|(?<![\w.,\-])(?<!\b[0-9A-Fa-f]{2} )47[ ]?"
    r"(?:[0-9]{8}|[0-9]{3} [0-9]{2} [0-9]{3}|[0-9]{2}(?: [0-9]{2}){3})(?!\w|[.,][0-9]| [0-9A-Fa-f]{2}\b)"
)
# What PostgreSQL quotes of a row that it refuses is all of it.
_ROW = re.compile(r"(?ms)(?<=Failing row contains )\(.*?\)\.?$")
_ADDRESS = re.compile(r"[A-Za-z0-9._%+\-]+@[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+")
# 128 bits in hexadecimal or more, also with a sign between its bytes.
_KEY = re.compile(r"[0-9A-Fa-f]{32,}|(?:[0-9A-Fa-f]{2}[:\- ]){15,}[0-9A-Fa-f]{2}")
# What Authorization says, what is called a secret, a password in an address, and what opens a hook or a link.
_NAMED = re.compile(
    r"(?i)\b(bearer|basic)(\s+)[^\s\"']+"
    r"|\b([a-z_\-]*(?:password|passwd|secret|token|api[_\-]?key|authorization))([\"']?\s*[=:]\s*[\"']?)"
    r"(?:(?:bearer|basic)\s+)?[^\s\"'&,;]+"
    r"|(://[^/\s:@]*)(:)[^/\s@]+(?=@)"
    r"|(/hooks/[^/\s]+)(/)[^/\s?\"']+"
    r"|(/l)(/)[A-Za-z0-9_\-]{22}"
)
# A random word of base64url: long, of small and capital letters and digits.
_WORD = re.compile(r"[A-Za-z0-9_\-]{40,}")


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text without numbers, addresses, keys and tokens.

    Args:
        text: What is to be logged.
        secrets: Words that are known to be secret, of whatever form.
    """
    for secret in secrets:
        text = text.replace(secret, SECRET)
    text = _NAMED.sub(_named, text)
    text = _KEY.sub(SECRET, text)
    text = _WORD.sub(lambda found: SECRET if _is_random(found[0]) else found[0], text)
    text = _ADDRESS.sub(ADDRESS, text)
    text = _ROW.sub(ROW, text)
    return _NATIONAL.sub(NUMBER, _NUMBER.sub(NUMBER, text))


def _named(found: re.Match[str]) -> str:
    groups = [group for group in found.groups() if group is not None]
    return "".join([*groups, SECRET])


def _is_random(word: str) -> bool:
    return all(any(test(sign) for sign in word) for test in (str.islower, str.isupper, str.isdigit))
