"""The state machine of a modem against one on paper, which answers at once and can be made to misbehave."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.gsm.alphabet import text_of_utf16
from drivers.gsm.events import Arrived, Ended, PinUsed, Polled, Trouble, Turn, Unreadable
from drivers.gsm.modem import PIN_SENDS, POLL_S, READS, REGISTRATION_S, RESET, SETTLE_S, Modem
from firmware_sim.devices.gsm import pdu as network
from tests.unit.drivers.test_gsm_pdu import AT, NUMBER

CREG, CSQ, CPIN = "AT+CREG?", "AT+CSQ", "AT+CPIN?"


def header(octets: bytes) -> str:
    return f"{len(octets) - 1 - octets[0]}\r\n{octets.hex().upper()}"


class Paper:
    """A modem on paper: a memory, and answers by command that a test changes."""

    def __init__(self) -> None:
        self.memory: dict[int, bytes] = {}
        self.answers: dict[str, str | None] = {}
        self.said: list[str] = []
        self.echo = False
        # A notice between the lines of so many answers: one in each would ask for ever.
        self.between, self.times = b"", 20
        self._line = b""
        self._prompted = False

    def hear(self, data: bytes) -> bytes:
        out = b""
        for at in range(len(data)):
            byte = data[at : at + 1]
            if self._prompted and byte == b"\x1a":
                self._prompted = False
                out += self._say(self._line.decode())
                self._line = b""
            elif byte == b"\r":
                line, self._line = self._line.decode(), b""
                out += (line.encode() + b"\r" if self.echo else b"") + self._say(line)
            elif byte == b"\x1b":
                self._line, self._prompted = b"", False
            else:
                self._line += byte
        return out

    def _say(self, line: str) -> bytes:
        self.said.append(line)
        answer = self.answers.get(line.partition("=")[0] if line not in self.answers else line, self._usual(line))
        if answer is None:
            return b""
        if answer == "> ":
            self._prompted = True
            return b"\r\n> "
        between, self.times = self.between if self.times else b"", max(0, self.times - 1)
        return between.join(b"\r\n" + each.encode() + b"\r\n" for each in answer.split("|"))

    def _usual(self, line: str) -> str:
        name, _, argument = line.partition("=")
        if name == "AT+CMGL":
            return "|".join([*(f"+CMGL: {at},1,,{header(pdu)}" for at, pdu in sorted(self.memory.items())), "OK"])
        if name == "AT+CMGR":
            pdu = self.memory.get(int(argument))
            return f"+CMGR: 0,,{header(pdu)}|OK" if pdu else "+CMS ERROR: 321"
        if name == "AT+CMGD":
            self.memory.pop(int(argument), None)
        self.echo &= line != "ATE0"
        usual = {
            CPIN: "+CPIN: READY|OK",
            CREG: "+CREG: 0,1|OK",
            CSQ: "+CSQ: 20,99|OK",
            "AT+CPMS?": f'+CPMS: "SM",{len(self.memory)},20|OK',
            "AT+CMGS": "> ",
        }
        return usual.get(name, "+CMGS: 5|OK" if line.startswith("00") else "OK")


class Pair:
    """The state machine and the paper, and everything that was told."""

    def __init__(self, modem: Modem | None = None, paper: Paper | None = None) -> None:
        self.modem, self.paper = modem or Modem(), paper or Paper()
        self.mono = 1000.0
        self.events: list[Any] = []
        self.bad: list[str] = []
        self.keep_first: list[bytes] = []
        self.cut: Callable[[bytes], list[bytes]] = lambda data: [data]
        self.run(self.modem.opened(self.mono))

    def run(self, turn: Turn) -> None:
        waiting = [turn]
        while waiting:
            turn = waiting.pop(0)
            self.events += turn.events
            self.bad += turn.bad
            if turn.keep_first:
                self.keep_first.append(turn.send)
            answer = self.paper.hear(turn.send)
            if answer:
                waiting += [self.modem.received(piece, self.mono) for piece in self.cut(answer)]

    def say(self, *lines: str) -> None:
        for line in lines:
            self.run(self.modem.received(f"\r\n{line}\r\n".encode(), self.mono))

    def wait(self, seconds: float) -> None:
        until = self.mono + seconds
        while self.mono < until:
            self.mono = min(until, self.mono + 0.5)
            self.run(self.modem.tick(self.mono))

    def texts(self) -> list[str]:
        return [text_of_utf16(event.message.data) for event in self.events if isinstance(event, Arrived)]

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def store(self, index: int, text: str) -> None:
        self.paper.memory[index] = network.deliver(NUMBER, text, AT, 1)[0]


@pytest.fixture
def pair() -> Pair:
    made = Pair()
    made.wait(SETTLE_S)
    return made


def test_the_start_sets_everything_and_tells_signal(pair: Pair) -> None:
    assert pair.paper.said == [
        "AT",
        "ATE0",
        "AT+CMEE=1",
        "AT+CPIN?",
        "AT+CMGF=0",
        'AT+CPMS="SM","SM","SM"',
        "AT+CNMI=2,1,0,2,0",
        "AT+CREG?",
        "AT+CSQ",
        'AT+CPMS="SM"',
        "AT+CMGL=4",
        "AT+CPMS?",
    ]
    assert pair.of(Polled) == [Polled(-73, registered=True)]
    assert pair.of(Trouble) == []


def test_forms_that_are_refused_are_followed_by_the_next() -> None:
    paper = Paper()
    paper.answers = {"AT+CNMI=2,1,0,2,0": "+CMS ERROR: 303", 'AT+CPMS="SM","SM","SM"': "ERROR", "ATE0": "ERROR"}
    pair = Pair(paper=paper)
    pair.wait(SETTLE_S)
    assert "AT+CNMI=2,1,0,1,0" in paper.said
    assert 'AT+CPMS="ME"' in paper.said
    assert pair.of(Polled)


def test_a_stored_text_is_told_before_it_is_deleted(pair: Pair) -> None:
    pair.store(3, "not taken")
    pair.keep_first.clear()
    pair.say('+CMTI: "SM",3')
    assert pair.texts() == ["not taken"]
    assert pair.keep_first == [b"AT+CMGD=3\r"]
    assert pair.paper.memory == {}


def test_what_was_stored_before_is_listed_and_each_deleted() -> None:
    paper = Paper()
    pair = Pair(paper=paper)
    pair.store(1, "one")
    pair.store(7, "seven")
    pair.wait(SETTLE_S)
    assert pair.texts() == ["one", "seven"]
    assert pair.keep_first == [b"AT+CMGD=1\r", b"AT+CMGD=7\r"]


def test_a_lost_notice_costs_a_minute_only(pair: Pair) -> None:
    pair.store(2, "jam")
    pair.wait(POLL_S + 1)
    assert pair.texts() == ["jam"]


def test_another_memory_is_selected_for_a_report(pair: Pair) -> None:
    pair.paper.memory[4] = network.report(5, NUMBER, AT, 0)
    pair.say('+CDSI: "SR",4')
    assert pair.paper.said[-3:] == ['AT+CPMS="SR"', "AT+CMGR=4", "AT+CMGD=4"]


@pytest.mark.parametrize("notice", ['+CMTI: "SM"', "+CMTI:", '+CMTI: "S;",1', '+CMTI: "SM",-1', '+CMTI: "SM",x'])
def test_a_notice_that_is_none_asks_nothing(pair: Pair, notice: str) -> None:
    before = list(pair.paper.said)
    pair.say(notice)
    assert pair.paper.said == before


def test_drafts_of_somebody_stay(pair: Pair) -> None:
    pair.paper.answers["AT+CMGL"] = "+CMGL: 1,2,,13\r\n0001000A810000000000000000|OK"
    pair.wait(POLL_S + 1)
    assert not any(line.startswith("AT+CMGD") for line in pair.paper.said)


def test_a_pdu_that_cannot_be_read_is_read_again_and_then_kept(pair: Pair) -> None:
    pair.paper.memory[1] = bytes.fromhex("00040A91")
    for _ in range(READS - 1):
        pair.wait(POLL_S)
        assert pair.of(Unreadable) == []
    pair.wait(POLL_S)
    assert [event.pdu for event in pair.of(Unreadable)] == ["00040A91"]
    assert pair.paper.memory == {}
    assert len(pair.bad) == READS


def test_a_late_end_of_a_given_up_command_is_no_answer(pair: Pair) -> None:
    pair.paper.answers[CSQ] = None
    pair.wait(POLL_S + 6)
    pair.say("OK")
    pair.paper.answers.clear()
    pair.wait(2)
    assert pair.of(Trouble) == []
    assert len(pair.of(Polled)) == 2


def test_silence_leads_to_a_reset_and_is_told(pair: Pair) -> None:
    pair.paper.answers = dict.fromkeys(["AT", CREG])
    pair.wait(POLL_S + 12)
    assert [event.name for event in pair.of(Trouble)] == ["silent"]
    assert RESET.decode().strip() in pair.paper.said
    pair.paper.answers = {}
    pair.wait(20)
    assert pair.events[-2:] == [Ended("refuses"), Polled(-73, registered=True)]
    assert Ended("silent") in pair.events


@pytest.mark.parametrize("line", ["RDY", "+CFUN: 1", "^SYSSTART", "+CPIN: NOT READY"])
def test_a_restart_starts_over(pair: Pair, line: str) -> None:
    pair.paper.said.clear()
    pair.say(line)
    pair.wait(2)
    assert pair.paper.said[:3] == ["AT", "ATE0", "AT+CMEE=1"]


def test_an_echo_tells_of_a_restart_without_a_word(pair: Pair) -> None:
    pair.paper.echo = True
    pair.paper.said.clear()
    pair.wait(POLL_S + 3)
    assert "AT+CNMI=2,1,0,2,0" in pair.paper.said


# The SIM.


def sim(answer: str, modem: Modem | None = None, **answers: str) -> Pair:
    paper = Paper()
    paper.answers = {CPIN: answer, **{name.replace("_", "+"): each for name, each in answers.items()}}
    return Pair(modem, paper)


def pins(pair: Pair) -> int:
    return sum(line.startswith("AT+CPIN=") for line in pair.paper.said)


def test_a_pin_is_kept_before_it_is_sent() -> None:
    pair = sim("+CPIN: SIM PIN|OK", Modem("1234"))
    pair.wait(SETTLE_S)
    assert pair.keep_first == [b'AT+CPIN="1234"\r']
    assert pair.of(PinUsed) == [PinUsed(1, refused=False), PinUsed(0, refused=False)]


def test_a_wrong_pin_is_never_sent_again() -> None:
    pair = sim("+CPIN: SIM PIN|OK", Modem("1234"), AT_CPIN="+CME ERROR: 16")
    pair.wait(600)
    assert pins(pair) == 1
    assert {event.name for event in pair.of(Trouble)} == {"sim_pin_wrong"}
    again = sim("+CPIN: SIM PIN|OK", Modem("1234", pair.of(PinUsed)[-1]))
    again.wait(600)
    assert pins(again) == 0


def test_a_pin_without_an_answer_is_sent_once_more_and_no_further() -> None:
    used = PinUsed(0, refused=False)
    for _ in range(5):  # the power goes each time
        pair = sim("+CPIN: SIM PIN|OK", Modem("1234", used))
        pair.paper.answers["AT+CPIN"] = None
        pair.wait(2)
        used = pair.of(PinUsed)[-1] if pair.of(PinUsed) else used
    assert used.sends == PIN_SENDS


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        ("+CPIN: SIM PIN|OK", "sim_pin_missing"),
        ("+CPIN: SIM PUK|OK", "sim_locked"),
        ("+CME ERROR: 12", "sim_locked"),
        ("+CME ERROR: 10", "sim_missing"),
        ("+CME ERROR: 13", "sim_missing"),
        ("+CPIN: PH-NET PIN|OK", "sim_missing"),
        ("ERROR", "refuses"),
        ("+CME ERROR: 14", "refuses"),
    ],
)
def test_troubles_of_the_sim(answer: str, trouble: str) -> None:
    pair = sim(answer)
    pair.wait(90)
    assert {event.name for event in pair.of(Trouble)} == {trouble}
    pair.paper.answers.clear()
    pair.wait(90)
    assert Ended(trouble) in pair.events


# The network.


def test_registration_is_missed_after_two_minutes(pair: Pair) -> None:
    pair.paper.answers[CREG] = "+CREG: 0,2|OK"
    pair.wait(POLL_S + REGISTRATION_S - 1)
    assert pair.of(Trouble) == []
    pair.wait(30)
    assert {event.name for event in pair.of(Trouble)} == {"no_registration"}
    pair.say("+CREG: 5")
    assert pair.events[-1] == Ended("no_registration")


def test_a_notice_of_registration_within_the_answer(pair: Pair) -> None:
    pair.paper.answers[CREG] = '+CREG: 0,3|+CREG: 1,"0012","000A34B1"|OK'
    pair.wait(POLL_S + REGISTRATION_S + 30)
    assert {event.name for event in pair.of(Trouble)} == {"no_registration"}


def test_a_full_memory_is_told_after_the_second_round(pair: Pair) -> None:
    pair.paper.answers["AT+CPMS?"] = '+CPMS: "SM",20,20,"SM",20,20,"SM",20,20|OK'
    pair.wait(POLL_S + 1)
    assert pair.of(Trouble) == []
    pair.wait(POLL_S)
    assert [event.name for event in pair.of(Trouble)] == ["memory_full"]


def test_unknown_signal_is_none(pair: Pair) -> None:
    pair.paper.answers[CSQ] = "+CSQ: 99,99|OK"
    pair.wait(POLL_S + 1)
    assert pair.of(Polled)[-1].dbm is None


# Whatever the cuts, the notices and the noise.

URCS = st.lists(
    st.sampled_from(['+CMTI: "SM",9', "RING", "^RSSI: 20", "+CREG: 1", "%some vendor: 1", '+CMTI: "SM",1']),
    max_size=3,
)


def _cutter(data: st.DataObject) -> Callable[[bytes], list[bytes]]:
    def cut(whole: bytes) -> list[bytes]:
        cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=4)))
        ends = [*cuts, len(whole)]
        return [whole[a:b] for a, b in zip([0, *cuts], ends, strict=True)]

    return cut


@given(st.data(), URCS)
def test_any_cut_and_any_notice_between_lines_gives_the_same(data: st.DataObject, urcs: list[str]) -> None:
    pair = Pair()
    pair.cut = _cutter(data)
    pair.paper.between = b"".join(b"\r\n" + urc.encode() + b"\r\n" for urc in urcs)
    for index, text in enumerate(("not taken", "Ærlig 😀", "x" * 150), start=1):
        pair.store(index, text)
    pair.wait(SETTLE_S + 1)
    assert sorted(pair.texts()) == sorted(["not taken", "Ærlig 😀", "x" * 150])
    assert pair.paper.memory == {}
    assert pair.of(Trouble) == []


@given(
    st.lists(
        st.binary(max_size=40) | st.sampled_from([b"\r\nOK\r\n", b"\r\n+CMT: ,9\r\n", b"\r\n> ", b"RDY\r"]),
        max_size=12,
    )
)
def test_no_bytes_raise(chunks: list[bytes]) -> None:
    modem = Modem("1234")
    modem.opened(0.0)
    for at, chunk in enumerate(chunks):
        modem.received(chunk, float(at))
        modem.tick(at + 0.6)
