"""What happens to messages and calls between the providers and the phones, and the webhooks that tell about it."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from firmware_sim.clock import Clock, utc
from firmware_sim.errors import Unfit
from firmware_sim.phone.model import Behaviour, Message, Phone, is_number
from firmware_sim.phone.webhook import Caller, Webhook
from firmware_sim.process import Tasks


class Carrier(Protocol):
    """A provider, as the network sees it: how it tells what happened."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    def report(self, message: Message, url: str | None) -> Webhook | None:
        """Return how it tells what became of a message, ``None`` when it does not tell this."""
        ...

    def inbound(self, message: Message) -> Webhook | None:
        """Return how it tells that a phone sent a message, ``None`` when it does not tell."""
        ...

    def answered(self, body: str) -> str:
        """Return what of the answer to that goes back to the phone."""
        ...


class Network:
    """The phones and everything sent to and from them.

    Args:
        phones: The phones that exist; a message to any other number fails.
        incoming_url: Told each message that a phone sends through 46elks, or ``None``.
        service_number: Where phones answer to before they got any message.
        clock: The simulator's time.
    """

    def __init__(self, phones: list[Phone], incoming_url: str | None, service_number: str, clock: Clock) -> None:
        self.phones = {phone.number: phone for phone in phones}
        self.messages: list[Message] = []
        self.incoming_url = incoming_url
        self.service_number = service_number
        self.clock = clock
        self.caller = Caller(clock)
        self.tasks = Tasks()
        self._carriers: dict[str, Carrier] = {}
        self._presses: dict[str, asyncio.Queue[str]] = {}
        self._deliveries: dict[str, asyncio.Task[None]] = {}
        self._listeners: set[asyncio.Queue[Message | None]] = set()
        self._switched = asyncio.Condition()

    def join(self, carrier: Carrier) -> None:
        """Let a provider carry messages."""
        self._carriers[carrier.name] = carrier

    async def stop(self) -> None:
        """Give up what is under way and end every listener."""
        for queue in self._listeners:
            queue.put_nowait(None)
        await self.tasks.stop()
        await self.caller.close()

    def send(
        self, sender: str, to: str, text: str, report_url: str | None, *, provider: str = "46elks", ref: str = ""
    ) -> Message:
        """Accept a message to a phone; delivery goes on in the background."""
        message = self.new("outgoing", sender, to, text, provider=provider)
        message.ref = ref
        delivery = self.tasks.start(self._deliver(message, report_url), f"deliver {message.id}")
        self._deliveries[message.id] = delivery
        delivery.add_done_callback(lambda _: self._deliveries.pop(message.id, None))
        return message

    async def settle(self, message: Message) -> None:
        """Wait until a message has been delivered and that been reported."""
        delivery = self._deliveries.get(message.id)
        if delivery is not None:
            await asyncio.wait([delivery])

    def reply(self, number: str, text: str, sender: str | None = None) -> Message:
        """Send a message from a phone to where its last message came from.

        Args:
            number: The phone.
            text: What it says.
            sender: Another number that it seems to come from.

        Raises:
            Unfit: There is no such phone, the text is empty, or the last sender cannot be answered.
        """
        if number not in self.phones:
            raise Unfit(f"no phone {number}")
        if not text.strip():
            raise Unfit("'message' must be a text")
        last = next((m for m in reversed(self.messages) if m.to == number), None)
        to = last.sender if last else self.service_number
        if not is_number(to):
            raise Unfit(f"{to!r} is a name, not a number: a phone cannot answer it")
        message = self.new("incoming", sender or number, to, text, provider=last.provider if last else "46elks")
        message.answers = last.id if last else ""
        self.tasks.start(self._tell_reply(message, self.phones[number]), f"reply {message.id}")
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

    def press(self, number: str, key: str) -> None:
        """Press a key of a phone, for the call that waits for it, or the next that does.

        Raises:
            Unfit: There is no such phone, or no such key.
        """
        if number not in self.phones:
            raise Unfit(f"no phone {number}")
        if len(key) != 1 or not (key.isascii() and key.isdigit()):
            raise Unfit(f"'key' is one digit, not {key!r}")
        self._pressed(number).put_nowait(key)

    async def key(self, number: str, wait_s: float) -> str:
        """Return the key that somebody presses within this time; empty: none. ``h``: she has hung up."""
        phone = self.phones[number]
        keys = phone.behaviour.keys
        if keys:
            phone.behaviour = phone.behaviour.changed({"keys": keys[1:]})
            return keys[0].replace("-", "")
        if phone.behaviour.nurse is not None:
            await asyncio.sleep(phone.behaviour.nurse.after_s)
            return "1"
        try:
            async with asyncio.timeout(0 if phone.behaviour.hasty else wait_s):
                return await self._pressed(number).get()
        except TimeoutError:
            return ""

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

    def new(self, direction: str, sender: str, to: str, text: str, *, provider: str) -> Message:
        """Keep a new message, or a call, and tell everybody who follows."""
        at_s, mono_s = self.clock.wall_s(), self.clock.mono_s()
        message = Message(f"s{secrets.token_hex(16)}", direction, sender, to, text, at_s, mono_s)
        message.provider = provider
        self.messages.append(message)
        self.became(message, "received" if direction == "incoming" else "created")
        return message

    def became(self, message: Message, status: str) -> None:
        """Note what became of a message, and tell everybody who follows."""
        message.status = status
        message.log.append((status, self.clock.wall_s()))
        for queue in self._listeners:
            queue.put_nowait(message)

    async def tell(self, message: Message, webhook: Webhook | None) -> str | None:
        """Make a provider's call about a phone's message, as the phone's behaviour lets it."""
        numbers = (message.sender, message.to)
        phone = next((self.phones[number] for number in numbers if number in self.phones), None)
        if webhook is None or (phone is not None and phone.behaviour.lose_webhook):
            return None
        answer = None
        for _ in range(2 if phone is not None and phone.behaviour.duplicate_report else 1):
            answer = await self.caller.call(webhook, message.id)
        return answer

    def _pressed(self, number: str) -> asyncio.Queue[str]:
        return self._presses.setdefault(number, asyncio.Queue())

    async def _deliver(self, message: Message, report_url: str | None) -> None:
        phone = self.phones.get(message.to)
        if phone is None or phone.behaviour.fail:
            self.became(message, "failed")
            await self._report(message, report_url)
            return
        if phone.behaviour.drop:
            return
        self.became(message, "sent")
        self.tasks.start(self._report(message, report_url), f"sent {message.id}")
        await asyncio.sleep(phone.behaviour.slow_s)
        async with self._switched:
            await self._switched.wait_for(lambda: phone.behaviour.on)
        self.became(message, "delivered")
        if phone.behaviour.nurse is not None:
            self.tasks.start(self._nurse(phone, message), f"nurse {message.id}")
        await self._report(message, report_url)

    async def _nurse(self, phone: Phone, message: Message) -> None:
        nurse = phone.behaviour.nurse
        answer = nurse.reply_to(message.message) if nurse is not None else None
        if nurse is not None and answer is not None:
            await asyncio.sleep(nurse.after_s)
            self.reply(phone.number, answer)

    async def _report(self, message: Message, url: str | None) -> None:
        await self.tell(message, self._carriers[message.provider].report(message, url))

    async def _tell_reply(self, message: Message, phone: Phone) -> None:
        carrier = self._carriers[message.provider]
        webhook = carrier.inbound(message)
        if webhook is None or phone.behaviour.lose_webhook:
            return
        answer = await self.caller.call(webhook, message.id)
        if answer is None:
            return
        self.became(message, "told")
        if text := carrier.answered(answer).strip():
            back = self.new("outgoing-reply", message.to, phone.number, text, provider=message.provider)
            await self._deliver(back, None)


def api_time(wall_s: float) -> str:
    """Return a time as the 46elks API writes it: UTC, ISO 8601, no zone."""
    return utc(wall_s).replace(tzinfo=None).isoformat(timespec="microseconds")
