"""A GSM modem on a serial port of the centre: texts and their answers without any provider on the internet.

The modem's talk is :mod:`drivers.gsm.modem`; here are the port, the waiting and the names. Delivery reports and
texts that come in are deleted from the modem only once they are committed. A modem takes about one text in four
seconds: it is a way out beside a provider, or for a small place.
"""

import asyncio
import datetime as dt
import hashlib
import importlib.util
import itertools
import logging
from typing import TYPE_CHECKING

import msgspec

from drivers.gsm.events import Arrived, Ended, Event, Trouble, Turn, Unreadable
from drivers.gsm.modem import Modem
from drivers.gsm.outbox import REFERENCES, Delivered, Failed, SentPart
from drivers.gsm.outbox import Outgoing as Text
from drivers.gsm.parts import GAP, Kept, Parts
from drivers.gsm.parts import Text as Came
from hub.central.notify.channels import http
from hub.central.notify.channels.base import (
    Accepted,
    Capability,
    Hookless,
    Inbound,
    Outgoing,
    ReceiptStatus,
    Report,
    Tell,
    Told,
)
from hub.domain.clock import Clock, Now
from hub.domain.errors import HubError, PermanentError, RefusedError, TransientError

if TYPE_CHECKING:
    from hub.wire.serial_line import SerialLine

log = logging.getLogger(__name__)

NAME = "modem"
# Said by us: a text that has not left by then is another provider's. A little less than any channel may take.
_LEAVES_WITHIN_S = 9.0
_TICK_S = 0.2
_OPEN_AGAIN_S = 1.0
_TELL_AGAIN_S = 0.5
# A failure told before its sending is noted is told again so often; then its receipt is overdue anyway.
_FAILURE_TELLS = 6
# A service centre stamps whole seconds: an answer was written up to this much later than its stamp.
_STAMP = dt.timedelta(seconds=1)
# Stands for a part that an answer lacks, which may say the opposite: what asks is never understood.
_LACKS = "[?]"
# With one of these a modem sends nothing. A full memory keeps texts from coming only.
_NO_WAY = frozenset({"silent", "no_registration", "refuses", "sim_missing", "sim_locked", "sim_pin_missing"})


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag=NAME):
    """The modem. Its SIM must ask for no PIN: nobody is there to type one after a power cut.

    Attributes:
        port: Its path, best below ``/dev/serial/by-id``.
        baud: Its speed.
    """

    port: str
    baud: int = 115200


