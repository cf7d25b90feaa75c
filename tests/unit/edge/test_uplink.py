"""The uplink: alarms first, a window on readings, everything again until it is receipted."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from hub.domain.clock import SystemClock
from hub.domain.codes import Kind, Lane
from hub.domain.errors import RefusedError, TransientError
from hub.edge import uplink
from hub.edge.journal import Entry, JournalFullError, Limits
from hub.edge.lanes import MAX_BATCH_BYTES, MAX_BATCH_EVENTS, PATIENCE, LaneState, batches
from hub.edge.opening import open_journal
from hub.edge.recorder import Recorder
from hub.edge.uplink import READING_BATCHES, Uplink
from hub.wire import envelope, receipt
from hub.wire.config import Intervals
from hub.wire.mqtt import Incoming
from hub.wire.receipt import Receipt
from hub.wire.topics import Channel, topic
from tests.unit.edge.makers import HUB, draft, heard, reading, until


class FakeLink:
    """Notes what is published; can be gone, refuse, or never answer."""

    def __init__(self) -> None:
        self.connected = True
        self.published: list[tuple[str, bytes]] = []
        self.acked: list[Incoming] = []
        self.fault: Exception | None = None
        self.silent = False
        self.speaks = asyncio.Event()

    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,  # noqa: ARG002 -- the link's signature
        retain: bool = False,  # noqa: ARG002 -- the link's signature
        content_type: str | None = None,  # noqa: ARG002 -- the link's signature
        expiry_s: int | None = None,  # noqa: ARG002 -- the link's signature
    ) -> None:
        self.published.append((topic, payload))
        if self.fault:
            raise self.fault
        if self.silent:
            await self.speaks.wait()

    def ack(self, incoming: Incoming) -> None:
        self.acked.append(incoming)

    def sent(self, lane: Lane) -> list[list[int]]:
        wanted = topic(HUB, Channel.UP_ALARM if lane is Lane.ALARM else Channel.UP_READING)
        return [[e.seq for e in envelope.decode(p, HUB)[0]] for t, p in self.published if t == wanted]


class Parts(NamedTuple):
    uplink: Uplink
    link: FakeLink
    recorder: Recorder
    configs: list[bytes]


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    journal = open_journal(tmp_path, limits=Limits(reserve_bytes=0))
    clock = SystemClock()
    recorder = Recorder(journal, reopen=lambda: open_journal(tmp_path), hub_id=HUB, clock=clock)
    configs: list[bytes] = []

    async def on_config(payload: bytes) -> None:
        configs.append(payload)

    uplink = Uplink(
        hub_id=HUB, version="1", recorder=recorder, clock=clock, on_config=on_config, on_command=on_config
    )
    link = FakeLink()
    uplink.link = link
    uplink.use(Intervals(alive_s=60, alarm_resend_s=0.1, reading_resend_s=100))
    journal.append([reading(n) for n in range(3000)])
    recorder.start()
    tasks = [asyncio.create_task(uplink.run_lane(lane)) for lane in Lane]
    tasks += [asyncio.create_task(uplink.run_inbox()), asyncio.create_task(uplink.run_alive())]
    yield Parts(uplink, link, recorder, configs)
    for task in tasks:
        assert not task.done()
        task.cancel()
    for task in uplink._tasks:
        task.cancel()
    await asyncio.gather(*tasks, *uplink._tasks, return_exceptions=True)
    await recorder.close()


def _receipt(parts: Parts, *ranges: tuple[int, int], epoch: str = "") -> Incoming:
    payload = receipt.encode(Receipt(epoch or parts.recorder.summary().epoch, list(ranges)))
    return Incoming(topic(HUB, Channel.DOWN_RECEIPT), payload, retain=False, mid=1, qos=1, generation=1)


async def test_a_connection_that_comes_while_a_page_is_read_sends_the_earlier_pages_again(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    pending = parts.recorder.pending
    connected = iter([parts.uplink.on_connect])

    async def slow(lane: Lane, after: int, limit: int) -> list[Entry]:
        page = await pending(lane, after, limit)
        if lane is Lane.READING and after and (connect := next(connected, None)):
            parts.link.published.clear()  # what went over the old connection
            connect(False)
        return page

    monkeypatch.setattr(parts.recorder, "pending", slow)
    await until(lambda: len(parts.link.sent(Lane.READING)) >= READING_BATCHES)
    assert [batch[0] for batch in parts.link.sent(Lane.READING)] == [1, 201, 401, 601]


async def test_readings_go_in_a_window_and_it_moves_with_receipts(parts: Parts) -> None:
    await until(lambda: len(parts.link.sent(Lane.READING)) >= READING_BATCHES)
    await asyncio.sleep(0.05)
    first = parts.link.sent(Lane.READING)
    assert [len(batch) for batch in first] == [MAX_BATCH_EVENTS] * READING_BATCHES
    parts.uplink.on_message(_receipt(parts, (1, 200)))
    await until(lambda: len(parts.link.sent(Lane.READING)) > READING_BATCHES)
    assert parts.link.sent(Lane.READING)[READING_BATCHES][0] == 801
    assert parts.recorder.summary().pending.reading == 2800
    assert parts.link.acked


async def test_a_live_alarm_does_not_wait_for_the_backlog_nor_for_the_broker(parts: Parts) -> None:
    parts.link.silent = True
    await until(lambda: len(parts.link.sent(Lane.READING)) >= READING_BATCHES)
    await parts.recorder.record([heard()])
    await until(lambda: parts.link.sent(Lane.ALARM))
    assert parts.link.sent(Lane.ALARM)[0] == [3001]


@pytest.mark.parametrize("fault", [TransientError("lost"), RefusedError("not authorised"), ValueError("bug")])
async def test_an_alarm_is_sent_again_until_its_receipt(parts: Parts, fault: Exception) -> None:
    parts.link.fault = fault
    await parts.recorder.record([heard()])
    await until(lambda: len(parts.link.sent(Lane.ALARM)) >= 3)
    parts.uplink.on_message(_receipt(parts, (3001, 3001)))
    await until(lambda: parts.recorder.summary().pending.alarm == 0)
    count = len(parts.link.sent(Lane.ALARM))
    await asyncio.sleep(0.25)
    assert len(parts.link.sent(Lane.ALARM)) == count


async def test_after_a_reconnection_everything_unreceipted_goes_again(parts: Parts) -> None:
    parts.uplink.use(Intervals(alarm_resend_s=100, reading_resend_s=100))
    await parts.recorder.record([heard()])
    await until(lambda: parts.link.sent(Lane.ALARM) and len(parts.link.sent(Lane.READING)) == 4)
    parts.link.connected = False
    parts.link.published.clear()
    await parts.recorder.record([heard()])
    await asyncio.sleep(0.05)
    assert not parts.link.published
    parts.link.connected = True
    parts.uplink.on_connect(False)
    await until(lambda: parts.link.sent(Lane.ALARM) == [[3001, 3002]])
    await until(lambda: parts.link.sent(Lane.READING)[:1] == [list(range(1, 201))])
    assert any(channel.endswith("up/status") for channel, _ in parts.link.published)


async def test_readings_too_are_sent_again(parts: Parts) -> None:
    await until(lambda: len(parts.link.sent(Lane.READING)) == READING_BATCHES)
    parts.uplink.use(Intervals(reading_resend_s=0.1))
    await until(lambda: len(parts.link.sent(Lane.READING)) >= 2 * READING_BATCHES)
    assert parts.link.sent(Lane.READING)[READING_BATCHES][0] == 1


async def test_what_is_still_on_its_way_to_the_broker_is_not_sent_again(parts: Parts) -> None:
    """A slow line: each repetition would stand in the way of the next live alarm."""
    parts.link.silent = True
    parts.uplink.use(Intervals(alarm_resend_s=0.1, reading_resend_s=0.1))
    await until(lambda: len(parts.link.sent(Lane.READING)) >= READING_BATCHES)
    await parts.recorder.record([heard()])
    await asyncio.sleep(0.5)
    assert len(parts.link.sent(Lane.READING)) == READING_BATCHES
    assert parts.link.sent(Lane.ALARM) == [[3001]]
    parts.link.speaks.set()  # the broker has it, and the centre says nothing
    await until(lambda: len(parts.link.sent(Lane.READING)) >= 2 * READING_BATCHES)
    await until(lambda: len(parts.link.sent(Lane.ALARM)) >= 2)


async def test_doubtful_receipts_free_nothing_and_do_not_stop_the_inbox(parts: Parts) -> None:
    await until(lambda: parts.link.sent(Lane.READING))
    channel = topic(HUB, Channel.DOWN_RECEIPT)
    for bad in (b"", b"not json", b'{"epoch":"x","stored":[[2,1]]}', b"[" * 5000):
        parts.uplink.on_message(Incoming(channel, bad, retain=False, mid=1, qos=1, generation=1))
    parts.uplink.on_message(_receipt(parts, (1, 9), epoch="feedface"))
    parts.uplink.on_message(_receipt(parts, (1, 2**60)))
    await until(lambda: parts.uplink.doubtful == 6)
    assert parts.recorder.summary().pending.reading == 3000
    parts.uplink.on_message(_receipt(parts, (1, 10)))
    await until(lambda: parts.recorder.summary().pending.reading == 2990)
    assert len(parts.link.acked) == 7


async def test_a_receipt_that_the_journal_cannot_take_does_not_fill_the_receive_window(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not acknowledged, the broker brings again to no new session, and it stops after a hundred."""

    async def full(_receipt: Receipt) -> int:
        raise JournalFullError("journal: the disk is full")

    monkeypatch.setattr(parts.recorder, "release", full)
    message = _receipt(parts, (1, 9))
    parts.uplink.on_message(message)
    await until(lambda: message in parts.link.acked, within_s=2)
    assert parts.recorder.summary().pending.reading == 3000


