"""At the box: who is heard, what comes over the links, and pairing; asked of the edge that runs there."""

import argparse
import itertools
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from hub.cli.table import Command, Parser
from hub.domain.clock import boottime
from hub.domain.errors import MalformedError, PermanentError

_DATA_DIR = "/var/lib/hub/edge"
_REFRESH_S = 0.5
_FRAME_CHARACTERS = 32
# Control Sequence Introducer (ECMA-48): cursor to the top; clear to the end of the line, of the screen.
_HOME, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
_COLUMNS = (
    ("at", "heard"),
    ("link", "link"),
    ("address", "address"),
    ("rssi_dbm", "dBm"),
    ("times", "times"),
    ("device", "device"),
    ("what", "type, name"),
    ("frame", "last frame"),
)
# Beyond bonding with it, the hub waits a minute for the device to be heard.
_PAIR_S = 150.0
_PASSKEYS = range(1_000_000)

Row = dict[str, Any]


def _folder(args: argparse.Namespace) -> Path:
    if args.settings is None:
        return Path(args.data_dir)
    from hub.edge.settings import load  # noqa: PLC0415 - a centre has none of the edge's libraries

    return Path(load(args.settings).data_dir)


def _lines(args: argparse.Namespace, do: str, every_s: float | None = None) -> Iterator[Row | None]:
    """Give the lines of a stream until the time is over; ``None`` whenever none came for a while."""
    from hub.edge.service.client import Talk  # noqa: PLC0415 - as above

    end = None if args.seconds is None else boottime() + args.seconds
    with Talk(_folder(args), {"do": do}) as talk:
        talk.first()
        while end is None or boottime() < end:
            left_s = every_s if end is None else min(end - boottime(), every_s or end - boottime())
            yield talk.next(left_s)


def _scan(args: argparse.Namespace) -> int:
    if args.json or not sys.stdout.isatty():
        for line in _lines(args, "scan"):
            if line and "address" in line:
                print(json.dumps(line, ensure_ascii=False), flush=True)
        return 0
    rows: dict[tuple[str, str], Row] = {}
    shown = 0.0
    print(_HOME + _CLEAR_BELOW, end="")
    for line in _lines(args, "scan", _REFRESH_S):
        if line and "address" in line:
            rows[line["link"], line["address"]] = line
        if boottime() - shown >= _REFRESH_S:
            shown = boottime()
            size = shutil.get_terminal_size()
            text = table(list(rows.values()), size.lines - 2, size.columns)
            print(_HOME + "".join(f"{one}{_CLEAR_LINE}\n" for one in text) + _CLEAR_BELOW, end="", flush=True)
    return 0


def table(rows: list[Row], most: int, width: int) -> list[str]:
    """Lay out what is heard: strangers on top, the newest first.

    Args:
        rows: As the edge gives them.
        most: Lines that there is room for, with the heading.
        width: Characters of a line.
    """
    if not rows:
        return ["Nothing heard yet. Press a button of the device, or open its door."]
    ordered = sorted(rows, key=lambda row: str(row["at"]), reverse=True)
    ordered.sort(key=lambda row: row["device"] is not None)
    cells = [[heading for _, heading in _COLUMNS], *([_cell(row, key) for key, _ in _COLUMNS] for row in ordered)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(_COLUMNS))]
    return ["  ".join(map(str.ljust, line, widths))[:width].rstrip() for line in cells[: max(2, most)]]


def _cell(row: Row, key: str) -> str:
    if key == "at":
        return str(row["at"])[11:19]
    if key == "what":
        text = ", ".join(str(part) for part in (row["type"], row["profile"], row["name"]) if part)
    elif key == "device":
        text = row["device"] or "-"
    else:
        text = "" if row[key] is None else str(row[key])
    # A name comes from whoever sends it: no control sequence of theirs reaches the terminal.
    safe = "".join(one if one.isprintable() else "?" for one in text)
    return safe[:_FRAME_CHARACTERS] if key == "frame" else safe


