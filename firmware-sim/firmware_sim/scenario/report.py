"""The report at the end: expected against raised, sent against stored; as a table, and as JSON."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from rich.table import Table

from firmware_sim.scenario.judge import Account, Line
from firmware_sim.scenario.layout import local
from firmware_sim.scenario.model import Scenario


class Report(NamedTuple):
    """What came of a run.

    Attributes:
        took_s: Seconds of the machine's time.
        leaps: How often time leapt.
    """

    scenario: Scenario
    lines: Sequence[Line]
    accounts: Sequence[Account]
    took_s: float
    leaps: int

    @property
    def good(self) -> bool:
        """Whether all is as it must be."""
        return not self.faults

    @property
    def faults(self) -> list[str]:
        """What is not as it must be, a sentence each."""
        found = [f"{_named(line)}: {fault}" for line in self.lines for fault in line.faults]
        return found + [
            f"{account.name}: {account.sent} sent, {account.stored} stored, {account.left} left"
            for account in self.accounts
            if not account.good
        ]

    def plain(self) -> dict[str, Any]:
        """Return it as plain data."""
        scenario = self.scenario
        return {
            "title": scenario.title,
            "seed": scenario.seed,
            "from": local(scenario.from_s, scenario).isoformat(),
            "until": local(scenario.until_s, scenario).isoformat(),
            "good": self.good,
            "faults": self.faults,
            "took_s": round(self.took_s, 1),
            "leaps": self.leaps,
            "expected": [
                {
                    "expect": line.wanted.number if line.wanted else None,
                    "kind": _kind(line),
                    "incidents": [_incident(incident, scenario) for incident in line.found],
                    "faults": list(line.faults),
                }
                for line in self.lines
            ],
            "observations": [account._asdict() for account in self.accounts],
        }

    def tables(self) -> list[Table]:
        """Return it as tables for a terminal."""
        raised = Table(title="Expected against raised", title_justify="left")
        for heading in ("expected", "between", "times", "raised", "incidents", "told", ""):
            raised.add_column(heading, overflow="fold")
        for line in self.lines:
            raised.add_row(*self._row(line))
        sent = Table(title="Sent against stored", title_justify="left")
        for heading in ("from", "sent", "stored", "left", ""):
            sent.add_column(heading, justify="left" if heading in {"from", ""} else "right")
        for account in self._summed():
            numbers = (str(number) for number in account[1:])
            sent.add_row(account.name, *numbers, _mark(good=account.good))
        return [raised, *([sent] if self.accounts else [])]

    def _summed(self) -> list[Account]:
        """Return the accounts, with all that are good as one line when they are many."""
        if len(self.accounts) <= 8:
            return list(self.accounts)
        good = [account for account in self.accounts if account.good]
        bad = [account for account in self.accounts if not account.good]
        sent, stored = sum(account.sent for account in good), sum(account.stored for account in good)
        return [*bad, Account(f"{len(good)} hubs and devices", sent, stored, 0)]

    def _row(self, line: Line) -> list[str]:
        wanted = line.wanted
        numbers = [str(incident["id"]) for incident in line.found]
        shown = " ".join(numbers[:6]) + (" …" if len(numbers) > 6 else "")
        times = [f"{local(incident['opened_s'], self.scenario):%a %H:%M:%S}" for incident in line.found]
        told = dict.fromkeys(phone for incident in line.found for phone in incident["told"])
        between = count = "-"
        if wanted is not None:
            zone = self.scenario
            between = f"{local(wanted.from_s, zone):%a %H:%M} - {local(wanted.until_s, zone):%a %H:%M}"
            count = f"{wanted.least}" if wanted.most is not None else f"{wanted.least}+"
        where = f"{shown} at {times[0]}" if times else "-"
        verdict = "[red]" + "; ".join(line.faults) + "[/]" if line.faults else _mark(good=True)
        return [_named(line), between, count, str(len(line.found)), where, ", ".join(told) or "-", verdict]


def _mark(*, good: bool) -> str:
    return "[green]as it must be[/]" if good else "[red]lost or left[/]"


def _kind(line: Line) -> str:
    return line.wanted.kind if line.wanted else str(line.found[0]["kind"])


def _named(line: Line) -> str:
    if line.wanted is None:
        incident = line.found[0]
        return f"{incident['kind']} of {incident['device_id'] or incident['hub_id'] or 'the centre'}"
    about = [*line.wanted.about.values()]
    about += line.wanted.homes if len(line.wanted.homes) == 1 else []
    about += [f"{len(line.wanted.homes)} homes"] if len(line.wanted.homes) > 1 else []
    return f"{line.wanted.kind} of {' '.join(about) or 'anybody'}"


def _incident(incident: Any, scenario: Scenario) -> dict[str, Any]:  # noqa: ANN401 -- a row of the store
    shown = {key: incident[key] for key in ("id", "kind", "incident_class", "hub_id", "device_id", "resident_id")}
    opened = local(incident["opened_s"], scenario).isoformat(timespec="milliseconds")
    return {**shown, "opened": opened, "told": incident["told"], "state": incident["state"]}
