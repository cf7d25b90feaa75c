"""BTHome v2 frames, as a sender makes them.

Written from the BTHome v2 format (bthome.io): service data of UUID 0xFCD2, device info byte, objects by
ascending id, and for encrypted frames AES-128-CCM with a 4-byte tag and no associated data.
"""

import struct

from cryptography.hazmat.primitives.ciphers.aead import AESCCM

UUID = b"\xd2\xfc"
_INFO_VERSION_2 = 0x40
_INFO_ENCRYPTED = 0x01
_INFO_TRIGGERED = 0x04
PACKET_ID, BATTERY, ILLUMINANCE, MOTION, OPENING, HUMIDITY = 0x00, 0x01, 0x05, 0x21, 0x2D, 0x2E
BUTTON, ROTATION, TEMPERATURE = 0x3A, 0x3F, 0x45

#: How one can push a button: word to value of object 0x3A.
PUSHES = {
    "none": 0,
    "press": 1,
    "double": 2,
    "triple": 3,
    "long": 4,
    "long_double": 5,
    "long_triple": 6,
    "hold": 0x80,
    "let_go": 0x81,
}


def objects(*values: tuple[int, bytes]) -> bytes:
    """Return the objects in the order that the format asks for: by id."""
    return b"".join(bytes([number]) + value for number, value in sorted(values, key=lambda item: item[0]))


def frame(payload: bytes, *, triggered: bool = True) -> bytes:
    """Return the service data, without UUID, of a frame that is not encrypted."""
    return bytes([_INFO_VERSION_2 | (_INFO_TRIGGERED if triggered else 0)]) + payload


def encrypted_frame(payload: bytes, *, key: bytes, address: bytes, counter: int, triggered: bool = True) -> bytes:
    """Return the service data, without UUID, of an encrypted frame.

    Args:
        payload: The objects.
        key: 16 bytes.
        address: The sender's 6 bytes, in the order they are printed.
        counter: 32 bits; grows with each frame.
        triggered: The device sends on events only.
    """
    info = bytes([_INFO_VERSION_2 | _INFO_ENCRYPTED | (_INFO_TRIGGERED if triggered else 0)])
    count = struct.pack("<I", counter)
    sealed = AESCCM(key, tag_length=4).encrypt(address + UUID + info + count, payload, None)
    return info + sealed[:-4] + count + sealed[-4:]
