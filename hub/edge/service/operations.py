"""What the service socket can be asked: one table."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from drivers import registry
from hub.domain.clock import Clock
from hub.domain.errors import MalformedError
from hub.edge.configuration import Task
from hub.edge.links.ble import Radio
from hub.edge.pairing import pair
from hub.edge.recorder import Recorder
from hub.edge.service.hearing import Hearing
from hub.edge.service.pseudonyms import Pseudonyms
from hub.edge.service.recording import Recording
from hub.edge.session import Session
from hub.edge.tap import Tap

# How often a stream says what is new; a line that says nothing else finds out whether the reader is there.
SCAN_EVERY_S = 0.5
RECORD_EVERY_S = 0.1
STILL_HERE_S = 5.0

Line = dict[str, Any]


class Request(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One line of a technician's program.

    Attributes:
        do: A row of :data:`OPERATIONS`.
        address: Of the device to pair.
        passkey: Its six digits, where it has one.
    """

    do: str
    address: str = ""
    passkey: int | None = None


class Box(NamedTuple):
    """What operations may look at."""

    hub_id: str
    clock: Clock
    recorder: Recorder
    radio: Radio
    tap: Tap
    sessions: Callable[[], Sequence[tuple[Task, Session]]]


class Operation(NamedTuple):
    """One row: what it does, and whether it goes on until the reader leaves."""

    title: str
    stream: bool
    run: Callable[[Box, Request], AsyncIterator[Line]]


async def _status(box: Box, _request: Request) -> AsyncIterator[Line]:
    radio = box.radio.state
    summary = box.recorder.summary()
    yield {
        "ok": True,
        "hub": box.hub_id,
        "at": box.clock.now().utc.isoformat(timespec="milliseconds"),
        "radio": {
            "up": radio.up,
            "reason": radio.reason,
            "opened": radio.opened,
            "restarts": box.radio.restarts,
            "resets": box.radio.resets,
            "strangers": radio.strangers.all(),
        },
        "sessions": [
            {
                **session.figures(),
                "link": task.link.id,
                "driver": task.driver,
                "devices": [device.id for device in task.setup.devices],
                "rssi_dbm": session.state.rssi_dbm,
            }
            for task, session in box.sessions()
        ],
        "journal": {
            "epoch": summary.epoch,
            "last_seq": summary.last_seq,
            "pending": {"alarm": summary.pending.alarm, "reading": summary.pending.reading},
            "evicted": summary.evicted,
        },
    }


async def _scan(box: Box, _request: Request) -> AsyncIterator[Line]:
    manifests = {name: package.MANIFEST for name, package in registry.packages().items()}
    hearing = Hearing(manifests, lambda: [task for task, _ in box.sessions()])
    yield {"ok": True, "stream": "scan"}
    with (
        box.radio.looking(lambda advert: hearing.advert(advert, box.clock.now())),
        box.tap.open(hearing.tapped),
    ):
        said = box.clock.now().mono
        while True:
            await asyncio.sleep(SCAN_EVERY_S)
            rows = hearing.changes()
            for row in rows:
                yield row
            mono = box.clock.now().mono
            if rows:
                said = mono
            elif mono - said >= STILL_HERE_S:
                said = mono
                yield {"quiet": True, "radio": box.radio.state.reason}


async def _record(box: Box, _request: Request) -> AsyncIterator[Line]:
    recording = Recording(Pseudonyms())
    yield {"ok": True, "stream": "record"}
    yield recording.header(box.hub_id, box.clock.now())
    with box.tap.open(recording.tapped):
        while True:
            await asyncio.sleep(RECORD_EVERY_S)
            for line in recording.take(box.clock.now().mono):
                yield line


async def _pair(box: Box, request: Request) -> AsyncIterator[Line]:
    if request.passkey is None:
        raise MalformedError("pair: give the passkey, six digits")
    address = request.address.upper()
    key = await pair(box.radio, address, request.passkey)
    yield {"ok": True, "address": address, "key": key.hex()}


OPERATIONS = {
    "status": Operation("Links, sessions and the journal.", stream=False, run=_status),
    "scan": Operation("Who is heard, live.", stream=True, run=_scan),
    "record": Operation("Every raw frame, pseudonymous.", stream=True, run=_record),
    "pair": Operation("Bond with a device and read its key.", stream=False, run=_pair),
}


def asked(line: bytes) -> tuple[Operation, Request]:
    """Read a request.

    Raises:
        MalformedError: It is none; the sentence says what can be asked.
    """
    try:
        request = msgspec.json.decode(line, type=Request)
    except (msgspec.DecodeError, ValueError) as error:
        raise MalformedError(f'request: {error}; write one line such as {{"do":"status"}}') from error
    operation = OPERATIONS.get(request.do)
    if operation is None:
        raise MalformedError(f"do {request.do!r}: unknown; there are {', '.join(OPERATIONS)}")
    return operation, request
