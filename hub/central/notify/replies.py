"""Answers from phones: what a nurse texted, done for one incident, and what is answered to her.

An answer counts only from a phone that was told about the incident, and only when it is clear which incident
it means. Everything else changes nothing, is kept in the audit trail, and gets an answer that helps.
"""

import datetime as dt
import logging
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa

from hub.central.auth import audit
from hub.central.centre import Tx
from hub.central.commissioning import service
from hub.central.incidents import desk, record
from hub.central.incidents.lifecycle import TABLE, State
from hub.central.links import tokens
from hub.central.notify import outbox, outcome, taker
from hub.central.notify.channels.base import Inbound
from hub.central.notify.message import ANSWER, BY_TEXT, FYI, MessageState
from hub.central.notify.words import EVENTS, Answer, Word, read
from hub.central.shifts import confirm
from hub.central.store import sql
from hub.central.store.tables import incidents, messages, replies
from hub.central.texts import gsm, render
from hub.central.texts.alert import clock_time
from hub.domain.errors import RefusedError

log = logging.getLogger(__name__)

# A bare OK may mean an incident that was closed just now: then it is not taken for another one.
_JUST_NOW = dt.timedelta(minutes=10)
# Two machines that answer each other must come to an end, whatever their word is: so many texts are answered about
# one incident, and about none. What is understood is always done.
_ANSWERS_AT_MOST = 20
_STRANGER_AT_MOST = 3
_ACTION = "reply_refused"
_UNKNOWN = "unknown"

# Statements are made once: to make one takes longer than to ask it.
_CLAIM = sql.spelt(lambda insert: insert(replies).on_conflict_do_nothing().returning(replies.c.id))
_SAME = sa.select(replies.c.answer).where(
    replies.c.provider == sa.bindparam("provider"), replies.c.provider_ref == sa.bindparam("provider_ref")
)
_ANSWER = replies.update().where(replies.c.id == sa.bindparam("claimed"))
_LATELY = sa.select(sa.func.count()).where(
    replies.c.sender == sa.bindparam("sender"),
    replies.c.received_at > sa.bindparam("since"),
    replies.c.incident_id.is_not_distinct_from(sa.bindparam("about")),
    replies.c.id != sa.bindparam("this"),
)
# Messages that a phone can answer. What was for information has no number, and a text may name no sender; who was
# only answered is nobody's phone.
_TO = (messages.c.number == sa.bindparam("sender")) & (messages.c.channel != FYI) & (messages.c.role != ANSWER)
_PHONE = sa.select(messages.c.phone).where(_TO).order_by(messages.c.id.desc()).limit(1)
_ABOUT = sa.select(sa.func.max(messages.c.id)).where(messages.c.incident_id == sa.bindparam("incident_id"), _TO)
_FIRST_TOLD_AT = sa.func.min(messages.c.created_at, type_=messages.c.created_at.type).label("first_told_at")
_TOLD: sa.Select[Any] = (
    sa.select(incidents.c.id, incidents.c.state, _FIRST_TOLD_AT)
    .join(messages, messages.c.incident_id == incidents.c.id)
    .where(
        _TO,
        sa.or_(incidents.c.state != State.CLOSED, incidents.c.closed_at >= sa.bindparam("since")),
    )
    .group_by(incidents.c.id, incidents.c.state)
    .order_by(incidents.c.id)
)


class _Verdict(msgspec.Struct, frozen=True):
    """What is answered. ``refused`` is why nothing was done, for the audit trail."""

    answer: str
    incident: int | None = None
    refused: str | None = None


