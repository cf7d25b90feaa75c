"""A mail server on a real socket that can misbehave at every step (RFC 5321, STARTTLS of RFC 3207)."""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import Mapping
from typing import NamedTuple, Self


class Mail(NamedTuple):
    """What was accepted."""

    sender: str
    recipient: str
    data: bytes
    encrypted: bool
    user: str | None


class MailServer:
    """Accepts, refuses, hangs or breaks off.

    Args:
        tls: Its certificate; it then offers STARTTLS.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self.at_once_tls = False
        # By verb, "CONNECT" and "." for the end of the data: the answer instead of the good one.
        # Empty: it breaks off. "hang": it never answers.
        self.answers: Mapping[str, str] = {}
        self.mails: list[Mail] = []
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        context = self.tls if self.at_once_tls else None
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._talk(reader, writer))
        self._tasks.add(task)
        with contextlib.suppress(
            ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError
        ):
            await task
        writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        encrypted, user, path = self.at_once_tls, None, {"MAIL": "", "RCPT": ""}
        said = await self._say(writer, "CONNECT", "220 mail.example ESMTP")
        while said and (line := (await reader.readline()).decode("ascii").strip()):
            verb, _, rest = line.partition(" ")
            verb = verb.upper()
            if verb in path:
                path[verb] = rest.partition("<")[2].partition(">")[0]
            if verb == "AUTH":
                user = base64.b64decode(rest.split()[1]).decode().split("\0")[1]
            said = await self._say(writer, verb, self._good(verb, encrypted=encrypted))
            if verb in self.answers:
                continue
            if verb == "STARTTLS" and self.tls is not None:
                await writer.start_tls(self.tls)
                encrypted = True
            elif verb == "DATA":
                data = (await reader.readuntil(b"\r\n.\r\n"))[:-3].replace(b"\r\n..", b"\r\n.")
                if "." not in self.answers:
                    self.mails.append(Mail(path["MAIL"], path["RCPT"], data, encrypted, user))
                said = await self._say(writer, ".", "250 queued")

    def _good(self, verb: str, *, encrypted: bool) -> str:
        offers = ["mail.example", *(["STARTTLS"] if self.tls and not encrypted else []), "AUTH PLAIN", "8BITMIME"]
        ehlo = "\r\n".join([*(f"250-{offer}" for offer in offers), "250 HELP"])
        good = {"EHLO": ehlo, "STARTTLS": "220 go ahead", "AUTH": "235 welcome", "DATA": "354 end with a dot"}
        return good.get(verb, "250 fine")

    async def _say(self, writer: asyncio.StreamWriter, step: str, good: str) -> bool:
        answer = self.answers.get(step, good)
        if answer == "hang":
            await asyncio.Event().wait()
        if answer:
            writer.write(f"{answer}\r\n".encode())
            await writer.drain()
        return bool(answer)
