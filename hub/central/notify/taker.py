"""Who has an incident, as far as phones are told: whoever comes late, and both when one takes it over."""

from hub.central.centre import Tx
from hub.central.escalation.plan import SUITS
from hub.central.incidents import record
from hub.central.incidents.lifecycle import TAKEN, State
from hub.central.notify import outbox
from hub.central.notify.message import phone_of
from hub.central.texts import gsm, render


def name(actor: str, language: str) -> str:
    """Return who it was as far as a phone may be told: the phone's id, never a person's name."""
    phone = phone_of(actor)
    return render(language, "reply.console") if phone is None else gsm.plain(phone)


def took(taken_by: str | None, phone: str) -> bool:
    """Tell whether it was this phone that took an incident, by text, by link or in a call."""
    return phone_of(taken_by or "") == phone


def before(incident: record.Incident, actor: str) -> str | None:
    """Return who had an incident that somebody takes further; ``None``: nobody, or the same phone or person.

    Args:
        incident: Its row from before.
        actor: Who takes it further.
    """
    if incident.state not in TAKEN or incident.taken_by is None:
        return None
    had, has = (phone_of(one) or one for one in (incident.taken_by, actor))
    return None if had == has else str(incident.taken_by)


def taken_over(incident: record.Incident, actor: str, language: str) -> str:
    """Return what whoever takes an incident over is told of who had it, with a blank before; empty: nobody else.

    The arguments are those of :func:`before`, and the language of that phone.
    """
    had = before(incident, actor)
    return render(language, "reply.taken_over", who=name(had, language)) if had else ""


def tell(tx: Tx, incident: record.Incident, actor: str, state: State) -> None:
    """Tell the phone that had an incident who has it now. It is no alarm: no step rests on it, no answer means it.

    Args:
        tx: The transaction in which it is taken over.
        incident: Its row from before.
        actor: Who takes it over.
        state: How far.
    """
    phone = tx.site.phones.get(phone_of(before(incident, actor) or "") or "")
    if phone is None or phone.kind not in SUITS["sms"]:
        return
    language = tx.site.language_of(phone)
    who, said = name(actor, language), render(language, f"state.{state}")
    outbox.answer(
        tx, phone.id, phone.number, render(language, "reply.now_with", number=incident.id, who=who, state=said)
    )
