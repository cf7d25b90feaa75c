"""The journal against a model of it: whatever is done in whatever order."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hub.domain.codes import Lane
from hub.domain.errors import RefusedError
from hub.edge.journal import Journal, Limits
from hub.edge.opening import open_journal
from hub.wire.receipt import Receipt
from tests.unit.edge.makers import draft, reading, value_of

_MAX = 12


class JournalMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.journal = self.open()
        self.epoch = self.journal.epoch
        self.model: dict[int, tuple[Lane, int]] = {}
        self.given_out: set[int] = set()
        self.state = b""
        self.n = 0

    def open(self) -> Journal:
        limits = Limits(max_readings=_MAX, reserve_bytes=4096)
        return open_journal(Path(self.folder.name), limits=limits)

    def teardown(self) -> None:
        self.journal.close()
        self.folder.cleanup()

    @rule(kinds=st.lists(st.booleans(), max_size=6), state=st.one_of(st.none(), st.binary(max_size=9)))
    def append(self, kinds: list[bool], state: bytes | None) -> None:
        drafts = []
        for urgent in kinds:
            self.n += 1
            drafts.append(draft(value=self.n) if urgent else reading(self.n))
        entries = self.journal.append(drafts, {} if state is None else {"s": state})
        seqs = {entry.seq for entry in entries}
        assert len(seqs) == len(drafts)
        assert not seqs & self.given_out
        self.given_out |= seqs
        for entry, item in zip(entries, drafts, strict=True):
            value = item.event.data.value
            assert isinstance(value, int)
            self.model[entry.seq] = (entry.lane, value)
        self.state = self.state if state is None else state
        readings = sorted(seq for seq, (lane, _) in self.model.items() if lane is Lane.READING)
        for seq in readings[: max(0, len(readings) - _MAX)]:
            del self.model[seq]

    @rule(data=st.data(), length=st.integers(1, 4))
    def release(self, data: st.DataObject, length: int) -> None:
        if not self.given_out:
            return
        first = data.draw(st.sampled_from(sorted(self.given_out)))
        last = min(first + length - 1, max(self.given_out))
        freed = self.journal.release(Receipt(self.epoch, [(first, last)]))
        gone = [seq for seq in self.model if first <= seq <= last]
        assert freed == len(gone)
        for seq in gone:
            del self.model[seq]

    @rule()
    def wrong_receipt(self) -> None:
        for receipt in (Receipt("feedface", [(1, 1)]), Receipt(self.epoch, [(1, 2**60)])):
            try:
                self.journal.release(receipt)
            except RefusedError:
                continue
            raise AssertionError(receipt)

    @rule()
    def restart(self) -> None:
        self.journal.close()
        self.journal = self.open()
        assert self.journal.epoch == self.epoch

    @invariant()
    def it_holds_what_the_model_holds(self) -> None:
        for lane in Lane:
            found = {e.seq: value_of(e) for e in self.journal.pending(lane, 0, 1000)}
            assert found == {seq: value for seq, (of, value) in self.model.items() if of is lane}
            assert self.journal.counts[lane] == len(found)
        assert self.journal.state("s") == self.state
        assert not self.journal.damages


TestJournalModel = JournalMachine.TestCase
TestJournalModel.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