class GsmModem(Hookless):
    """Texts through a modem.

    Args:
        settings: Where it is.
    """

    name = NAME
    channel = "sms"
    capabilities = frozenset({Capability.SMS, Capability.TWO_WAY})

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._modem = Modem()
        self._parts = Parts(Kept())
        self._news = asyncio.Event()
        self._count = itertools.count(1)
        self._to_send: list[Text] = []
        self._waiting: dict[str, asyncio.Future[None]] = {}  # for the network to take them, by name of the text
        self._unsent: dict[str, int] = {}  # parts that the network has not taken, by the same
        self._messages: dict[str, int] = {}  # our number of what was accepted, until its report
        self._late: dict[str, int] = {}  # the same of what was not sent in time, and may leave all the same
        self._troubles: dict[str, str] = {}
        self._closed: str | None = "it was not opened yet"

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Have a text sent, once, and return when the network has all of it.

        Raises:
            TransientError: There is no modem or no network, or it takes too long; the text may still arrive.
            RefusedError: The network does not take this text or this number.
        """
        if self._closed is not None:
            raise TransientError(f"{NAME}: {self._closed}")
        trouble = next((f"{name} {self._troubles[name]}" for name in _NO_WAY & self._troubles.keys()), None)
        if trouble is not None:
            raise TransientError(f"{NAME}: {trouble.strip()}")
        ref = f"{outgoing.message_id}.{next(self._count)}"
        taken = asyncio.get_running_loop().create_future()
        self._waiting[ref], self._messages[ref] = taken, outgoing.message_id
        while len(self._messages) > REFERENCES:  # no report finds an older one
            self._forget(next(iter(self._messages)))
        self._put(Text(ref, outgoing.number, outgoing.text, leaves_within_s=_LEAVES_WITHIN_S))
        try:
            async with asyncio.timeout(http.TOTAL_S):
                await taken
        except TimeoutError as error:
            raise TransientError(f"{NAME}: not sent within {http.TOTAL_S:g} s") from error
        except HubError as error:
            said = http.masked(str(error), outgoing.number, outgoing.text)
            raise type(error)(f"{NAME}: {said}") from error
        finally:
            self._waiting.pop(ref, None)
        return Accepted(ref)

    async def listen(self, tell: Tell, clock: Clock) -> None:
        """Work the modem without end; a port that vanishes is opened again when it is back."""
        from hub.wire.serial_line import open_line  # noqa: PLC0415 - pyserial is asked for in `make`

        while True:
            try:
                async with open_line(self._settings.port, self._settings.baud, self._news) as line:
                    await self._work(line, tell, clock)
            except TransientError as error:
                self._lost(str(error))
            await asyncio.sleep(_OPEN_AGAIN_S)

    async def _work(self, line: "SerialLine", tell: Tell, clock: Clock) -> None:
        log.info("%s: port %s is open", NAME, self._settings.port)
        self._closed = None
        await self._take(self._modem.opened(clock.now().mono), line, tell, clock.now())
        while True:
            data = await line.read(_TICK_S)
            now = clock.now()
            texts, self._to_send = self._to_send, []
            for text in texts:
                await self._take(self._modem.send(text, now.mono), line, tell, now)
            if data:
                await self._take(self._modem.received(data, now.mono), line, tell, now)
            for came in self._parts.due(now.mono):
                await self._came(came, tell, now)
            await self._take(self._modem.tick(now.mono), line, tell, now)

    def _lost(self, reason: str) -> None:
        if self._closed != reason:
            log.warning("%s: %s", NAME, reason)
        self._closed = reason
        self._to_send.clear()
        for taken in self._waiting.values():
            if not taken.done():
                taken.set_exception(TransientError(reason))

    def _put(self, text: Text) -> None:
        self._to_send.append(text)
        self._news.set()

    async def _take(self, turn: Turn, line: "SerialLine", tell: Tell, now: Now) -> None:
        """Keep what the modem told, and only then send what it wants to: it may delete what it told."""
        for bad in turn.bad:
            log.warning("%s: %s", NAME, bad)
        for event in turn.events:
            await self._event(event, tell, now)
        if turn.send:
            await line.write(turn.send)

    async def _event(self, event: Event, tell: Tell, now: Now) -> None:
        match event:
            case Arrived(message):
                for came in self._parts.take(message, now.mono):
                    await self._came(came, tell, now)
            case Unreadable(_, reason):
                log.error("%s: a message that cannot be read is lost: %s", NAME, reason)
            case SentPart(ref, total=total):
                self._sent(ref, total)
            case Delivered(ref):
                await self._delivered(ref, tell, now)
            case Failed():
                await self._failed(event, tell, now)
            case Trouble(name, detail):
                if name not in self._troubles:
                    log.error("%s: %s %s", NAME, name, detail)
                self._troubles[name] = detail
            case Ended(name):
                self._troubles.pop(name, None)
            case _:
                pass  # a round without news, a text that the network still tries

    # What became of texts.

    def _sent(self, ref: str, total: int) -> None:
        self._unsent[ref] = self._unsent.get(ref, total) - 1
        taken = self._waiting.get(ref)
        if self._unsent[ref] == 0 and taken is not None and not taken.done():
            taken.set_result(None)

    async def _delivered(self, ref: str, tell: Tell, now: Now) -> None:
        message_id = self._forget(ref) or self._late.pop(ref, None)
        if message_id is not None:
            await _kept(tell, _report(ref, message_id, ReceiptStatus.DELIVERED, "", now))

    async def _failed(self, failed: Failed, tell: Tell, now: Now) -> None:
        ref = failed.text_id
        accepted = self._unsent.get(ref) == 0
        message_id = self._forget(ref)
        taken = self._waiting.get(ref)
        if message_id is None:
            log.warning("%s: a text of which nothing is known any more could not be sent", NAME)
        elif taken is not None and not taken.done():
            taken.set_exception((TransientError if failed.again else RefusedError)(failed.reason))
            if failed.again:
                self._late = dict([*self._late.items(), (ref, message_id)][-REFERENCES:])
        elif accepted:
            report = _report(ref, message_id, ReceiptStatus.FAILED, failed.reason, now)
            await _kept(tell, report, _FAILURE_TELLS)

    def _forget(self, ref: str) -> int | None:
        self._unsent.pop(ref, None)
        return self._messages.pop(ref, None)

    # Texts that come in.

    async def _came(self, came: Came, tell: Tell, now: Now) -> None:
        inbound = _inbound(came, now)
        try:
            await _kept(tell, inbound)
        except Exception:
            # It is still in the modem, and must not be taken for a repeat when it is read again.
            self._parts.kept.seen = []
            raise


def make(settings: Settings, _hooks: str) -> GsmModem:
    """Return the provider.

    Raises:
        PermanentError: pyserial is not installed.
    """
    if importlib.util.find_spec("serial") is None:
        raise PermanentError(f"provider {NAME} needs pyserial: pip install 'welfare-hub[modem]'")
    return GsmModem(settings)


async def _kept(tell: Tell, told: Told, times: int | None = None) -> None:
    """Tell until it is committed; the modem cannot be asked again."""
    for count in itertools.count(1):
        try:
            await tell((told,))
        except RefusedError as error:
            log.warning("%s: %s", NAME, error)
            return
        except TransientError as error:
            log.warning("%s: what it told cannot be kept yet: %s", NAME, error)
            if count == times:
                return
        else:
            return
        await asyncio.sleep(_TELL_AGAIN_S)


def _report(ref: str, message_id: int, status: ReceiptStatus, reason: str, now: Now) -> Report:
    return Report(provider_ref=ref, status=status, at=now.utc, message_id=message_id, reason=reason)


def _inbound(came: Came, now: Now) -> Inbound:
    """Name a text by all that is known of it: the same one read again has the same name."""
    at = now.utc if came.time is None else min(came.time + _STAMP, now.utc)
    parts = (came.sender, (came.time or now.utc).isoformat(), came.text)
    return Inbound(
        provider=NAME,
        provider_ref=hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32],
        sender=http.e164(came.sender),
        recipient="",
        text=http.text(came.text.replace(GAP, _LACKS) if came.missing else came.text),
        at=at,
    )
