"""What to write to and read from a Shelly BLU device so that it encrypts and can be supervised.

Source: the maker's pages on BLU encryption and common features. All of it asks for a bonded link, and the device
bonds only in pairing mode: its button held for more than 10 s.

Beacon mode comes first, because it does no harm when what follows fails. The passkey switches encryption on, with
a key that the device makes anew each time; only a factory reset switches it off again.
"""

from drivers.base import Read, Write
from hub.domain.errors import MalformedError

PASSKEY = "0ffb7104-860c-49ae-8989-1f946d5f6c03"
KEY = "eb0fb41b-af4b-4724-a6f9-974f55aba81a"
BEACON_MODE = "cb9e957e-952d-4761-a7e1-4416494a5bfa"

PASSKEY_MAX = 999_999
KEY_BYTES = 16
_ON = b"\x01"


def steps(passkey: int) -> tuple[Write | Read, ...]:
    """Return what to do on the bonded link, in this order; the last step gives the key.

    Args:
        passkey: Six digits, chosen by the technician; whoever takes the device over needs them.

    Raises:
        MalformedError: It is no number of six digits.
    """
    if not 0 <= passkey <= PASSKEY_MAX:
        raise MalformedError(f"passkey: a number of six digits, 0 to {PASSKEY_MAX}")
    return (Write(BEACON_MODE, _ON), Write(PASSKEY, passkey.to_bytes(4, "little")), Read(KEY))


def key_of(value: bytes) -> bytes:
    """Check the key that was read, and return it.

    Raises:
        MalformedError: It is of another length, or all zeros, as of a device that does not encrypt.
    """
    if len(value) != KEY_BYTES:
        raise MalformedError(f"key: {len(value)} bytes, not {KEY_BYTES}")
    if not any(value):
        raise MalformedError("key: all zeros, the device has not switched encryption on")
    return value
