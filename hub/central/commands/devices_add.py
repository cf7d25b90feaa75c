"""``hub devices add``: one more device in a site file, or none: the file is whole at every moment."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

import tomlkit

from hub.central.commands import Say
from hub.central.commands.files import read_raw, replace
from hub.central.commissioning import label
from hub.central.site.check import findings
from hub.central.site.load import load
from hub.central.site.model import Site
from hub.document import Lines, report
from hub.domain.errors import MalformedError

# In the order in which they are written.
KEYS = ("id", "hub", "link", "driver", "address", "key", "profile", "resident", "room", "night")
_LONGEST_ID = 48


def add(path: Path, given: Mapping[str, str | None], qr: str | None, since: dt.date, say: Say) -> int:
    """Append a ``[[devices]]`` table to a site file; with errors nothing is written, and 1 returned.

    Args:
        path: The file.
        given: Values of the table by key, ``None`` where none was given.
        qr: Text of the device's label, or ``None``.
        since: Local date from which the rota must hold for a year.
        say: Takes each line.

    Raises:
        HubError: The file cannot be read or written, the label not be read, or it says otherwise than ``given``.
    """
    path = path.resolve()  # a link stays one
    before, text = read_raw(path)
    site = load(text, str(path))
    values = _named(_joined(given, label.read(qr) if qr is not None else {}), site)
    after = text.rstrip("\n") + "\n\n" + tomlkit.dumps({"devices": [values]})
    wrong = _say_findings(path, after, since, say)
    if wrong:
        say(f"{path}: left as it was; correct {'it' if wrong == 1 else 'them'} first")
        return 1
    replace(path, before, after.replace("\n", "\r\n") if b"\r\n" in before else after)
    whose = ", ".join(filter(None, [values["resident"], values["room"]]))
    say(f"{path}: device {values['id']} is on link {values['link']} of hub {values['hub']}, for {whose}")
    say(f"next: hub site apply {path} --store URL")
    say(f"then: hub devices test {values['id']} --store URL --phone PHONE, and press or trigger it")
    return 0


def _joined(given: Mapping[str, str | None], labelled: Mapping[str, str]) -> dict[str, str]:
    """Return what was given and what the label says, which must not contradict each other."""
    values = {key: value for key, value in given.items() if value is not None}
    for key, value in labelled.items():
        if values.setdefault(key, value).upper() != value.upper():
            raise MalformedError(f"--{key}: the label says otherwise; leave it out, or look at the device again")
    if "driver" not in values:
        raise MalformedError("--driver: name it, or give the text of a label that does")
    if "address" in values and ":" in values["address"]:
        values["address"] = values["address"].upper()  # as every driver writes a Bluetooth address
    return values


def _named(values: dict[str, str], site: Site) -> dict[str, str]:
    """Return the values in the order of the file, with an id where none was given."""
    if "id" not in values:
        taken = {device.id for device in site.devices} | {hub.id for hub in site.hubs}
        stem = f"{values['resident']}-{values['driver']}"[: _LONGEST_ID - 3].rstrip("-")
        names = [stem, *(f"{stem}-{count}" for count in range(2, 100))]
        values["id"] = next((name for name in names if name not in taken), stem)
    return {key: values[key] for key in KEYS if key in values}


def _say_findings(path: Path, text: str, since: dt.date, say: Say) -> int:
    """Say every error of the file as it would be, and warnings of the new device; return how many errors."""
    site = load(text, str(path))
    lines = Lines(text)
    new = ("devices", len(site.devices) - 1)
    wrong = 0
    for finding in findings(site, since):
        if finding.level == "error" or finding.path[:2] == new:
            say(report(str(path), finding, lines))
            wrong += finding.level == "error"
    return wrong