def receive(tx: Tx, inbound: Inbound, *, apart: bool = False) -> str:
    """Do what a text says and return what to answer; empty: nothing is answered.

    The same text again (by provider and its name for it) does nothing and gets the same answer.

    Args:
        tx: The transaction.
        inbound: The text.
        apart: Its provider's call cannot be answered: the answer becomes a message of its own, once, and nothing
            is returned.
    """
    name = {"provider": inbound.provider, "provider_ref": inbound.provider_ref}
    said = {"sender": inbound.sender, "text": tokens.hidden(inbound.text), "received_at": tx.now.utc, "answer": ""}
    claimed = tx.connection.scalar(_CLAIM[tx.connection.dialect.name], name | said)
    if claimed is None:
        return "" if apart else str(tx.connection.execute(_SAME, name).scalar_one())
    phone = _phone(tx, inbound.sender)
    verdict = _to_stranger(tx) if phone is None else _Talk(tx, inbound, phone).verdict()
    if verdict.refused is not None:
        log.info("reply %d refused: %s", claimed, verdict.refused)
        _audit(tx, phone, verdict, claimed)
    most = _STRANGER_AT_MOST if phone is None else _ANSWERS_AT_MOST
    answer = verdict.answer if _lately(tx, inbound.sender, verdict.incident, claimed) < most else ""
    tx.connection.execute(_ANSWER, {"claimed": claimed, "answer": answer, "incident_id": verdict.incident})
    if apart and answer:
        outbox.answer(tx, phone or _UNKNOWN, inbound.sender, answer)
    return "" if apart else answer


def _to_stranger(tx: Tx) -> _Verdict:
    return _Verdict(render(tx.site.site.site.language, "reply.stranger"), refused="unknown number")


class _Talk:
    """One text from a phone that we know."""

    def __init__(self, tx: Tx, inbound: Inbound, phone: str) -> None:
        self._tx = tx
        self._inbound = inbound
        self._phone = phone
        self._actor = f"{BY_TEXT}{phone}"
        self._language = tx.site.language_of(tx.site.numbers.get(inbound.sender))
        self._note = f"reply {inbound.provider_ref}"
        self._told = _told(tx, inbound.sender)
        self._open = [row.id for row in self._told if row.state != State.CLOSED]

    def verdict(self) -> _Verdict:
        answer = read(self._inbound.text)
        if answer is None:
            return self._refuse("help", "not understood", open=self._numbers())
        if answer.word is Word.SHIFT:
            return self._shift(answer)
        bare_ok = answer.word is Word.ACKNOWLEDGE and answer.number is None
        if bare_ok and confirm.asked(self._tx, self._inbound.sender, self._inbound.at):
            return self._shift_or(answer)
        number = answer.number if answer.number is not None else self._meant()
        if number is None:
            return self._which()
        if not _was_told(self._tx, number, self._inbound.sender):
            return self._refuse("not_yours", "the phone was not told of it", number=number, open=self._numbers())
        return self._do(answer, record.get(self._tx, number))

    def _shift(self, answer: Answer) -> _Verdict:
        """A shift is confirmed; a shift has no number, so that this word never takes an incident."""
        if answer.number is not None:
            return self._refuse("help", "a shift has no number", open=self._numbers())
        if confirm.by_phone(self._tx, self._inbound.sender, self._actor):
            return _Verdict(self._say("reply.shift"))
        if confirm.is_on_duty(self._tx, self._inbound.sender):
            return _Verdict(self._say("reply.shift_already"))
        return self._refuse("no_shift", "no shift waits for the phone")

    def _shift_or(self, answer: Answer) -> _Verdict:
        """A bare OK while a shift waits means the shift only where it can mean nothing else."""
        if not self._told:
            return self._shift(answer)
        if self._open:
            numbers = gsm.join(_texts(self._open), 60)
            return self._refuse("which_or_shift", "an incident or the shift", numbers=numbers)
        return self._refuse("shift_meant", "a shift waits, and an incident was closed just now")

    def _do(self, answer: Answer, row: record.Incident) -> _Verdict:
        if row.state == State.CLOSED:
            return self._refuse("closed", "it is closed", number=row.id, incident=row.id)
        if answer.word is Word.CLOSE:
            return self._refuse("close", "not closed by text", number=row.id, incident=row.id)
        if answer.word is Word.REJECT and (row.state == State.ALERTING or taker.took(row.taken_by, self._phone)):
            return self._pass_on(row)
        event = EVENTS.get(answer.word)
        if event is None or event not in TABLE[State(row.state)]:
            return self._too_late(row)
        try:
            state = desk.act(self._tx, row.id, event, self._actor, note=self._note)
        except RefusedError as error:
            said = self._say(f"state.{row.state}")
            return self._refuse("refused", str(error), number=row.id, state=said, incident=row.id)
        outcome.answered(self._tx, self._message(row.id), MessageState.ACCEPTED)
        return self._done(answer, row, state)

    def _done(self, answer: Answer, row: record.Incident, state: State) -> _Verdict:
        if state is State.CLOSED:  # a test: nobody is to go there
            proven = row.device_id in service.in_service(self._tx.connection)
            key = "reply.in_service" if proven else "reply.tested"
            return _Verdict(self._say(key, number=row.id, device=row.device_id), row.id)
        over = taker.taken_over(row, self._actor, self._language)
        return _Verdict(self._say(f"reply.{answer.word}", number=row.id) + over, row.id)

    def _pass_on(self, row: record.Incident) -> _Verdict:
        """The phone cannot go there, perhaps after it had taken it: the next one is told now."""
        if row.state == State.ALERTING:
            outcome.rejected(self._tx, self._message(row.id))
        else:
            outcome.passed_on(self._tx, self._message(row.id), self._actor, self._note)
        return _Verdict(self._say("reply.reject", number=row.id), row.id)

    def _message(self, number: int) -> int:
        """Return the last message about an incident to this phone: the one that is answered."""
        about = {"incident_id": number, "sender": self._inbound.sender}
        return int(self._tx.connection.execute(_ABOUT, about).scalar_one())

    def _too_late(self, row: record.Incident) -> _Verdict:
        """Somebody is already as far as that: perhaps the same phone, which says it twice."""
        state = self._say(f"state.{row.state}")
        if taker.took(row.taken_by, self._phone):
            return _Verdict(self._say("reply.yours", number=row.id, state=state), row.id)
        zone = ZoneInfo(self._tx.site.site.site.timezone)
        return self._refuse(
            "taken",
            f"it is {row.state} by {row.taken_by}",
            number=row.id,
            who=taker.name(row.taken_by or "", self._language),
            time=clock_time(row.taken_at or row.opened_at, self._tx.now.utc, zone),
            state=state,
            incident=row.id,
        )

    def _meant(self) -> int | None:
        """Return the incident that a text without a number means, if only one can be meant."""
        if len(self._told) != 1:
            return None
        row = self._told[0]
        # Typed before this phone was told of it, it means something else.
        return None if self._inbound.at < row.first_told_at else int(row.id)

    def _which(self) -> _Verdict:
        if not self._open:
            return self._refuse("nothing", "nothing is open for the phone")
        return self._refuse("which", "it does not say which", numbers=gsm.join(_texts(self._open), 60))

    def _numbers(self) -> str:
        if not self._open:
            return ""
        return self._say("reply.open", numbers=gsm.join(_texts(self._open), 60))

    def _say(self, key: str, **values: object) -> str:
        return render(self._language, key, **values)

    def _refuse(self, key: str, reason: str, *, incident: int | None = None, **values: object) -> _Verdict:
        return _Verdict(self._say(f"reply.{key}", **values), incident, reason)


