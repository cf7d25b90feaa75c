"""The Record Access Control Point of a glucose meter: which records were asked for, and the answer."""

import struct
from typing import NamedTuple

from firmware_sim.devices.health.model import Stored

_REPORT, _ABORT, _COUNT, _COUNT_RESPONSE, _RESPONSE = 1, 3, 4, 5, 6
_ALL, _FROM, _FIRST, _LAST = 1, 3, 5, 6
_SEQUENCE_NUMBER = 1
_SUCCESS, _NO_OPCODE, _NO_OPERATOR, _INVALID_OPERAND, _NO_RECORDS = 1, 2, 4, 5, 6


class Reply(NamedTuple):
    """Records to tell first, then what to indicate."""

    records: list[Stored]
    response: bytes


def seq_of(record: Stored) -> int:
    """Return a glucose record's number; one that is garbage counts as 0."""
    return int(struct.unpack_from("<H", record.frame, 1)[0]) if len(record.frame) >= 3 else 0


def reply(request: bytes, stored: list[Stored]) -> Reply:
    """Answer what was written."""
    opcode = request[0] if request else 0
    if opcode == _ABORT:
        return Reply([], _response(opcode, _SUCCESS))
    if opcode not in (_REPORT, _COUNT):
        return Reply([], _response(opcode, _NO_OPCODE))
    operator = request[1] if len(request) > 1 else 0
    if operator == _ALL:
        chosen = stored
    elif operator == _FROM:
        if len(request) != 5 or request[2] != _SEQUENCE_NUMBER:
            return Reply([], _response(opcode, _INVALID_OPERAND))
        least = struct.unpack_from("<H", request, 3)[0]
        chosen = [record for record in stored if seq_of(record) >= least]
    elif operator in (_FIRST, _LAST):
        chosen = stored[:1] if operator == _FIRST else stored[-1:]
    else:
        return Reply([], _response(opcode, _NO_OPERATOR))
    if opcode == _COUNT:
        return Reply([], struct.pack("<BBH", _COUNT_RESPONSE, 0, len(chosen)))
    return Reply(chosen, _response(opcode, _SUCCESS if chosen else _NO_RECORDS))


def _response(opcode: int, code: int) -> bytes:
    return bytes([_RESPONSE, 0, opcode, code])