def _record(args: argparse.Namespace) -> int:
    frames = lost = 0
    lines = _lines(args, "record")
    header = next(lines)  # before the file is made: without an edge there is none
    with _new_file(args.file) as file, suppress(KeyboardInterrupt):  # how a recording without --seconds ends
        for line in itertools.chain([header], lines):
            if line is None:
                continue
            frames += "link" in line
            lost += line.get("lost", 0)
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()
    print(f"hub: {frames} frames recorded, {lost} lost", file=sys.stderr)
    return 0


def _new_file(path: str) -> Any:  # noqa: ANN401 - a text file
    """Open a file that is not there yet, for us alone.

    Raises:
        PermanentError: It is there, or cannot be written.
    """
    if path == "-":
        return os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")
    except OSError as error:
        raise PermanentError(f"{path}: {error.strerror}; a recording begins a new file") from error


def _pair(args: argparse.Namespace) -> int:
    from hub.edge.service.client import Talk  # noqa: PLC0415 - as above

    if args.passkey not in _PASSKEYS:
        raise MalformedError(f"--passkey {args.passkey}: write its six digits")
    request = {"do": "pair", "address": args.address, "passkey": args.passkey}
    print(f"hub: waiting for {args.address}; put it into pairing mode now", file=sys.stderr)
    with Talk(_folder(args), request, answer_s=_PAIR_S) as talk:
        told = talk.first()
    print(json.dumps({"address": told["address"], "key": told["key"]}))
    print("hub: keep this key: give it to `hub devices add --key`, nobody else has it", file=sys.stderr)
    return 0


def _place_options(parser: Parser) -> None:
    place = parser.add_mutually_exclusive_group()
    place.add_argument(
        "--data-dir", default=_DATA_DIR, metavar="DIR", help=f"the edge's folder; default: {_DATA_DIR}"
    )
    place.add_argument("--settings", type=Path, metavar="FILE", help="the edge's settings, which name its folder")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: write a number of seconds above 0")
    return seconds


def _stream_options(parser: Parser) -> None:
    _place_options(parser)
    parser.add_argument("--seconds", type=_seconds, metavar="N", help="end after so long; default: at Ctrl-C")


def _scan_options(parser: Parser) -> None:
    _stream_options(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a line; so it is in a pipe too")


def _record_options(parser: Parser) -> None:
    parser.add_argument("file", metavar="FILE", help="a new file; - for standard output")
    _stream_options(parser)


def _pair_options(parser: Parser) -> None:
    parser.add_argument("address", metavar="ADDRESS", help="as `hub devices scan` shows it")
    parser.add_argument(
        "--passkey", type=int, required=True, metavar="DIGITS", help="six digits; they become the device's"
    )
    _place_options(parser)


_AT_THE_BOX = "Run it on the box, as root or as the user of the edge, while the edge runs."
COMMANDS = (
    Command(
        "devices scan",
        "Show who is heard, live: strangers on top, the newest first.",
        _scan_options,
        _scan,
        "hub devices scan\nhub devices scan --settings /etc/hub/edge.toml --seconds 30 --json\n\n"
        "A device without an id in the column `device` is assigned to nobody: press its button, see which line\n"
        "moves to the top, and give link and address to `hub devices add`. The type is a guess by what it sends.\n"
        "Below -90 dBm the signal is too weak to rely on.\n" + _AT_THE_BOX,
    ),
    Command(
        "devices record",
        "Record every raw frame with its time, pseudonymous, as a file for `hub-sim replay`.",
        _record_options,
        _record,
        "hub devices record fault.jsonl --seconds 600\n\n"
        "Addresses are replaced by made-up ones; keys, and what people wrote, are left out.\n" + _AT_THE_BOX,
    ),
    Command(
        "devices pair",
        "Bond with a device that is in pairing mode, and print its key.",
        _pair_options,
        _pair,
        "hub devices pair C2:11:22:33:44:55 --passkey 123456\n\n" + _AT_THE_BOX,
    ),
)
