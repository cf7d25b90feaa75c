"""E-mail against a server on a real socket: accepted, refused at every step, slow, broken off, or not itself."""

import email
import email.policy
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from hub.central.centre import Centre
from hub.central.notify import receipts
from hub.central.notify.channels import email_smtp, http
from hub.central.notify.channels.base import Outgoing
from hub.central.notify.channels.mailbox import mailbox
from hub.central.notify.pipeline import Sender
from hub.central.notify.ways import Ways
from hub.central.site.directory import Directory
from hub.central.site.model import Plan, Step
from hub.central.store.tables import messages
from hub.domain.errors import MalformedError, PermanentError, RefusedError, TransientError
from tests.fakes import tls
from tests.fakes.smtp import MailServer
from tests.fakes.ward import DUTY, ObedientProvider, message_of, raised

ADDRESS, OURS = "duty@nord.example", "alarm@kommune.example"
TEXT = "47 Trygghetsalarm: r-12, på badet, 21:00. Svar OK 47."
# The first ones made the library stumble instead of saying so.
NO_ADDRESSES = [
    "a@[x.example",
    "a.<b@x.example",
    "a:;b@x.example",
    'a@x,"',
    "a..b@x.example",
    "a@",
    "()a@x.example",
    "a@x.example,b@x.example",
    "å@x.example",
]
OUTGOING = Outgoing(message_id=7, number=ADDRESS, text=TEXT, key="message-7", receipt_url="")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tls.certificate(tmp_path_factory.mktemp("mail") / "mail.pem", "127.0.0.1")


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with MailServer() as server:
        yield server


def provider(server: MailServer, security: str = "none", **more: str) -> email_smtp.Email:
    settings = email_smtp.Settings(
        host="127.0.0.1",
        port=server.port,
        security=security,  # type: ignore[arg-type] # one of the three
        sender=OURS,
        **more,
    )
    return email_smtp.make(settings, "")


async def test_a_mail_says_what_a_text_says_and_nothing_more(server: MailServer) -> None:
    accepted = await provider(server).send(OUTGOING)
    (mail,) = server.mails
    assert (mail.sender, mail.recipient) == (OURS, ADDRESS)
    read = email.message_from_bytes(mail.data, policy=email.policy.default)
    assert accepted.provider_ref == read["Message-ID"] == "<message-7@kommune.example>"
    assert read.get_content().strip() == read["Subject"] == TEXT
    assert (read["Auto-Submitted"], read["Importance"]) == ("auto-generated", "high")
    assert read["Date"]
    assert mail.data.isascii()  # not every server on the way takes more


async def test_each_attempt_is_the_same_mail(server: MailServer) -> None:
    channel = provider(server)
    assert await channel.send(OUTGOING) == await channel.send(OUTGOING)


async def test_a_long_text_is_whole_and_its_subject_short(server: MailServer) -> None:
    long = Outgoing(message_id=7, number=ADDRESS, text=f"{TEXT}\n{TEXT}\n.\n{TEXT}", key="k", receipt_url="")
    await provider(server).send(long)
    read = email.message_from_bytes(server.mails[0].data, policy=email.policy.default)
    assert len(read["Subject"]) <= 70
    assert read.get_content().count("r-12") == 3


@pytest.mark.parametrize(
    ("step", "answer", "error"),
    [
        ("CONNECT", "421 too many", TransientError),
        ("CONNECT", "554 no service", PermanentError),
        ("CONNECT", "", TransientError),
        ("CONNECT", "HTTP/1.1 400 Bad Request", TransientError),
        ("MAIL", "451 later", TransientError),
        ("MAIL", "550 not your address", PermanentError),
        ("MAIL", "", TransientError),
        ("RCPT", f"450 <{ADDRESS}> busy", TransientError),
        ("RCPT", f"550 <{ADDRESS}> unknown", RefusedError),
        ("RCPT", "", TransientError),
        ("DATA", "452 full", TransientError),
        ("DATA", "554 no", RefusedError),
        (".", "451 later", TransientError),
        (".", f"554 looks like: {TEXT}", RefusedError),
        (".", "", TransientError),
    ],
)
async def test_whatever_it_answers_has_a_name(
    server: MailServer, step: str, answer: str, error: type[Exception]
) -> None:
    server.answers = {step: answer}
    channel = provider(server)
    with pytest.raises(error) as caught:
        await channel.send(OUTGOING)
    assert type(caught.value) is error
    assert ADDRESS not in str(caught.value)
    assert "r-12" not in str(caught.value)
    assert server.mails == []
    server.answers = {}
    await channel.send(OUTGOING)


