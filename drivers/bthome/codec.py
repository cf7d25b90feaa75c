"""BTHome v2 service data to objects: frame, decryption, values. Errors name the byte."""

from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from drivers.bthome.table import COMMAND, OBJECTS, Object
from hub.domain.errors import MalformedError

VERSION = 2
MIC_BYTES = 4
_UUID = b"\xd2\xfc"
_MAC_BYTES = 6
_TAIL_BYTES = 4 + MIC_BYTES
# Factors go down to 1e-6: six decimals hold every value and drop the noise of binary fractions.
_DECIMALS = 6


class Frame(NamedTuple):
    """Service data, taken apart but not yet decrypted.

    Attributes:
        info: The device information byte.
        mac: Address in the frame, as printed, or ``None``.
        body: The objects, in clear or encrypted.
        start: Where the body starts in the service data.
        counter: Counter of an encrypted frame, or ``None``.
        tail: Counter and MIC as they came.
    """

    info: int
    mac: bytes | None
    body: bytes
    start: int
    counter: int | None
    tail: bytes


class Item(NamedTuple):
    """One object of a frame and its value; text and raw bytes have none."""

    object: Object
    value: float | int | None


def split(data: bytes) -> Frame:
    """Take service data apart.

    Raises:
        MalformedError: It is too short, or of another version.
    """
    if not data:
        raise MalformedError("byte 0: no device information byte")
    info = data[0]
    if info >> 5 != VERSION:
        raise MalformedError(f"byte 0: BTHome version {info >> 5}, known is {VERSION}")
    start = 1 + _MAC_BYTES if info & 0x02 else 1
    encrypted = info & 0x01
    least = start + (_TAIL_BYTES if encrypted else 0)
    if len(data) < least:
        raise MalformedError(f"byte {len(data)}: frame ends, 0x{info:02X} needs {least} bytes at least")
    end = len(data) - _TAIL_BYTES if encrypted else len(data)
    tail = data[end:]
    return Frame(
        info,
        data[1:start][::-1] if info & 0x02 else None,
        data[start:end],
        start,
        int.from_bytes(tail[:4], "little") if encrypted else None,
        tail,
    )


def decrypt(frame: Frame, cipher: AESCCM, mac: bytes) -> bytes | None:
    """Return the objects of an encrypted frame, or ``None`` where key, address and MIC do not agree.

    AES-128-CCM, tag of 4 bytes, no associated data; the nonce is address, UUID, device information byte and
    counter (bthome.io/encryption).
    """
    nonce = mac + _UUID + bytes([frame.info]) + frame.tail[:4]
    try:
        return cipher.decrypt(nonce, frame.body + frame.tail[4:], None)
    except InvalidTag:
        return None


def parse(body: bytes, start: int = 0) -> tuple[list[Item], str | None]:
    """Read objects until the end, or until one that cannot be read: then why, else ``None``.

    What was read before an unknown or cut object stands; what follows it is lost, because only the table
    knows how long an object is.

    Args:
        body: The objects, decrypted.
        start: Where they stand in the service data, for the sentence.
    """
    items: list[Item] = []
    at = 0
    while at < len(body):
        row = OBJECTS.get(body[at])
        if row is None:
            return items, f"byte {start + at}: unknown object id 0x{body[at]:02X}"
        first = at + 1
        size = row.size
        if not size:
            if first == len(body):
                return items, f"byte {start + at}: {row.name} ends before its length"
            # A command counts its arguments in five bits, the opcode not among them.
            size = 1 + (body[first] & 0x1F) if body[at] == COMMAND else body[first]
            first += 1
        end = first + size
        if end > len(body):
            missing = end - len(body)
            return items, f"byte {start + at}: {row.name} is {missing} bytes short of its {size}"
        items.append(Item(row, _value(row, body[first:end])))
        at = end
    return items, None


def _value(row: Object, raw: bytes) -> float | int | None:
    if not row.size:
        return None
    number = int.from_bytes(raw, "little", signed=row.signed)
    return number if row.factor == 1 else round(number * row.factor, _DECIMALS)