async def test_a_configuration_that_cannot_be_kept_yet_is_tried_again(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uplink, "RETRY_S", 0.05)
    full = iter([True])

    async def offered(payload: bytes) -> None:
        if next(full, False):
            raise JournalFullError("journal: the disk is full")
        parts.configs.append(payload)

    monkeypatch.setattr(parts.uplink, "_on_config", offered)
    message = Incoming(topic(HUB, Channel.DOWN_CONFIG), b"{}", retain=True, mid=4, qos=1, generation=1)
    parts.uplink.on_message(message)
    await until(lambda: parts.configs == [b"{}"], within_s=2)
    await until(lambda: message in parts.link.acked)


async def test_a_configuration_is_handed_on(parts: Parts) -> None:
    message = Incoming(topic(HUB, Channel.DOWN_CONFIG), b"{}", retain=True, mid=4, qos=1, generation=1)
    parts.uplink.on_message(message)
    await until(lambda: parts.configs == [b"{}"])
    await until(lambda: message in parts.link.acked)


def _entry(seq: int, size: int = 10, epoch: str = "aa") -> Entry:
    return Entry(epoch, seq, Lane.ALARM, b"x" * size)


def test_batches_are_neither_too_many_nor_too_long() -> None:
    assert [len(b) for b in batches(_entry(n) for n in range(450))] == [200, 200, 50]
    big = MAX_BATCH_BYTES // 2
    assert [len(b) for b in batches([_entry(1, big), _entry(2, big), _entry(3, 3 * big), _entry(4)])] == [
        1,
        1,
        1,
        1,
    ]
    assert batches([]) == []