@pytest.mark.parametrize("step", ["CONNECT", "EHLO", "RCPT", "."])
async def test_it_does_not_wait_for_ever(server: MailServer, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TOTAL_S", 0.1)
    server.answers = {step: "hang"}
    with pytest.raises(TransientError, match="no answer within"):
        await provider(server).send(OUTGOING)


async def test_nobody_there(server: MailServer) -> None:
    channel = provider(server)
    await server.__aexit__()
    with pytest.raises(TransientError, match="SMTPConnectError"):
        await channel.send(OUTGOING)


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_password_and_a_mail_go_encrypted(
    certificate: Path, security: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server = MailServer(tls.server_tls(certificate))
    server.at_once_tls = security == "tls"
    async with server:
        await provider(server, security, username="user", password="word").send(OUTGOING)
        assert (server.mails[0].encrypted, server.mails[0].user) == (True, "user")
        server.answers = {"AUTH": "535 wrong"}
        with pytest.raises(PermanentError, match="535"):
            await provider(server, security, username="user", password="word").send(OUTGOING)
        server.answers = {"AUTH": "454 later"}
        with pytest.raises(TransientError, match="454"):
            await provider(server, security, username="user", password="word").send(OUTGOING)


async def test_a_server_that_is_another_or_has_no_tls_gets_nothing(certificate: Path, server: MailServer) -> None:
    with pytest.raises(PermanentError, match="STARTTLS"):
        await provider(server, "starttls").send(OUTGOING)
    async with MailServer(tls.server_tls(certificate)) as liar:
        with pytest.raises(TransientError):
            await provider(liar, "starttls").send(OUTGOING)
        assert liar.mails == []
    assert server.mails == []


async def test_what_cannot_be_sent_is_refused_before_it_is_tried(server: MailServer) -> None:
    nowhere = Outgoing(message_id=7, number="", text=TEXT, key="k", receipt_url="")
    with pytest.raises(RefusedError, match="no address"):
        await provider(server).send(nowhere)
    with pytest.raises(MalformedError, match="security"):
        provider(server, "none", username="user", password="word")
    for sender in ("alarm", "alarm@[kommune.example"):
        with pytest.raises(MalformedError, match="sender"):
            email_smtp.make(email_smtp.Settings(host="mail.example", sender=sender), "")


@pytest.mark.parametrize("address", NO_ADDRESSES)
async def test_an_address_that_is_none_is_refused_and_not_told(server: MailServer, address: str) -> None:
    with pytest.raises(MalformedError):
        mailbox(address)
    with pytest.raises(RefusedError, match="no address for e-mail") as caught:
        await provider(server).send(msgspec.structs.replace(OUTGOING, number=address))
    assert address not in str(caught.value)
    assert server.mails == []


@pytest.mark.parametrize(
    "address", ["a@x", "a.b+c@x.example", "a@[192.0.2.1]", "o'b@x.example", "A-1@xn--4ca.example"]
)
async def test_an_address_is_sent_to_as_it_was_written(server: MailServer, address: str) -> None:
    assert mailbox(address).addr_spec == address
    await provider(server).send(msgspec.structs.replace(OUTGOING, number=address))
    (mail,) = server.mails
    assert mail.recipient == address
    assert email.message_from_bytes(mail.data, policy=email.policy.default)["To"] == address


@given(st.from_regex(r"[!-~]{0,4}@[!-~]{0,6}", fullmatch=True) | st.text(max_size=12))
def test_whatever_is_written_is_an_address_or_refused(text: str) -> None:
    try:
        address = mailbox(text)
    except MalformedError:
        return
    mail = email_smtp._mail(OUTGOING, mailbox(OURS), address, 0.0)
    read = email.message_from_bytes(mail.as_bytes(), policy=email.policy.default)
    assert [str(one) for one in read["To"].addresses] == [text]


def by_mail_first(centre: Centre, server: MailServer, address: str) -> Sender:
    """The duty phone is told by mail, the leader by text."""
    site = centre.site.site
    phones = tuple(
        msgspec.structs.replace(phone, email=address if phone.id == "p-duty" else None) for phone in site.phones
    )
    step = Step(roles=("duty",), channels=("email",))
    plans = (Plan(incident_class="care", steps=(step, Step(roles=("leader",)))),)
    centre.site = Directory(msgspec.structs.replace(site, phones=phones, plans=plans), version=2)
    return Sender(centre, Ways([provider(server), ObedientProvider()]), lambda name: f"https://c.example/{name}")


async def test_an_address_that_is_none_gives_way_to_the_next_step(server: MailServer, centre: Centre) -> None:
    sender = by_mail_first(centre, server, NO_ADDRESSES[0])
    number = await raised(centre)
    message = await message_of(centre, number)
    await sender.send(message.id)
    await sender.close()
    query = sa.select(messages.c.state).where(messages.c.id == message.id)
    assert await centre.store.read(lambda connection: connection.scalar(query)) == "undeliverable"
    following = await message_of(centre, number)
    assert (following.phone, following.channel) == ("p-leader", "sms")
    assert sender.ways.breaker("email").errors == 0  # the server is not to blame


async def test_a_mail_that_the_server_took_is_never_delivered(server: MailServer, centre: Centre) -> None:
    sender = by_mail_first(centre, server, ADDRESS)
    number = await raised(centre)
    message = await message_of(centre, number)
    await sender.send(message.id)
    await sender.close()
    assert [mail.recipient for mail in server.mails] == [ADDRESS]
    message = await message_of(centre, number)
    # The phone's number stays its name: an OK by text from it is an answer to this mail.
    assert (message.number, message.channel, message.state) == (DUTY, "email", "sent")
    await centre.transact(lambda tx: receipts.overdue(tx, message.id, sender.ways))
    following = await message_of(centre, number)
    assert (following.phone, following.channel) == ("p-leader", "sms")
