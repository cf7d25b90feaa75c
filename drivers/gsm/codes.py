"""Error codes of modems and networks, by name, and what each says about trying again.

Sources: 3GPP TS 27.007, 9.2 (``+CME ERROR``); TS 27.005, 3.2.5, with TS 24.011, annex E-2, for the codes
below 128 (``+CMS ERROR``); TS 23.040, 9.2.3.15 (TP-ST of a status report).
"""

from enum import Enum

CME = {
    3: "operation not allowed",
    4: "operation not supported",
    5: "PH-SIM PIN required",
    10: "SIM not inserted",
    11: "SIM PIN required",
    12: "SIM PUK required",
    13: "SIM failure",
    14: "SIM busy",
    15: "SIM wrong",
    16: "incorrect password",
    17: "SIM PIN2 required",
    18: "SIM PUK2 required",
    20: "memory full",
    21: "invalid index",
    22: "not found",
    23: "memory failure",
    30: "no network service",
    31: "network timeout",
    32: "network not allowed, emergency calls only",
    50: "incorrect parameters",
    100: "unknown",
}
NO_SIM, PUK_REQUIRED, SIM_BUSY, INCORRECT_PASSWORD = 10, 12, 14, 16
BROKEN_SIM = frozenset({NO_SIM, 13, 15})

CMS = {
    1: "unassigned number",
    8: "operator determined barring",
    10: "call barred",
    21: "short message transfer rejected",
    22: "destination out of service or memory capacity exceeded",
    27: "destination out of service",
    28: "unidentified subscriber",
    29: "facility rejected",
    30: "unknown subscriber",
    38: "network out of order",
    41: "temporary failure",
    42: "congestion",
    47: "resources unavailable",
    50: "requested facility not subscribed",
    69: "requested facility not implemented",
    81: "invalid short message transfer reference",
    95: "invalid message",
    96: "invalid mandatory information",
    97: "message type not implemented",
    111: "protocol error",
    127: "interworking",
    300: "modem failure",
    301: "SMS service of the modem reserved",
    302: "operation not allowed",
    303: "operation not supported",
    304: "invalid PDU parameter",
    305: "invalid text parameter",
    310: "SIM not inserted",
    311: "SIM PIN required",
    313: "SIM failure",
    314: "SIM busy",
    315: "SIM wrong",
    316: "SIM PUK required",
    320: "memory failure",
    321: "invalid memory index",
    322: "memory full",
    330: "service centre address unknown",
    331: "no network service",
    332: "network timeout",
    340: "no acknowledgement expected",
    500: "unknown error",
}
# These say that the number, the subscription or the message is wrong: the same again ends the same.
CMS_FINAL = frozenset({1, 8, 10, 21, 28, 29, 30, 50, 69, 95, 96, 97, 304, 305, 330})


def named(family: str, code: int | None) -> str:
    """Return an error as a technician reads it, such as ``CMS 331 (no network service)``."""
    if code is None:
        return "ERROR"
    name = (CME if family == "CME" else CMS).get(code)
    return f"{family} {code} ({name})" if name else f"{family} {code}"


class Fate(Enum):
    """What a status report says of a text."""

    DELIVERED = "delivered"
    UNPROVEN = "unproven"
    TRYING = "trying"
    FAILED = "failed"


def fate(status: int) -> Fate:
    """Read TP-ST: below 0x20 done, below 0x40 the service centre tries on, above it has given up.

    Of what is done, 0x01 was sent on without a word from the phone, 0x02 was replaced, and up to 0x0F is reserved:
    none of them says that the phone has it.
    """
    if 0x00 < status < 0x10:
        return Fate.UNPROVEN
    if status < 0x20:
        return Fate.DELIVERED
    return Fate.TRYING if status < 0x40 else Fate.FAILED


_STATUS = {
    0x40: "remote procedure error",
    0x41: "incompatible destination",
    0x42: "connection rejected by the destination",
    0x43: "not obtainable",
    0x44: "quality of service not available",
    0x45: "no interworking available",
    0x46: "validity period expired",
    0x47: "deleted by the sender",
    0x48: "deleted by the service centre",
    0x49: "does not exist",
    0x60: "congestion",
    0x61: "destination busy",
    0x62: "no response from the destination",
    0x63: "service rejected",
}


def status_named(status: int) -> str:
    """Return TP-ST as a technician reads it."""
    name = _STATUS.get(status)
    return f"status 0x{status:02X} ({name})" if name else f"status 0x{status:02X}"
