"""Test mode, and which devices are in service."""

import argparse

from hub.cli.table import Command, Parser, login, now, store_option


def _test(args: argparse.Namespace) -> int:
    from hub.central.commands import devices  # noqa: PLC0415 - an edge has none of the centre's libraries

    by = args.by or login()
    if args.end:
        return devices.end(args.device, args.store, by=by, now=now(), say=print)
    return devices.start(args.device, args.phone, args.minutes, args.store, by=by, now=now(), say=print)


def _test_options(parser: Parser) -> None:
    parser.add_argument("device", metavar="DEVICE", help="its id in the site")
    store_option(parser)
    parser.add_argument(
        "--phone", metavar="PHONE", help="id of the phone that is told; default: the site's test_phone"
    )
    parser.add_argument(
        "--minutes", type=int, default=30, metavar="N", help="until it ends by itself; at most 120"
    )
    parser.add_argument("--end", action="store_true", help="end its test mode now")
    parser.add_argument("--by", metavar="NAME", help="who tests, for the audit trail; default: your login")


def _list(args: argparse.Namespace) -> int:
    from hub.central.commands import devices  # noqa: PLC0415 - as above

    return devices.list_devices(args.store, as_json=args.json, now=now(), say=print)


def _list_options(parser: Parser) -> None:
    store_option(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


COMMANDS = (
    Command(
        "devices test",
        "Put a device into test mode: its next press is told to a test phone, as a test.",
        _test_options,
        _test,
        "hub devices test d-1001-button --phone technician --store sqlite:////var/lib/hub/central.db\n"
        "hub devices test d-1001-button --end\n\n"
        "A press that the test phone answers with OK and its number puts the device in service. A test that\n"
        "nobody answers within 3 minutes is raised as a real alarm.",
    ),
    Command(
        "devices list",
        "List the devices: never tested, in test mode, in service; and when each was last heard.",
        _list_options,
        _list,
        "hub devices list --store sqlite:////var/lib/hub/central.db\n"
        'hub devices list --json | grep \'"state":"untested"\'',
    ),
)
