"""What each kind of device sends for each thing one can do to it.

Written from EnOcean Equipment Profiles: F6-01-01, F6-02-01 and -02, F6-05-01 and -02, F6-10-00, D5-00-01,
A5-07-01, A5-08-01, A5-14-01 and A5-30-03. The last word of a row, but for "teach", is how the device rests.
"""

from collections.abc import Mapping
from typing import NamedTuple

from firmware_sim.devices.enocean.esp3 import RADIO_ERP1, packet

_RPS, _1BS, _4BS, _SEC = 0xF6, 0xD5, 0xA5, 0x30
# Status of an RPS telegram: T21 always; NU where the payload names the button.
_DOWN, _UP = 0x30, 0x20
#: Supply of 3.0 V, in steps of 0.02 V.
_SUPPLY = 0x96
#: The manufacturer number that belongs to everybody.
_ANY_MAKER = 0x7FF


class Telegram(NamedTuple):
    """One radio telegram: its kind (RORG), payload, and status byte."""

    rorg: int
    payload: bytes
    status: int = 0x00

    def erp1(self, sender: bytes, dbm: int = 45, subtelegram: int = 1) -> bytes:
        """Return it as the stick reports it, received at ``-dbm`` dBm."""
        data = bytes([self.rorg]) + self.payload + sender + bytes([self.status])
        return packet(RADIO_ERP1, data, bytes([subtelegram]) + b"\xff\xff\xff\xff" + bytes([dbm, 0]))


def _rps(byte: int, status: int = _DOWN) -> Telegram:
    return Telegram(_RPS, bytes([byte]), status)


def _4bs(*payload: int) -> Telegram:
    return Telegram(_4BS, bytes(payload))


def _teach(function: int, number: int) -> Telegram:
    """4BS teach-in of the second kind: 6 bits function, 7 bits type, 11 bits maker, and that they are there."""
    told = function << 18 | number << 11 | _ANY_MAKER
    return Telegram(_4BS, told.to_bytes(3, "big") + b"\x80")


TELEGRAMS: Mapping[str, Mapping[str, Telegram]] = {
    # F6-01-01: bit 4 is the button; status T21 and NU on pressing, T21 alone on release.
    "pendant": {"press": _rps(0x10), "release": _rps(0x00, _UP)},
    # F6-02-01: rocker BI (010) and energy bow; on release nothing is pressed.
    "pullcord": {"press": _rps(0x50), "release": _rps(0x00, _UP)},
    # F6-02-02: two rockers; "both" is what a hand that grabs it does: AI (000) with BI second.
    "callbutton": {"press": _rps(0x10), "both": _rps(0x15), "release": _rps(0x00, _UP)},
    # F6-05-01.
    "water": {"wet": _rps(0x11), "dry": _rps(0x00, _UP)},
    # F6-05-02.
    "smoke": {"smoke": _rps(0x10), "low_battery": _rps(0x30), "clear": _rps(0x00, _UP)},
    # F6-10-00: bits 5 and 4 are where the handle went: 10 from down to the side, 01 up, 11 down.
    "handle": {"open": _rps(0xE0, _UP), "tilt": _rps(0xD0, _UP), "close": _rps(0xF0, _UP)},
    # D5-00-01: bit 0 is "closed"; bit 3 clear would be a teach-in telegram.
    "door": {
        "open": Telegram(_1BS, b"\x08"),
        "close": Telegram(_1BS, b"\x09"),
        "teach": Telegram(_1BS, b"\x00"),
    },
    # A5-07-01: supply, nothing, PIR (128 and above: motion), bit 3 data and bit 0 "supply is valid".
    "motion": {
        "move": _4bs(_SUPPLY, 0, 0xC8, 0x09),
        "still": _4bs(_SUPPLY, 0, 0x00, 0x09),
        "teach": _teach(0x07, 0x01),
    },
    # A5-08-01: supply, 120 lx in steps of 2, 21 degrees in steps of 0.2; bits 1 and 0 clear: motion, button.
    "presence": {
        "move": _4bs(_SUPPLY, 60, 105, 0x0D),
        "push": _4bs(_SUPPLY, 60, 105, 0x0C),
        "still": _4bs(_SUPPLY, 60, 105, 0x0F),
        "teach": _teach(0x08, 0x01),
    },
    # A5-14-01: supply, two bytes of nothing, bit 0 "open".
    "contact": {
        "open": _4bs(_SUPPLY, 0, 0, 0x09),
        "close": _4bs(_SUPPLY, 0, 0, 0x08),
        "teach": _teach(0x14, 0x01),
    },
    # A5-30-03: nothing, 20 degrees (255 is 0, 0 is 40), wake in bit 4 and four inputs below it.
    "mat": {
        "occupy": _4bs(0, 128, 0x11, 0x08),
        "leave": _4bs(0, 128, 0x10, 0x08),
        "teach": _teach(0x30, 0x03),
    },
}

#: Kinds whose first byte is the supply voltage.
SUPPLIED = frozenset({"motion", "presence", "contact"})
#: Kinds that say how they are now and then, unasked.
CYCLIC = frozenset({"door", "motion", "presence", "contact", "mat"})
#: An encrypted telegram: no receiver reads it that was not taught the device's key.
SECURE = Telegram(_SEC, bytes.fromhex("a1b2c3d4e5f60708"))
