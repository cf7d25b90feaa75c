"""The other end of the service socket, for commands."""

import socket
from pathlib import Path
from typing import Any, Self

import msgspec

from hub.domain.errors import MalformedError, RefusedError, TransientError
from hub.edge.service.place import SOCKET, reachable

_ANSWER_S = 10.0


class Talk:
    """One request to a running edge.

    Args:
        folder: The edge's data folder.
        request: What is asked.
        answer_s: How long the first line may take.

    Raises:
        TransientError: No edge listens there.
    """

    def __init__(self, folder: Path, request: dict[str, Any], answer_s: float = _ANSWER_S) -> None:
        self._place = folder / SOCKET
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            with reachable(folder) as path:
                self._socket.connect(path)
            self._socket.sendall(msgspec.json.encode(request) + b"\n")
        except OSError as error:
            self._socket.close()
            raise TransientError(
                f"no edge listens at {self._place} ({error.strerror or error}): is it running, and may you read "
                "its folder? Try with sudo, or name its folder with --data-dir or --settings"
            ) from error
        self._socket.settimeout(answer_s)
        self._buffer = b""

    def first(self) -> dict[str, Any]:
        """Return the first line.

        Raises:
            RefusedError: The edge says no, and why.
            TransientError: It has gone, or does not answer.
        """
        line = self.next()
        if line is None:
            raise TransientError(f"the edge at {self._place} does not answer")
        if not line.get("ok"):
            raise RefusedError(str(line.get("error", line)))
        return line

    def next(self, wait_s: float | None = None) -> dict[str, Any] | None:
        """Return the next line, or ``None`` when none has come in this time.

        Raises:
            TransientError: The edge has gone.
            MalformedError: What it says is no line of ours.
        """
        if wait_s is not None:
            self._socket.settimeout(max(wait_s, 0.001))
        while b"\n" not in self._buffer:
            try:
                data = self._socket.recv(1 << 16)
            except TimeoutError:
                return None
            except OSError as error:
                raise TransientError(f"the edge at {self._place}: {error.strerror}") from error
            if not data:
                raise TransientError(f"the edge at {self._place} has ended")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        try:
            return msgspec.json.decode(line, type=dict[str, Any])
        except (msgspec.DecodeError, ValueError) as error:
            raise MalformedError(f"the edge at {self._place} answers what is no line of ours: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