def test_a_lane_sends_each_entry_once_until_it_is_due() -> None:
    lane = LaneState(Lane.ALARM, window=3)
    lane.restart("aa", 0.0)
    assert lane.take_live([_entry(2)], 0.0) == [_entry(2)]
    assert lane.take_page([_entry(1), _entry(2)], 1.0) == [_entry(1)]
    assert lane.cursor == 2
    assert lane.room() == 1
    lane.answered([_entry(2)], 0.5)
    assert lane.due(5.4, 5.0) == []
    assert lane.due(5.5, 5.0) == [_entry(2)]
    assert lane.due(50.0, 5.0) == []
    assert lane.due(1.0 + PATIENCE * 5.0, 5.0) == [_entry(1)]  # no answer at all
    lane.answered([_entry(1), _entry(2)], 70.0)
    assert lane.next_due(5.0) == 75.0
    assert lane.receipted(Receipt("bb", [(1, 2)])) == 0
    assert lane.receipted(Receipt("aa", [(1, 2)])) == 2
    assert lane.next_due(5.0) is None


def test_what_is_not_in_the_journal_outlives_a_restart_of_the_lane() -> None:
    lane = LaneState(Lane.ALARM, window=3)
    lane.restart("aa", 0.0)
    lane.take_page([_entry(1)], 0.0)
    lane.hold(_entry(1, epoch="spare"))
    lane.restart("aa", 1.0)
    assert lane.due(1.0, 5.0) == [_entry(1, epoch="spare")]
    assert lane.receipted(Receipt("spare", [(1, 1)])) == 1


def test_drafts_are_of_the_lane_of_their_kind() -> None:
    assert draft(Kind.SMOKE_DETECTED).lane is Lane.ALARM
