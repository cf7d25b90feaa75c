"""The site file and the accounts of the console."""

import argparse
from pathlib import Path

from hub.cli.table import Command, Parser, date, login, now, store_option


def _check(args: argparse.Namespace) -> int:
    from hub.central.commands.check import check  # noqa: PLC0415 - as above

    return check(args.site, args.since or now().utc.astimezone().date(), print)


def _check_options(parser: Parser) -> None:
    parser.add_argument("site", type=Path, metavar="SITE.toml")
    parser.add_argument(
        "--from",
        dest="since",
        type=date,
        metavar="DATE",
        help="check the rota for a year from here (2026-11-23); default: today",
    )


def _site_apply(args: argparse.Namespace) -> int:
    from hub.central.commands import site  # noqa: PLC0415 - as above

    return site.apply_file(args.site, args.store, site.checked_by(args.by or login()), now(), print)


def _apply_options(parser: Parser) -> None:
    parser.add_argument("site", type=Path, metavar="SITE.toml")
    store_option(parser)
    parser.add_argument("--by", metavar="NAME", help="who applies it, for the audit trail; default: your login")


def _site_export(args: argparse.Namespace) -> int:
    from hub.central.commands.site import export_site  # noqa: PLC0415 - as above

    return export_site(args.store, print)


def _user_options(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", help="small letters, digits and hyphens")
    store_option(parser)


def _password_options(parser: Parser) -> None:
    _user_options(parser)
    parser.add_argument("--password-stdin", action="store_true", help="read it from standard input, one line")


def _user_add(args: argparse.Namespace) -> int:
    from hub.central.commands import user  # noqa: PLC0415 - as above

    password = user.asked_password(from_stdin=args.password_stdin)
    return user.add(args.name, args.store, password, now(), print)


def _user_password(args: argparse.Namespace) -> int:
    from hub.central.commands import user  # noqa: PLC0415 - as above

    password = user.asked_password(from_stdin=args.password_stdin)
    return user.change_password(args.name, args.store, password, now(), print)


def _user_remove(args: argparse.Namespace) -> int:
    from hub.central.commands import user  # noqa: PLC0415 - as above

    return user.remove(args.name, args.store, now(), print)


COMMANDS = (
    Command(
        "check",
        "Find what is wrong with a site file: gaps in the rota, empty steps, devices that do not fit.",
        _check_options,
        _check,
        "hub check sites/example.toml\nhub check sites/example.toml --from 2027-01-01\n\n"
        "Each finding is one line; the exit code is 1 when one of them is an error.",
    ),
    Command(
        "site apply",
        "Check a site file and make it hold; a running centre takes it up at once.",
        _apply_options,
        _site_apply,
        "hub site apply sites/example.toml --store sqlite:////var/lib/hub/central.db --by ward-office",
    ),
    Command(
        "site export",
        "Print the site file that was applied last.",
        store_option,
        _site_export,
        "hub site export --store sqlite:////var/lib/hub/central.db > site.toml",
    ),
    Command(
        "user add",
        "Add an account for the console; the password is asked for twice.",
        _password_options,
        _user_add,
        "hub user add night-shift\nhub user add night-shift --password-stdin < password-file",
    ),
    Command(
        "user password",
        "Give an account another password; its sessions end.",
        _password_options,
        _user_password,
        "hub user password night-shift",
    ),
    Command(
        "user remove",
        "Take an account away, when somebody leaves; its sessions end.",
        _user_options,
        _user_remove,
        "hub user remove night-shift",
    ),
)
