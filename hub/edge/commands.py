"""Commands of the centre, carried out at most once, and answered by an observation."""

import asyncio
import logging
from collections.abc import Callable

import msgspec

from hub.domain.codes import Kind
from hub.domain.errors import HubError, MalformedError
from hub.edge.recorder import Recorder
from hub.edge.session import Session
from hub.wire import command
from hub.wire.command import Command

log = logging.getLogger(__name__)

_TAKEN = "commands taken"
# A broker brings a message again within seconds; more than these cannot be under way.
_REMEMBERED = 200


class Commands:
    """Takes commands in.

    Args:
        recorder: Remembers which were taken, and tells what became of them.
        session_of: Returns the session of a device, or ``None``.
    """

    def __init__(self, recorder: Recorder, session_of: Callable[[str], Session | None]) -> None:
        self._recorder = recorder
        self._session_of = session_of
        self._taking = asyncio.Lock()

    async def offered(self, payload: bytes) -> None:
        """Take a command; the caller acknowledges the message when this returns.

        Raises:
            MalformedError: It cannot be read; nothing is done.
            TransientError: It could not be remembered, and so was not done.
        """
        told = command.decode(payload)
        if not await self._take(told.id):
            log.info("command %s came again", told.id)
            return
        reason = await self._carried_out(told)
        log.info("command %s: %s of %s: %s", told.id, told.name, told.device, reason or "done")
        value = {"command": told.id, "name": told.name, "ok": reason is None, "reason": reason or ""}
        await self._recorder.say(Kind.DEVICE_ANSWERED, value, subject=told.device)

    async def _take(self, number: str) -> bool:
        """Remember a command; tell whether it is a new one."""
        async with self._taking:  # two at a time would each forget the other
            kept = await self._recorder.meta(_TAKEN) or b"[]"
            taken = msgspec.json.decode(kept, type=list[str])
            if number in taken:
                return False
            await self._recorder.keep(_TAKEN, msgspec.json.encode([*taken, number][-_REMEMBERED:]))
        return True

    async def _carried_out(self, told: Command) -> str | None:
        """Do it; return why not, or ``None``."""
        session = self._session_of(told.device)
        try:
            if (told.device, told.name) == (self._recorder.hub_id, command.PROBE):
                await self._recorder.probe(told.id)
                return None
            if session is None:
                raise MalformedError(f"device {told.device!r}: this hub has none of this name")
            await session.tell(told.device, told.name, told.args)
        except HubError as error:
            return str(error)
        return None
