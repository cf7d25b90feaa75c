"""A simulated hub that speaks the wire contract, version 1, straight to the broker: no edge, no devices.

It is told the time and never waits by itself: whoever runs it calls :meth:`WireHub.tick` when ``next_s`` has come.
So a thousand of them fit into one loop, and their time may leap.
"""

import json
import random
import uuid
from collections.abc import Mapping
from typing import NamedTuple

from firmware_sim.clock import utc
from firmware_sim.mqtt import Connection, Will

#: Seconds between signs of life, and between two sendings of what was not receipted, by lane.
ALIVE_S = 30.0
_RESEND_S = {"alarm": 5.0, "reading": 30.0}
_AGAIN_S = 2.0
_BATCH = 500
_ONE, _MANY = "application/cloudevents+json", "application/cloudevents-batch+json"
_TYPE = "no.welfarehub.observation.v1"
#: Kinds of the alarm lane by their beginning, and those that are on it alone.
_ALARM_FAMILIES = ("alarm.", "fall.", "smoke.", "water.", "co.", "heat.", "dose.not_")
_ALARMS = frozenset({"dispenser.jammed", "dispenser.empty", "dispenser.fault", "device.tamper"})


class Entry(NamedTuple):
    """One line of the journal."""

    seq: int
    lane: str
    event: Mapping[str, object]


