"""Teach-in telegrams: a device that says what it is, when somebody presses its button.

Source: EnOcean Equipment Profiles 3.1, sections on 1BS, 4BS and UTE teach-in. Nothing is answered: a device that
asks for an answer goes on without one, or gives up.
"""

from collections.abc import Mapping

from drivers.enocean.profiles import FOUR_BS, ONE_BS, UTE

_DATA = 0x08  # 1BS and 4BS: clear in a teach-in telegram
_WITH_EEP = 0x80
_UTE_DELETION = 0x10
_SIZES = {ONE_BS: 1, FOUR_BS: 4, UTE: 7}


def teach_in(rorg: int, payload: bytes) -> Mapping[str, bool | str] | None:
    """Return what a teach-in telegram says of its device, or ``None`` where it is none.

    ``profile`` and ``manufacturer`` (11 bits, as listed by the EnOcean Alliance) are there where it names them.
    """
    if len(payload) != _SIZES.get(rorg):
        return None
    if rorg == UTE:
        return _universal(payload)
    if payload[-1] & _DATA:
        return None
    if rorg == ONE_BS or not payload[3] & _WITH_EEP:
        return {"teach_in": True}
    bits = int.from_bytes(payload[:3], "big")  # 6 bits of function, 7 of type, 11 of manufacturer
    return _named(rorg, bits >> 18, bits >> 11 & 0x7F, bits & 0x7FF)


def _universal(payload: bytes) -> Mapping[str, bool | str] | None:
    command, _channels, maker_low, maker_high, type_, function, rorg = payload
    # The low four bits tell a query from an answer to one, two above them teaching in from deleting.
    if command & 0x0F or command & 0x30 == _UTE_DELETION:
        return None
    return _named(rorg, function, type_, (maker_high & 0x07) << 8 | maker_low)


def _named(rorg: int, function: int, type_: int, maker: int) -> Mapping[str, bool | str]:
    profile = f"{rorg:02X}-{function:02X}-{type_:02X}"
    return {"teach_in": True, "profile": profile, "manufacturer": f"0x{maker:03X}"}
