"""Reads a set of rules from TOML. Every error names the file, the rule and the key."""

import tomllib
from functools import cache
from importlib.resources import files

import msgspec

from hub.domain.codes import Kind, Severity
from hub.domain.errors import MalformedError
from rules.conditions import CONDITIONS
from rules.engine import Action, IncidentClass, Rule, RuleSet


class _Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[[rules]]`` table."""

    kinds: tuple[Kind, ...]
    action: Action = "raise"
    incident_class: IncidentClass = msgspec.field(name="class")
    severity: int
    family: str
    when: tuple[str, ...] = ()
    reason: str


def load(text: str, name: str = "rules") -> RuleSet:
    """Read a set of rules.

    Args:
        text: TOML with ``[[rules]]`` tables.
        name: What to call it in an error.

    Raises:
        MalformedError: Naming the file, the rule by its number, and the key.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MalformedError(f"{name}: {error}") from error
    rows = document.pop("rules", None)
    if document or not isinstance(rows, list) or not rows:
        odd = ", ".join(document) or "nothing"
        raise MalformedError(f"{name}: write [[rules]] tables and nothing else; there is {odd} beside")
    rules: list[Rule] = []
    decided: dict[Kind, int] = {}
    for number, row in enumerate(rows, 1):
        rule = _rule(row, f"{name}: rule {number}")
        for kind in rule.kinds:
            if kind in decided:
                raise MalformedError(
                    f"{name}: rule {number}, key 'kinds': {kind} is already decided by rule {decided[kind]}"
                )
            decided[kind] = number
        rules.append(rule)
    return RuleSet(rules)


def _rule(row: object, place: str) -> Rule:
    try:
        read = msgspec.convert(row, _Row)
    except msgspec.ValidationError as error:
        raise MalformedError(f"{place}: {error}") from error
    if not read.kinds:
        raise MalformedError(f"{place}, key 'kinds': name at least one kind")
    if read.severity not in set(Severity):
        levels = ", ".join(str(int(level)) for level in Severity)
        raise MalformedError(f"{place}, key 'severity': {read.severity} is none of {levels}")
    for key in ("family", "reason"):
        if not getattr(read, key).strip():
            raise MalformedError(f"{place}, key {key!r}: is empty")
    for condition in read.when:
        if condition not in CONDITIONS:
            known = ", ".join(sorted(CONDITIONS))
            raise MalformedError(f"{place}, key 'when': unknown condition {condition!r}; there are {known}")
    return Rule(
        kinds=read.kinds,
        action=read.action,
        incident_class=read.incident_class,
        severity=read.severity,
        family=read.family,
        conditions=tuple(CONDITIONS[condition] for condition in read.when),
        reason=read.reason,
    )


@cache
def standard() -> RuleSet:
    """Return the rules that come with the hub."""
    name = "standard.toml"
    return load((files("rules") / "sets" / name).read_text(encoding="utf-8"), name)
