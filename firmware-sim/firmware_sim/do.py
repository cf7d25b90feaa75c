"""``hub-sim do``: makes something happen to one device of a running home."""

import argparse
import asyncio
import json
import sys

from firmware_sim.control import Control, ControlError
from firmware_sim.typed import pair

_DESCRIPTION = """\
Make something happen to a device of a running `hub-sim world` (the demo has one):

  hub-sim do PORT pendant press
  hub-sim do PORT disp-ble event code=25

PORT is the control port that the world printed. An unknown word is answered with those that fit."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``do`` to the commands."""
    parser = commands.add_parser(
        "do",
        help="press, open, dispense… in a running home",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("port", type=int, help="control port of the world")
    parser.add_argument("device", help="name of the device")
    parser.add_argument("action", help="what happens to it")
    parser.add_argument("argument", nargs="*", help="KEY=VALUE, where the action takes any")
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> int:
    try:
        arguments = dict(pair(text) for text in given.argument)
        answer = asyncio.run(_do(given, arguments))
    except ConnectionRefusedError:
        print(f"hub-sim do: no home listens on port {given.port}", file=sys.stderr)  # noqa: T201 -- a command's answer
        return 1
    except (ControlError, OSError, ValueError, OverflowError) as error:
        print(f"hub-sim do: {error}", file=sys.stderr)  # noqa: T201 -- a command's answer
        return 1
    print(json.dumps(answer))  # noqa: T201 -- a command's answer
    return 0


async def _do(given: argparse.Namespace, arguments: dict[str, object]) -> dict[str, object]:
    async with Control(given.port) as home:
        return dict(await home.do(given.device, given.action, **arguments))
