"""Made-up addresses for a recording: the same one for the same device, of the same form, another each time.

A made-up address comes from the true one by a keyed hash (HMAC-SHA-256), whose key is thrown away when the
recording ends: without it, nobody can try all addresses of a maker until one fits.
"""

import hashlib
import hmac
import re
import secrets

# Octets with or without separators, as BLE, EnOcean, Zigbee and Z-Wave write their addresses.
_OCTETS = re.compile(r"(?:0x)?[0-9A-Fa-f]{2}(?:[:-]?[0-9A-Fa-f]{2}){3,7}")
# The two highest bits tell what kind of BLE address it is (Core, volume 6 part B, section 1.3).
_KIND_BITS = 0b1100
_MAC = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}")
# A shorter address, such as a node's number, is found in everything and tells nobody anything.
_TELLING = 4


class Pseudonyms:
    """Makes them for one recording.

    Args:
        key: The secret; a new one unless a test gives it.

    Attributes:
        salt: Names the recording; the key cannot be told from it.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(32)
        self.salt = hashlib.sha256(b"salt" + self._key).hexdigest()[:16]
        self._made: dict[str, str] = {}

    def address(self, true: str) -> str:
        """Return the made-up address of a true one."""
        made = self._made.get(true)
        if made is None:
            made = self._made[true] = self._make(true)
        return made

    def _make(self, true: str) -> str:
        digits = iter(hmac.new(self._key, true.upper().encode(), hashlib.sha256).hexdigest() * 4)
        if not _OCTETS.fullmatch(true):
            return f"name-{''.join(next(digits) for _ in range(8))}" if true else ""
        start = 2 if true.startswith("0x") else 0
        made = list(true)
        for at in range(start, len(true)):
            if true[at] in ":-":
                continue
            digit = next(digits)
            made[at] = digit.upper() if true.upper() == true else digit
        if _MAC.fullmatch(true):
            kind = int(true[0], 16) & _KIND_BITS | int(made[0], 16) & ~_KIND_BITS
            made[0] = f"{kind:X}" if true.upper() == true else f"{kind:x}"
        return "".join(made)

    def text(self, text: str) -> str:
        """Return a text in which every address that was met is replaced."""
        for true, made in sorted(self._made.items(), key=lambda pair: -len(pair[0])):
            if len(true) >= _TELLING:
                text = text.replace(true, made)
        return text

    def data(self, data: bytes) -> bytes:
        """Return bytes in which every address that was met is replaced: as octets in either order, or as text.

        A checksum over them does not fit then; a driver that can make it fit does so before.
        """
        for true, made in self._made.items():
            if len(true) < _TELLING:
                continue
            pairs = [(true.encode(), made.encode())]
            if _OCTETS.fullmatch(true):
                old, new = _octets(true), _octets(made)
                pairs += [(old, new), (old[::-1], new[::-1])]
            for before, after in pairs:
                data = data.replace(before, after)
        return data


def _octets(address: str) -> bytes:
    return bytes.fromhex(address.removeprefix("0x").replace(":", "").replace("-", ""))
