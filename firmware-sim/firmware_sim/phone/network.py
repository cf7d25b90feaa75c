"""What happens to messages between the service and the phones, and the webhooks that tell about it."""

import asyncio
import itertools
import logging
import secrets
from collections.abc import AsyncIterator, Mapping

import httpx

from firmware_sim.clock import Clock, utc
from firmware_sim.errors import Unfit
from firmware_sim.phone.model import Behaviour, Message, Phone, is_number
from firmware_sim.process import Tasks

log = logging.getLogger(__name__)

_ACCEPTED = range(200, 205)
#: 46elks keeps trying a webhook for at least 6 hours and at least 5 times; the steps are ours.
_FIRST_RETRY_S, _LONGEST_RETRY_S = 0.25, 30.0
_GIVE_UP_S, _FEWEST_TRIES = 6 * 3600.0, 5
_WEBHOOK_TIMEOUT_S = 10.0


class Network:
    """The phones and everything sent to and from them.

    Args:
        phones: The phones that exist; a message to any other number fails.
        incoming_url: Told each message that a phone sends, or ``None``.
        service_number: Where phones answer to before they got any message.
        clock: The simulator's time.
    """

    def __init__(self, phones: list[Phone], incoming_url: str | None, service_number: str, clock: Clock) -> None:
        self.phones = {phone.number: phone for phone in phones}
        self.messages: list[Message] = []
        self.incoming_url = incoming_url
        self.service_number = service_number
        self._clock = clock
        self._tasks = Tasks()
        self._client = httpx.AsyncClient(timeout=_WEBHOOK_TIMEOUT_S, trust_env=False)
        self._listeners: set[asyncio.Queue[Message | None]] = set()
        self._switched = asyncio.Condition()

    async def stop(self) -> None:
        """Give up what is under way and end every listener."""
        for queue in self._listeners:
            queue.put_nowait(None)
        await self._tasks.stop()
        await self._client.aclose()

    def send(self, sender: str, to: str, text: str, report_url: str | None) -> Message:
        """Accept a message to a phone; delivery goes on in the background."""
        message = self._new("outgoing", sender, to, text)
        self._tasks.start(self._deliver(message, report_url), f"deliver {message.id}")
        return message

    def reply(self, number: str, text: str) -> Message:
        """Send a message from a phone to where its last message came from.

        Raises:
            Unfit: There is no such phone, the text is empty, or the last sender cannot be answered.
        """
        if number not in self.phones:
            raise Unfit(f"no phone {number}")
        if not text.strip():
            raise Unfit("'message' must be a text")
        to = next((m.sender for m in reversed(self.messages) if m.to == number), self.service_number)
        if not is_number(to):
            raise Unfit(f"{to!r} is a name, not a number: a phone cannot answer it")
        message = self._new("incoming", number, to, text)
        self._tasks.start(self._tell_reply(message), f"reply {message.id}")
        return message

    async def behave(self, number: str | None, given: Mapping[str, object]) -> Behaviour:
        """Change how a phone behaves, or every phone, and return the new behaviour (of the last one).

        Raises:
            Unfit: There is no such phone, or no such behaviour.
        """
        if number is not None and number not in self.phones:
            raise Unfit(f"no phone {number}")
        changed = Behaviour()
        for phone in [self.phones[number]] if number is not None else list(self.phones.values()):
            changed = phone.behaviour = phone.behaviour.changed(given)
        async with self._switched:
            self._switched.notify_all()
        return changed

    def take(self, number: str, what: str) -> bool:
        """Use up one of the next misbehaviours ``refuse_next`` or ``hang_next`` towards this number."""
        phone = self.phones.get(number)
        if phone is None or not getattr(phone.behaviour, what):
            return False
        phone.behaviour = phone.behaviour.changed({what: getattr(phone.behaviour, what) - 1})
        return True

    async def changes(self) -> AsyncIterator[Message]:
        """Yield every message there is, then each again whenever something becomes of it."""
        queue: asyncio.Queue[Message | None] = asyncio.Queue()
        for message in self.messages:
            queue.put_nowait(message)
        self._listeners.add(queue)
        try:
            while (changed := await queue.get()) is not None:
                yield changed
        finally:
            self._listeners.discard(queue)

    def _new(self, direction: str, sender: str, to: str, text: str) -> Message:
        at_s, mono_s = self._clock.wall_s(), self._clock.mono_s()
        message = Message(f"s{secrets.token_hex(16)}", direction, sender, to, text, at_s, mono_s)
        self.messages.append(message)
        self._became(message, "received" if direction == "incoming" else "created")
        return message

    def _became(self, message: Message, status: str) -> None:
        message.status = status
        message.log.append((status, self._clock.wall_s()))
        for queue in self._listeners:
            queue.put_nowait(message)

    async def _deliver(self, message: Message, report_url: str | None) -> None:
        phone = self.phones.get(message.to)
        if phone is None or phone.behaviour.fail:
            self._became(message, "failed")
            await self._report(message, phone, report_url)
            return
        if phone.behaviour.drop:
            return
        self._became(message, "sent")
        self._tasks.start(self._report(message, phone, report_url), f"sent {message.id}")
        await asyncio.sleep(phone.behaviour.slow_s)
        async with self._switched:
            await self._switched.wait_for(lambda: phone.behaviour.on)
        self._became(message, "delivered")
        if phone.behaviour.nurse is not None:
            self._tasks.start(self._nurse(phone, message), f"nurse {message.id}")
        await self._report(message, phone, report_url)

    async def _nurse(self, phone: Phone, message: Message) -> None:
        nurse = phone.behaviour.nurse
        answer = nurse.reply_to(message.message) if nurse is not None else None
        if nurse is not None and answer is not None:
            await asyncio.sleep(nurse.after_s)
            self.reply(phone.number, answer)

    async def _report(self, message: Message, phone: Phone | None, url: str | None) -> None:
        if url is None or (phone is not None and phone.behaviour.lose_webhook):
            return
        form = {"id": message.id, "status": message.status}
        if message.status == "delivered":
            form["delivered"] = api_time(message.log[-1][1])
        for _ in range(2 if phone is not None and phone.behaviour.duplicate_report else 1):
            await self._post(url, form)

    async def _tell_reply(self, message: Message) -> None:
        if self.incoming_url is None or self.phones[message.sender].behaviour.lose_webhook:
            return
        form = {
            "direction": "incoming",
            "id": message.id,
            "from": message.sender,
            "to": message.to,
            "created": api_time(message.at_s),
            "message": message.message,
        }
        answer = await self._post(self.incoming_url, form)
        if answer is None:
            return
        self._became(message, "told")
        if answer.strip():
            back = self._new("outgoing-reply", message.to, message.sender, answer.strip())
            await self._deliver(back, None)

    async def _post(self, url: str, form: Mapping[str, str]) -> str | None:
        """Post a webhook until it is accepted and return the answer's text; ``None`` when given up."""
        started_s, wait_s = self._clock.mono_s(), _FIRST_RETRY_S
        for tries in itertools.count(1):
            try:
                answer = await self._client.post(url, data=form)
            except httpx.TransportError as error:
                why = type(error).__name__
            else:
                if answer.status_code in _ACCEPTED:
                    return answer.text
                why = f"HTTP {answer.status_code}"
            if tries >= _FEWEST_TRIES and self._clock.mono_s() - started_s > _GIVE_UP_S:
                log.error("webhook about %s given up after %d tries: %s", form["id"], tries, why)
                break
            log.warning("webhook about %s: %s, again in %.1f s", form["id"], why, wait_s)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, _LONGEST_RETRY_S)
        return None


def api_time(wall_s: float) -> str:
    """Return a time as the 46elks API writes it: UTC, ISO 8601, no zone."""
    return utc(wall_s).replace(tzinfo=None).isoformat(timespec="microseconds")
