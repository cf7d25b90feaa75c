"""The dead-man's switch: told that all is well, and alerting from outside when it is told nothing.

Protocol: the pinging API of healthchecks.io, as its documentation has it. The address alone is success, ``/start``
and ``/fail`` after it are the two others, ``rid`` names the run. The body is kept with the ping. An answer of 200
may still say that the ping was not taken: ``OK (not found)``, ``OK (rate limited)``.
"""

import asyncio
import logging
from typing import Literal

import httpx

log = logging.getLogger(__name__)

Signal = Literal["success", "start", "fail"]

TIMEOUT_S = 10.0
# Waits between the attempts; one more attempt than there are waits.
WAITS_S = (1.0, 4.0, 15.0, 30.0)
_BODY_CHARS = 500
_ANSWER_BYTES = 200
_PATH: dict[Signal, str] = {"success": "", "start": "/start", "fail": "/fail"}
# Of the client's errors only these pass by themselves (RFC 9110, 15.5.9; RFC 6585, 4).
_AGAIN = frozenset({408, 429})


class Switch:
    """One check at the outside.

    Args:
        url: Its address; whoever knows it can keep the check quiet, so it is never logged.
        waits_s: Waits between the attempts, in seconds.
        timeout_s: Longest that one attempt may take in all.
    """

    def __init__(self, url: str, *, waits_s: tuple[float, ...] = WAITS_S, timeout_s: float = TIMEOUT_S) -> None:
        self._url = url.rstrip("/")
        self._waits_s = waits_s
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(timeout=timeout_s, follow_redirects=False)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._client.aclose()

    async def tell(self, signal: Signal, run: str, body: str = "") -> bool:
        """Send one signal, again while it may help; return whether it was taken.

        Args:
            signal: What to tell.
            run: Id of the round, a UUID.
            body: What the switch keeps with it; no personal data.
        """
        for wait_s in (*self._waits_s, None):
            refusal = await self._attempt(signal, run, body[:_BODY_CHARS])
            if refusal is None:
                return True
            reason, again = refusal
            log.warning("the dead-man's switch did not take %s: %s", signal, reason)
            if wait_s is None or not again:
                break
            await asyncio.sleep(wait_s)
        return False

    async def _attempt(self, signal: Signal, run: str, body: str) -> tuple[str, bool] | None:
        """Make one attempt; return why it was not taken and whether another may help, or ``None``."""
        try:
            # httpx counts each read for itself: who drips bytes could hold it for ever.
            async with asyncio.timeout(self._timeout_s):
                return await self._post(self._url + _PATH[signal], run, body)
        except TimeoutError:
            return f"no answer within {self._timeout_s:g} s", True
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return type(error).__name__, True

    async def _post(self, url: str, run: str, body: str) -> tuple[str, bool] | None:
        request = self._client.build_request("POST", url, params={"rid": run}, content=body.encode())
        response = await self._client.send(request, stream=True)
        try:
            answer = b""
            async for piece in response.aiter_bytes(_ANSWER_BYTES):
                answer += piece
                if len(answer) >= _ANSWER_BYTES:
                    break
        finally:
            await response.aclose()
        code = response.status_code
        if not response.is_success:
            return f"HTTP {code}", code >= httpx.codes.INTERNAL_SERVER_ERROR or code in _AGAIN
        for refusal in (b"not found", b"rate limited"):
            if refusal in answer:
                return f"HTTP {code}, {refusal.decode()}", refusal == b"rate limited"
        return None
