"""E-mail through a mail server of the municipality (RFC 5321, submission RFC 6409, TLS RFC 8314 and RFC 3207).

That a server accepted a mail says nothing of who saw it: nothing here is ever called delivered. Every attempt at
a message has the same ``Message-ID``, so that a mailbox that got it twice can show it once.
"""

import asyncio
import ssl
from collections.abc import Callable
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import formatdate
from textwrap import shorten
from typing import Literal

import aiosmtplib
import msgspec

from hub.central.notify.channels import http
from hub.central.notify.channels.base import Accepted, Capability, Hookless, Outgoing
from hub.central.notify.channels.mailbox import mailbox
from hub.domain.clock import wall_time
from hub.domain.errors import HubError, MalformedError, PermanentError, RefusedError, TransientError

NAME = "email"
_PORTS = {"starttls": 587, "tls": 465, "none": 25}
# A mail server may answer 421 to more than a few connections of one client.
_AT_ONCE = 5
_SUBJECT_LETTERS = 70
# With a refusal here the server takes nothing from us, whoever it is for (RFC 5321, 4.2.1: 5yz is final).
_OF_US = (
    aiosmtplib.SMTPAuthenticationError,
    aiosmtplib.SMTPConnectResponseError,
    aiosmtplib.SMTPHeloError,
    aiosmtplib.SMTPSenderRefused,
)


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag=NAME):
    """The mail server.

    Attributes:
        host: Its name, as its certificate has it.
        port: ``None``: 587 for ``starttls``, 465 for ``tls``, 25 for ``none``.
        security: ``none`` is for a relay on this machine: it sends what an alarm says in the clear.
        username: User name, where it wants one.
        password: Password.
        sender: Our address.
    """

    host: str
    port: int | None = None
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password: str | None = None
    sender: str


class Email(Hookless):
    """E-mail through one server.

    Args:
        settings: The server.
        wall: Returns Unix seconds, for the date of a mail.
    """

    name = NAME
    channel = "email"
    capabilities: frozenset[Capability] = frozenset()

    def __init__(self, settings: Settings, wall: Callable[[], float] = wall_time) -> None:
        self._settings = settings
        self._wall = wall
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand a mail to the server, once.

        Raises:
            TransientError: It is busy, it cannot be reached or believed, or the connection broke.
            RefusedError: It does not take this mail or this address.
            PermanentError: It takes no mail from us.
        """
        try:
            address = mailbox(outgoing.number)
        except MalformedError as error:
            raise RefusedError(f"{NAME}: the phone has no address for e-mail that can be written to") from error
        try:
            async with asyncio.timeout(http.TOTAL_S), self._at_once:
                return await self._hand_over(outgoing, address)
        except (TimeoutError, aiosmtplib.SMTPTimeoutError) as error:
            raise TransientError(f"{NAME}: no answer within {http.TOTAL_S:g} s") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise _meaning(error, outgoing) from error

    async def _hand_over(self, outgoing: Outgoing, address: Address) -> Accepted:
        settings = self._settings
        mail = _mail(outgoing, mailbox(settings.sender), address, self._wall())
        server = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port or _PORTS[settings.security],
            username=settings.username,
            password=settings.password,
            use_tls=settings.security == "tls",
            # Never "where it has it": whoever is in between could take it away.
            start_tls=settings.security == "starttls",
            tls_context=None if settings.security == "none" else ssl.create_default_context(),
            timeout=http.TOTAL_S,
        )
        try:
            await server.connect()
            await server.sendmail(settings.sender, [outgoing.number], mail.as_bytes())
        finally:
            # It has the mail or it has not: a farewell that is not answered changes nothing.
            server.close()
        return Accepted(mail["Message-ID"])


def make(settings: Settings, _hooks: str) -> Email:
    """Return the provider.

    Raises:
        MalformedError: A password would be sent in the clear, or ``sender`` is no address.
    """
    if settings.security == "none" and settings.username is not None:
        raise MalformedError(f'provider {NAME}: "username" needs "security" starttls or tls')
    try:
        mailbox(settings.sender)
    except MalformedError as error:
        raise MalformedError(f'provider {NAME}: "sender": {error}') from error
    return Email(settings)


def _mail(outgoing: Outgoing, sender: Address, address: Address, wall_s: float) -> EmailMessage:
    mail = EmailMessage(policy=WIRE)
    mail["From"], mail["To"] = sender, address
    mail["Subject"] = shorten(outgoing.text, _SUBJECT_LETTERS, placeholder=" …")
    mail["Date"] = formatdate(wall_s)
    mail["Message-ID"] = f"<{outgoing.key}@{sender.domain}>"
    # RFC 3834: an absence note must not be sent back. RFC 2156 and what mail programs show.
    mail["Auto-Submitted"] = "auto-generated"
    mail["Importance"] = "high"
    mail.set_content(outgoing.text, cte="quoted-printable")  # 7 bits: not every server takes 8
    return mail


def _meaning(error: Exception, outgoing: Outgoing) -> HubError:
    """Return what an error means to us: 4yz try again, 5yz not this mail, or not from us."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused) and error.recipients:
        error = error.recipients[0]
    if type(error) in (aiosmtplib.SMTPException, aiosmtplib.SMTPNotSupported):
        # The library's own words: no STARTTLS, no way to log in that it knows.
        return PermanentError(f"{NAME}: {error}")
    if not isinstance(error, aiosmtplib.SMTPResponseException):
        # The kind of error is enough; its words may hold an address.
        return TransientError(f"{NAME}: {type(error).__name__}")
    said = f"{NAME}: {error.code} {http.masked(error.message, outgoing.number, outgoing.text)}"
    if not 500 <= error.code <= 599:
        return TransientError(said)
    return PermanentError(said) if isinstance(error, _OF_US) else RefusedError(said)