def _texts(numbers: Sequence[int]) -> list[str]:
    return [str(number) for number in numbers]


def _phone(tx: Tx, sender: str) -> str | None:
    """Return the id of a phone: what we last called it, or what the site calls it now."""
    told = tx.connection.scalar(_PHONE, {"sender": sender})
    if told is not None:
        return str(told)
    known = tx.site.numbers.get(sender)
    return None if known is None else known.id


def _was_told(tx: Tx, number: int, sender: str) -> bool:
    return tx.connection.scalar(_ABOUT, {"incident_id": number, "sender": sender}) is not None


def _told(tx: Tx, sender: str) -> Sequence[sa.Row[Any]]:
    """Return the incidents a phone was told of that are open, or were until just now."""
    return tx.connection.execute(_TOLD, {"sender": sender, "since": tx.now.utc - _JUST_NOW}).all()


def _lately(tx: Tx, sender: str, incident: int | None, claimed: int) -> int:
    """Return how many texts came from a phone just now about an incident, or about none, besides this one."""
    asked = {"sender": sender, "since": tx.now.utc - _JUST_NOW, "about": incident, "this": claimed}
    return tx.connection.execute(_LATELY, asked).scalar_one()


def _audit(tx: Tx, phone: str | None, verdict: _Verdict, reply: int) -> None:
    subject = f"reply:{reply}" if verdict.incident is None else f"incident:{verdict.incident}"
    actor = f"{BY_TEXT}{phone or _UNKNOWN}"
    audit.note(tx.connection, tx.now, actor, _ACTION, subject, f"reply {reply}: {verdict.refused}")
