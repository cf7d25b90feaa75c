"""Texts that a modem sends: parts, reports, refusals and restarts."""

import pytest

from drivers.gsm.codes import Fate, fate, named
from drivers.gsm.modem import SETTLE_S, Modem
from drivers.gsm.outbox import RETRY_S, Delayed, Delivered, Failed, Outgoing, SentPart
from firmware_sim.devices.gsm import pdu as network
from tests.unit.drivers.test_gsm_modem import CREG, Pair, Paper, header
from tests.unit.drivers.test_gsm_pdu import AT, NUMBER


@pytest.fixture
def pair() -> Pair:
    made = Pair()
    made.wait(SETTLE_S)
    return made


def test_a_text_is_sent_and_its_report_known(pair: Pair) -> None:
    pair.run(pair.modem.send(Outgoing("t-1", NUMBER, "Hei"), pair.mono))
    assert pair.of(SentPart) == [SentPart("t-1", NUMBER, 1, 1, 5)]
    assert network.read_submit(bytes.fromhex(pair.paper.said[-1])).text == "Hei"
    for status, expected in ((0x20, Delayed), (0x00, Delivered)):
        pair.say(f"+CDS: {header(network.report(5, NUMBER, AT, status))}")
        assert isinstance(pair.events[-1], expected)
    before = len(pair.events)
    pair.say(f"+CDS: {header(network.report(5, NUMBER, AT, 0))}")
    assert len(pair.events) == before


@pytest.mark.parametrize("status", [0x01, 0x02])
def test_a_service_centre_that_does_not_know_whether_it_arrived_delivers_nothing(pair: Pair, status: int) -> None:
    pair.run(pair.modem.send(Outgoing("t-1", NUMBER, "Hei"), pair.mono))
    pair.say(f"+CDS: {header(network.report(5, NUMBER, AT, status))}")
    assert pair.of(Delivered) == []
    pair.say(f"+CDS: {header(network.report(5, NUMBER, AT, 0))}")
    assert pair.of(Delivered) == [Delivered("t-1")]


def test_a_report_is_known_after_a_restart() -> None:
    pair = Pair(Modem(sent=[SentPart("t-1", NUMBER, 1, 1, 9)]))
    pair.say(
        f"+CDS: {header(network.report(9, '+4700000099', AT, 0))}",
        f"+CDS: {header(network.report(9, NUMBER, AT, 0x46))}",
    )
    assert pair.of(Failed) == [Failed("t-1", "status 0x46 (validity period expired)", again=False)]


def test_parts_are_sent_one_after_the_other_and_delivered_together(pair: Pair) -> None:
    pair.run(pair.modem.send(Outgoing("t-1", NUMBER, "æ" * 400), pair.mono))
    parts = pair.of(SentPart)
    assert [part.number for part in parts] == [1, 2, 3]
    for _ in parts:
        assert pair.of(Delivered) == []
        pair.say(f"+CDS: {header(network.report(5, NUMBER, AT, 0))}")
    assert pair.of(Delivered) == [Delivered("t-1")]


@pytest.mark.parametrize("answer", ["+CMS ERROR: 38", "ERROR", "OK"])
def test_what_may_work_later_is_tried_again(pair: Pair, answer: str) -> None:
    pair.paper.answers["AT+CMGS"] = answer
    pair.run(pair.modem.send(Outgoing("t-1", NUMBER, "Hei"), pair.mono))
    pair.wait(sum(RETRY_S) + 2)
    sends = [line for line in pair.paper.said if line.startswith("AT+CMGS")]
    assert len(sends) == 1 + len(RETRY_S)
    assert [event.again for event in pair.of(Failed)] == [True]


def test_a_wrong_number_is_not_tried_again(pair: Pair) -> None:
    pair.paper.answers["AT+CMGS"] = "+CMS ERROR: 1"
    pair.run(pair.modem.send(Outgoing("t-1", NUMBER, "Hei"), pair.mono))
    assert pair.of(Failed) == [Failed("t-1", "CMS 1 (unassigned number)", again=False)]


def test_a_prompt_that_never_comes_is_escaped_and_tried_again(pair: Pair) -> None:
    pair.paper.answers["AT+CMGS"] = None
    pair.run(pair.modem.send(Outgoing("t-1", NUMBER, "Hei"), pair.mono))
    pair.wait(11)
    pair.paper.answers.clear()
    pair.wait(5)
    assert pair.of(SentPart)


def test_a_prompt_out_of_turn_is_escaped(pair: Pair) -> None:
    assert pair.modem.received(b"\r\n> ", pair.mono).send == b"\x1b"


def test_a_restart_while_sending_sends_again(pair: Pair) -> None:
    pair.paper.answers["AT+CMGS"] = None
    pair.run(pair.modem.send(Outgoing("t-1", NUMBER, "Hei"), pair.mono))
    pair.paper.answers.clear()
    pair.say("RDY")
    pair.wait(5)
    assert pair.of(SentPart)


def test_without_a_network_a_text_waits_and_then_fails(pair: Pair) -> None:
    pair.paper.answers[CREG] = "+CREG: 0,2|OK"
    pair.say("+CREG: 2")
    pair.run(pair.modem.send(Outgoing("t-1", NUMBER, "Hei", valid_s=30), pair.mono))
    assert pair.of(SentPart) == []
    pair.wait(31)
    assert pair.of(Failed) == [Failed("t-1", "not sent in time", again=True)]


def test_one_that_cannot_be_sent_fails_at_once_and_alone(pair: Pair) -> None:
    pair.run(pair.modem.send(Outgoing("t-1", "Kommune", "Hei"), pair.mono))
    pair.run(pair.modem.send(Outgoing("t-2", NUMBER, "Hei"), pair.mono))
    assert [event.text_id for event in pair.of(Failed)] == ["t-1"]
    assert [event.text_id for event in pair.of(SentPart)] == ["t-2"]


def test_codes_have_names() -> None:
    assert named("CMS", 331) == "CMS 331 (no network service)"
    assert named("CME", 9999) == "CME 9999"
    assert named("", None) == "ERROR"
    assert [fate(status) for status in (0, 0x01, 0x02, 0x0F, 0x10, 0x1F, 0x20, 0x3F, 0x40, 0xFF)] == [
        Fate.DELIVERED,
        *[Fate.UNPROVEN] * 3,
        Fate.DELIVERED,
        Fate.DELIVERED,
        Fate.TRYING,
        Fate.TRYING,
        Fate.FAILED,
        Fate.FAILED,
    ]


def test_echo_from_the_start_is_endured() -> None:
    paper = Paper()
    paper.echo = True
    pair = Pair(paper=paper)
    paper.answers["ATE0"] = "ERROR"
    pair.wait(SETTLE_S)
    pair.store(1, "x")
    pair.say('+CMTI: "SM",1')
    assert pair.texts() == ["x"]
    pair.run(pair.modem.send(Outgoing("t", NUMBER, "hei"), pair.mono))
    assert pair.of(SentPart)
