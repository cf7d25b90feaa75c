"""The chain itself: what a row's hash is made of, and where a chain of rows is broken. Pure."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

# What the first row of a trail follows.
GENESIS = "0" * 64


class Entry(NamedTuple):
    """What a row of the trail says. ``at`` is microseconds since 1970 in UTC, as both databases keep it."""

    at: int
    actor: str
    action: str
    subject: str
    detail: str


class Link(NamedTuple):
    """A row as it stands in the store; without a hash it was never put into the chain."""

    id: int
    entry: Entry
    previous: str | None
    hash: str | None


class Head(NamedTuple):
    """The end of the chain, kept apart from it: so rows cut off at the end are missed."""

    rows: int
    row: int
    hash: str


class Break(NamedTuple):
    """The first place at which a chain does not hold: ``altered``, ``missing`` or ``inserted``, and where."""

    sort: str
    where: str


class Walk(NamedTuple):
    """What a walk along the chain came to: how many rows, the last one's number and hash, the first break."""

    rows: int
    row: int
    hash: str
    broken: Break | None


def hash_of(entry: Entry, previous: str) -> str:
    """Return a row's hash, 64 hexadecimal digits: SHA-256 (FIPS 180-4) over the row and the hash before it.

    The row is written as a JSON array without blanks and in ASCII: no two rows are written alike.
    """
    text = json.dumps([previous, *entry], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def walk(links: Iterable[Link], start: Head) -> Walk:
    """Follow a chain, oldest first, until it ends or does not hold.

    Args:
        links: The rows after ``start``, by number.
        start: What the first of them must follow; ``Head(0, 0, GENESIS)`` for the whole trail.
    """
    rows, row, last = start.rows, start.row, start.hash
    for link, following in _with_next(links):
        broken = _broken(link, following, row, last)
        if broken is not None:
            return Walk(rows, row, last, broken)
        rows, row, last = rows + 1, link.id, link.hash or ""
    return Walk(rows, row, last, None)


def ends(walked: Walk, head: Head) -> Break | None:
    """Compare the end of a walk that found no break with the head of the chain."""
    if walked.row == head.row and walked.hash == head.hash and walked.rows == head.rows:
        return None
    if walked.row > head.row:
        return Break("inserted", f"row {walked.row}: the chain ends at row {head.row}")
    if walked.row < head.row:
        return Break("missing", f"rows after row {walked.row}: the chain ends at row {head.row}")
    if walked.hash != head.hash:
        return Break("altered", f"row {walked.row}: it and its hash, or the head of the chain, were written anew")
    return Break("altered", f"the head: it counts {head.rows} rows, there are {walked.rows}")


def _broken(link: Link, following: Link | None, row: int, last: str) -> Break | None:
    if link.hash is None or link.previous is None:
        return Break("inserted", f"row {link.id}: it is in no chain; written by hand, or by an older version")
    if hash_of(link.entry, link.previous) != link.hash:
        return Break("altered", f"row {link.id}: its hash is another one's")
    return None if link.previous == last else _torn(link, following, row, last)


def _torn(link: Link, following: Link | None, row: int, last: str) -> Break:
    """Tell why a sound row does not follow the one before it."""
    if link.previous == GENESIS:
        return Break("altered", f"row {link.id}: it begins a chain anew; the head of the chain was taken away")
    if following is not None and following.previous == last:
        return Break("inserted", f"row {link.id}: the rows around it follow each other")
    if row and link.id == row + 1:
        return Break("altered", f"row {row}: row {link.id} follows another one; its hash was written anew with it")
    return Break("missing", f"between row {row} and row {link.id}" if row else f"before row {link.id}")


def _with_next(links: Iterable[Link]) -> Iterator[tuple[Link, Link | None]]:
    here: Link | None = None
    for link in links:
        if here is not None:
            yield here, link
        here = link
    if here is not None:
        yield here, None
