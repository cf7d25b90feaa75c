"""What fits into one text message.

3GPP TS 23.038, section 6.2.1: the GSM 7 bit default alphabet. A text of these characters has room for 160 of
them; a single other one makes it a text of at most 70. The extension table (brackets, braces, the euro sign
and a few more) counts twice and is left out, so that characters can be counted.
"""

import unicodedata
from collections.abc import Sequence

LIMIT = 160

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)

# Northern Sami letters that do not come apart into a letter and an accent.
_ALIKE = str.maketrans({"đ": "d", "Đ": "D", "ŋ": "n", "Ŋ": "N", "ŧ": "t", "Ŧ": "T"})


def fits(text: str) -> bool:
    """Tell whether a text goes out as one message."""
    return len(text) <= LIMIT and BASIC.issuperset(text)


def plain(text: str) -> str:
    """Return a text on one line in the basic alphabet; what has no likeness there becomes ``?``."""
    return "".join(map(_likeness, " ".join(text.translate(_ALIKE).split())))


def join(names: Sequence[str], width: int) -> str:
    """Return names with a blank between, as many as ``width`` characters hold, then ``+n`` for the rest.

    Where not even one has room whole, its beginning stands for it.
    """
    text = whole(names, width, least=1)
    if text is not None or not names:
        return text or ""
    more = f" +{len(names) - 1}" if len(names) > 1 else ""
    return names[0][: max(0, width - len(more))] + more


def whole(names: Sequence[str], width: int, *, least: int = 0) -> str | None:
    """Return what :func:`join` does, of whole names only; ``None`` where fewer than ``least`` have room."""
    # A name takes two characters at least, with its blank: of a thousand only the first few can have room.
    for kept in range(min(len(names), width // 2 + 1), least - 1, -1):
        rest = len(names) - kept
        text = " ".join([*names[:kept], *([f"+{rest}"] if rest else [])])
        if len(text) <= width:
            return text
    return None


def _likeness(character: str) -> str:
    if character in BASIC:
        return character
    base = unicodedata.normalize("NFKD", character)[0]
    return base if base in BASIC else "?"
