"""The write API of InfluxDB 2 as its reference describes it: 204, 400 with its message, 401, 404, 429, 503."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


class InfluxV2:
    """Keeps the lines it accepted; what it is to answer next can be queued.

    Attributes:
        lines: Accepted lines by key (measurement, tags and time), as a point overwrites its equal.
        answers: Status codes for the next requests, before it answers by itself.
        poison: A line with this text is refused; the rest of its batch is written.
        requests: How many writes came.
    """

    def __init__(self, token: str, bucket: str) -> None:
        self.lines: dict[str, str] = {}
        self.answers: list[int] = []
        self.poison = ""
        self.requests = 0
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, the base class's names
                del format, args

            def do_GET(self) -> None:
                self.answer(204, None)

            def do_POST(self) -> None:
                url = urlsplit(self.path)
                asked = parse_qs(url.query)
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                fake.requests += 1
                if fake.answers:
                    self.answer(fake.answers.pop(0), {"code": "busy", "message": "as told"})
                elif self.headers["Authorization"] != f"Token {token}":
                    self.answer(401, {"code": "unauthorized", "message": "unauthorized access"})
                elif url.path != "/api/v2/write" or asked["bucket"] != [bucket] or asked["precision"] != ["ns"]:
                    self.answer(404, {"code": "not found", "message": "bucket not found"})
                else:
                    self.take(body.split("\n"))

            def take(self, lines: list[str]) -> None:
                good = [line for line in lines if not fake.poison or fake.poison not in line]
                fake.lines |= {line.split(" ")[0] + line.rsplit(" ", 1)[1]: line for line in good}
                if len(good) < len(lines):
                    message = f"partial write: field type conflict dropped={len(lines) - len(good)}"
                    self.answer(400, {"code": "invalid", "message": message})
                else:
                    self.answer(204, None)

            def answer(self, status: int, body: dict[str, str] | None) -> None:
                content = b"" if body is None else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("X-Influxdb-Version", "v2.7.11")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
