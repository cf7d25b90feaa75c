"""The application receipt: what the centre has committed. Only this frees a journal entry."""

from collections.abc import Iterable

import msgspec

from hub.domain.errors import MalformedError


class Receipt(msgspec.Struct, frozen=True):
    """Closed ranges of ``seq`` of one journal life that the centre has stored."""

    epoch: str
    stored: list[tuple[int, int]]


_decoder = msgspec.json.Decoder(Receipt)


def receipt(epoch: str, seqs: Iterable[int]) -> Receipt:
    """Make the receipt for stored entries, neighbours joined into ranges."""
    ranges: list[tuple[int, int]] = []
    for seq in sorted(set(seqs)):
        if ranges and ranges[-1][1] == seq - 1:
            ranges[-1] = (ranges[-1][0], seq)
        else:
            ranges.append((seq, seq))
    return Receipt(epoch, ranges)


def encode(item: Receipt) -> bytes:
    """Encode a receipt."""
    return msgspec.json.encode(item)


def decode(payload: bytes) -> Receipt:
    """Read a receipt.

    Raises:
        MalformedError: It is not one, or a range runs backwards. Nothing is freed on a doubtful receipt.
    """
    try:
        item = _decoder.decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise MalformedError(f"receipt: {error}") from error
    for first, last in item.stored:
        if not 0 < first <= last:
            raise MalformedError(f"receipt: range [{first}, {last}] runs backwards")
    return item
