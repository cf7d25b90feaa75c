"""``hub-sim phone``: the phone network."""

import argparse
import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.applications import Starlette

from firmware_sim.clock import SystemClock
from firmware_sim.errors import Unfit
from firmware_sim.phone.app import Service
from firmware_sim.phone.model import Behaviour, Phone, is_number
from firmware_sim.phone.network import Network
from firmware_sim.process import Tasks, port_number, say_ready, until_stopped

_DESCRIPTION = """\
Run message services that speak the APIs of 46elks, Sveve, Twilio and LINK Mobility, with the phones behind them.

  send      POST /a1/sms, /a1/calls (46elks); /SMS/SendMessage (Sveve); /sms/send (LINK);
            /2010-04-01/Accounts/USER/Messages.json, …/Calls.json (Twilio)
  look      open / in a browser: the phones side by side, with a box to type replies
  reply     POST /phones/NUMBER/reply      {"message": "OK 47"}   ("from": another number it seems to come from)
  press     POST /phones/NUMBER/press      {"key": "1"}   in a call
  misbehave POST /phones/NUMBER/behaviour  {"drop": true}   (or /behaviour for every phone)
            on, drop, fail, slow_s, refuse_next, hang_next, duplicate_report, lose_webhook,
            nurse: {"after_s": 2, "answer": "{ok}"} answers each text that asks for "OK 47";
            in calls: busy, unanswered, machine, hasty, keys: one sign for each wait, as "-1", h hangs up
  provider  POST /providers/NAME/behaviour {"next": ["busy", "cut"], "always": "", "wrong_signature": false,
            "hooks": "http://…"}: what happens to its next requests, and where it tells of texts that came in
  follow    GET /messages, GET /phones, GET /events (server-sent events)

Prints {"ready": true, "port": …} when it listens on 127.0.0.1."""
_SERVICE_NUMBER = "+4700000000"


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``phone`` to the commands."""
    parser = commands.add_parser(
        "phone",
        help="the phone network",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=port_number, default=0, help="TCP port (0: any free)")
    parser.add_argument("--user", required=True, help="API user name")
    parser.add_argument("--password", required=True, help="API password")
    parser.add_argument("--incoming-url", help="where a phone's messages are posted to")
    parser.add_argument("--number", default=_SERVICE_NUMBER, help="the service's own number")
    parser.add_argument(
        "--phone", action="append", default=[], metavar="NUMBER=LABEL", help="a phone; may be given again"
    )
    parser.add_argument(
        "--hooks",
        action="append",
        default=[],
        metavar="NAME=URL",
        help="the address of a provider's hooks; it calls /delivery and /inbound below it; may be given again",
    )
    parser.add_argument(
        "--nurse", type=float, metavar="SECONDS", help="every phone answers by itself after this long"
    )
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> int:
    try:
        asyncio.run(_live(given, [_phone(text, given.nurse) for text in given.phone]))
    except (OSError, Unfit) as error:
        print(f"hub-sim phone: {error}", file=sys.stderr)  # noqa: T201 -- a command's answer
        return 1
    return 0


def _phone(text: str, nurse_s: float | None) -> Phone:
    number, _, label = text.partition("=")
    if not is_number(number):
        raise Unfit(f"--phone {text!r}: write it as +4700000012=nord-1 duty")
    behaviour = Behaviour().changed({"nurse": None if nurse_s is None else {"after_s": nurse_s}})
    return Phone(number, label or number, behaviour)


async def _live(given: argparse.Namespace, phones: list[Phone]) -> None:
    network = Network(phones, given.incoming_url, given.number, SystemClock())
    service = Service(network, given.user, given.password)
    for text in given.hooks:
        name, _, url = text.partition("=")
        service.mannered(name, {"hooks": url})
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", given.port))
        listening.listen()
        port = listening.getsockname()[1]

        @contextlib.asynccontextmanager
        async def lifespan(_app: Starlette) -> AsyncIterator[None]:
            say_ready(port=port)
            yield

        settings = uvicorn.Config(
            service.app(lifespan), log_level="warning", access_log=False, timeout_graceful_shutdown=1
        )
        server = _Server(settings)
        stopping = Tasks()
        stopping.start(_stop_when_told(server, service), "stop")
        await server.serve(sockets=[listening])
        await stopping.stop()


async def _stop_when_told(server: uvicorn.Server, service: Service) -> None:
    await until_stopped()
    # First the streams: the server would wait for them.
    await service.close()
    server.should_exit = True


class _Server(uvicorn.Server):
    """A server that leaves the signals to us: it would end itself with the one it got."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signals."""
        yield
