"""``hub site apply`` and ``hub site export``: the site file into the store, and out of it."""

from pathlib import Path
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from hub.central.commands import Say
from hub.central.commands.files import read_text
from hub.central.commands.stores import opened
from hub.central.commissioning import service
from hub.central.site.apply import apply, export
from hub.central.site.check import errors, findings
from hub.central.site.load import load
from hub.document import Lines, report
from hub.domain.clock import Now
from hub.domain.errors import MalformedError


def apply_file(path: Path, store_url: str, by: str, now: Now, say: Say) -> int:
    """Check a site file and make it hold; with errors nothing is applied, and 1 returned.

    Raises:
        HubError: The file cannot be read, or the store not be written.
    """
    text = read_text(path)
    site = load(text, str(path))
    try:
        today = now.utc.astimezone(ZoneInfo(site.site.timezone)).date()
    except (KeyError, ValueError, OSError):  # the check says what is wrong with the zone
        today = now.utc.date()
    found = findings(site, today)
    lines = Lines(text)
    for finding in found:
        say(report(str(path), finding, lines))
    if errors(found):
        say(f"{path}: not applied; correct the errors first")
        return 1

    def work(connection: sa.Connection) -> tuple[int, set[str], set[str]]:
        before = service.in_service(connection)
        return apply(connection, text, site, now, by), before, service.in_service(connection)

    with opened(store_url) as store:
        version, before, after = store.write_now(work)
    say(
        f"{path}: applied as version {version}: {len(site.zones)} zones, {len(site.residents)} residents, "
        f"{len(site.hubs)} hubs, {len(site.devices)} devices"
    )
    _say_untested(path, [device.id for device in site.devices], before, after, say)
    return 0


def _say_untested(path: Path, known: list[str], before: set[str], after: set[str], say: Say) -> None:
    for device_id in known:
        if device_id in before - after:
            say(f"{path}: device {device_id} is assigned otherwise than it was tested: it is out of service")
    untested = [device_id for device_id in known if device_id not in after]
    if untested:
        count = f"{len(untested)} of {len(known)} devices were never tested"
        say(f"{path}: {count}; `hub devices list` names them, `hub devices test` tests them")


def export_site(store_url: str, say: Say) -> int:
    """Say the document that was applied last, as it was given.

    Raises:
        HubError: The store cannot be read, or none was applied.
    """
    with opened(store_url, make=False) as store:
        say(store.read_now(export).removesuffix("\n"))
    return 0


def checked_by(name: str) -> str:
    """Return the name of who applies a site.

    Raises:
        MalformedError: It is empty, too long or holds control characters.
    """
    if not name.strip() or len(name) > 64 or not name.isprintable():
        raise MalformedError("--by: write a name of 1 to 64 characters")
    return name.strip()