class WireHub:
    """A hub.

    Args:
        hub_id: Who it is.
        port: The broker's, on 127.0.0.1.
        seed: Makes its epoch and its ids repeatable.
        alive_s: Seconds between signs of life.

    Attributes:
        journal: What the centre has not receipted yet, by number.
        observed: How many observations it ever made.
        resent: How many it sent more than once.
        clock_off_s: How wrong its clock is.
    """

    def __init__(self, hub_id: str, port: int, *, seed: int = 0, alive_s: float = ALIVE_S) -> None:
        self.hub_id = hub_id
        self.journal: dict[int, Entry] = {}
        self.observed = 0
        self.resent = 0
        self.clock_off_s = 0.0
        self._port = port
        self._alive_s = alive_s
        self._dice = random.Random(f"{seed} {hub_id}")
        self.epoch = f"{self._dice.getrandbits(32):08x}"
        self._sent: dict[int, float] = {}
        self._on = self._linked = False
        self._since_s = self._alive_at_s = self._connect_at_s = 0.0
        self._line = Connection(
            f"{hub_id}-sim",
            self._received,
            subscriptions=[self._topic("down/receipt")],
            connected=self._connected,
            will=Will(self._topic("up/status"), b'{"state":"offline"}'),
        )

    @property
    def up(self) -> bool:
        """Whether it can be heard."""
        return self._line.up

    @property
    def connecting(self) -> bool:
        """Whether a connection is being made."""
        return self._line.open and not self._line.up and self._linked

    @property
    def next_s(self) -> float:
        """When it wants to be told the time next."""
        if not (self._on and self._linked):
            return float("inf")
        if not self._line.up:
            return self._connect_at_s
        return min([self._alive_at_s, *(at + self._resend_s(seq) for seq, at in self._sent.items())])

    def start(self, now_s: float) -> None:
        """Switch it on."""
        self._on = self._linked = True
        self._since_s = self._connect_at_s = self._alive_at_s = now_s

    def power(self, now_s: float, *, on: bool) -> None:
        """Give it power, or take it away: its journal stays."""
        if on:
            self.start(now_s)
        else:
            self._on = False
            self._line.cut()

    def uplink(self, now_s: float, *, up: bool) -> None:
        """Mend its way to the broker, or cut it."""
        self._linked = up
        self._connect_at_s = now_s
        if not up:
            self._line.cut()

    def half_open(self) -> None:
        """Let its line hang: it neither ends nor carries anything, until :meth:`uplink` mends it."""
        self._linked = False
        self._line.freeze()

    def stop(self) -> None:
        """Switch it off in order."""
        self._on = False
        self._line.publish(self._topic("up/status"), b'{"state":"offline"}', retain=True)
        self._line.close()

    def observe(
        self,
        now_s: float,
        device: str,
        kind: str,
        value: object = None,
        *,
        critical: bool = False,
        **data: object,
    ) -> int:
        """Journal an observation, send it, and return its number. Without power nothing is observed: 0."""
        if not self._on:
            return 0
        self.observed += 1
        seq = self.observed
        alarm = critical or kind in _ALARMS or kind.startswith(_ALARM_FAMILIES)
        event: dict[str, object] = {
            "specversion": "1.0",
            "id": self._uuid7(now_s),
            "source": f"urn:hub:{self.hub_id}",
            "type": _TYPE,
            "subject": device,
            "time": utc(now_s + self.clock_off_s).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "timequality": "synced",
            "epoch": self.epoch,
            "seq": seq,
            "data": {"kind": kind, "value": value, **data},
        }
        entry = Entry(seq, "alarm" if alarm else "reading", event)
        self.journal[seq] = entry
        if self._line.up:
            self._send([entry], now_s)
        return seq

    def tick(self, now_s: float) -> None:
        """Do what is due: connect, give a sign of life, send again."""
        if not (self._on and self._linked):
            return
        if not self._line.up:
            if now_s >= self._connect_at_s:
                self._connect(now_s)
            return
        if now_s >= self._alive_at_s:
            self._alive(now_s)
        late = [self.journal[seq] for seq, at in self._sent.items() if now_s >= at + self._resend_s(seq)]
        late += [entry for seq, entry in self.journal.items() if seq not in self._sent]
        if late:
            self._send(late, now_s)

    def _connect(self, now_s: float) -> None:
        self._connect_at_s = now_s + _AGAIN_S
        self._line.cut()
        try:
            self._line.connect(self._port)
        except OSError:
            return  # nobody listens: again at the next turn

    def _connected(self) -> None:
        self._line.publish(self._topic("up/status"), b'{"state":"online"}', retain=True)
        # Whatever was under way on the last connection may be lost: all of it is sent at the next tick.
        self._sent.clear()
        self._alive_at_s = 0.0

    def _alive(self, now_s: float) -> None:
        self._alive_at_s = now_s + self._alive_s
        pending = {"alarm": 0, "reading": 0}
        for entry in self.journal.values():
            pending[entry.lane] += 1
        said = {
            "epoch": self.epoch,
            "last_seq": self.observed,
            "pending": pending,
            "evicted": 0,
            "timequality": "synced",
            "uptime_s": max(0, int(now_s - self._since_s)),
            "version": "sim",
        }
        self._line.publish(self._topic("up/alive"), json.dumps(said).encode(), qos=0)

    def _send(self, entries: list[Entry], now_s: float) -> None:
        for lane in ("alarm", "reading"):
            mine = [entry for entry in entries if entry.lane == lane]
            for start in range(0, len(mine), _BATCH):
                batch = mine[start : start + _BATCH]
                events = [entry.event for entry in batch]
                payload = json.dumps(events[0] if len(events) == 1 else events).encode()
                kind = _ONE if len(events) == 1 else _MANY
                self._line.publish(self._topic(f"up/{lane}"), payload, content_type=kind)
                self.resent += sum(entry.seq in self._sent for entry in batch)
                self._sent.update({entry.seq: now_s for entry in batch})

    def _received(self, _topic: str, payload: bytes) -> None:
        receipt = json.loads(payload)
        if receipt["epoch"] != self.epoch:
            return
        for first, last in receipt["stored"]:
            for seq in range(first, last + 1):
                self.journal.pop(seq, None)
                self._sent.pop(seq, None)

    def _resend_s(self, seq: int) -> float:
        return _RESEND_S[self.journal[seq].lane]

    def _topic(self, channel: str) -> str:
        return f"wt/1/{self.hub_id}/{channel}"

    def _uuid7(self, now_s: float) -> str:
        """Return a UUID version 7 (RFC 9562, 5.7): milliseconds, then chance."""
        number = (int(now_s * 1000) & (2**48 - 1)) << 80 | 7 << 76 | self._dice.getrandbits(12) << 64
        return str(uuid.UUID(int=number | 2 << 62 | self._dice.getrandbits(62)))
