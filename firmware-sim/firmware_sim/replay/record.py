"""``hub-sim record``: raw frames of a live edge, under made-up addresses."""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import TextIO

from firmware_sim.errors import Unfit
from firmware_sim.process import until_stopped

_DESCRIPTION = """\
Record raw frames with their times from a running edge, under made-up addresses, until Ctrl-C.

  hub-sim record /var/lib/hub/service.sock kitchen.jsonl

SOCKET is service.sock in the edge's data folder, or a copy of it forwarded by ssh -L."""
_LONGEST_LINE = 1 << 20


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``record`` to the commands."""
    parser = commands.add_parser(
        "record",
        help="raw frames of a live edge",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("socket", type=Path, metavar="SOCKET", help="service.sock of the edge")
    parser.add_argument("file", type=Path, metavar="FILE", help="what to write")
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> int:
    try:
        asyncio.run(_recorded(given))
    except (Unfit, OSError) as error:
        print(f"hub-sim record: {error}", file=sys.stderr)  # noqa: T201 -- a command's answer
        return 1
    return 0


async def _recorded(given: argparse.Namespace) -> None:
    reader, writer = await asyncio.open_unix_connection(given.socket, limit=_LONGEST_LINE)
    writer.write(b'{"do":"record"}\n')
    with given.file.open("w", encoding="utf-8") as file:
        taking = asyncio.ensure_future(_taken(reader, file))
        stopped = asyncio.ensure_future(until_stopped())
        await asyncio.wait([taking, stopped], return_when=asyncio.FIRST_COMPLETED)
        writer.close()
        if taking.done():
            await taking  # it never ends but by an error
        taking.cancel()
    print(f"recorded in {given.file}")  # noqa: T201 -- as above


async def _taken(reader: asyncio.StreamReader, file: TextIO) -> None:
    """Write what the edge tells to a file, line by line.

    Raises:
        Unfit: The edge refuses, or is gone.
    """
    while line := (await reader.readline()).decode():
        answer = json.loads(line)
        if answer.get("ok") is False:
            raise Unfit(str(answer.get("error")))
        if "ok" not in answer:
            file.write(line)
            file.flush()
    raise Unfit("the edge has closed the line")
