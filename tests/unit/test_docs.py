"""Rules that no linter sees: what the pages say is there, and what must not be written is not."""

import argparse
import ast
import configparser
import contextlib
import io
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from drivers.registry import packages
from firmware_sim.cli import main as hub_sim
from hub.central.settings import load as load_central
from hub.cli import parser
from hub.edge.settings import load as load_edge

ROOT = Path(__file__).parents[2]
MOST_LINES, MOST_LINES_OF_A_FUNCTION = 400, 60


@cache
def tree() -> list[Path]:
    """Return every file of the project: what git knows or would take up; without git, all that is not hidden."""
    if not (ROOT / ".git").exists():
        found_here = (path for path in ROOT.rglob("*") if path.is_file())
        return [path for path in found_here if not any(part[0] == "." for part in path.relative_to(ROOT).parts)]
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted({path for name in found.stdout.splitlines() if (path := ROOT / name).is_file()})


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def files(*suffixes: str) -> list[Path]:
    return [path for path in tree() if path.suffix in suffixes]


# ---- Pages ---------------------------------------------------------------------------------------------------

FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as they are made on the web."""
    headings = HEADING.findall(FENCE.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_leads_somewhere() -> None:
    wrong = []
    for page in files(".md"):
        for link in LINK.findall(FENCE.sub("", page.read_text())):
            target, _, anchor = link.partition("#")
            there = (page.parent / target).resolve() if target else page
            if link.startswith("https://"):
                continue
            if not there.exists() or (anchor and anchor not in anchors(there)):
                wrong.append(f"{named(page)}: {link}")
    assert wrong == []


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text()
    assert [page.name for page in folder.glob("*.md") if page.name != "README.md" and page.name not in index] == []


@pytest.mark.parametrize("name", sorted(packages()))
def test_every_driver_has_its_page_and_the_readme_leads_to_it(name: str) -> None:
    assert f"docs/devices/{name}.md" in (ROOT / "README.md").read_text()


def test_every_test_that_a_page_names_is_there() -> None:
    for page in files(".md"):
        for name in re.findall(r"`(tests/[\w/]+\.py)`", page.read_text()):
            assert (ROOT / name).exists(), f"{named(page)}: {name}"


def test_every_module_that_the_architecture_names_is_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    for name in set(re.findall(r"`((?:hub|drivers|rules)\.[a-z_.]+)`", text)):
        path = ROOT / name.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").exists(), name


def test_the_changelog_has_a_section_for_what_is_built() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings
    for heading in headings:
        assert re.fullmatch(r"\[Unreleased\]|\[\d+\.\d+\.\d+\] - (\d{4}-\d{2}-\d{2}|unreleased)", heading), heading


# ---- Commands ------------------------------------------------------------------------------------------------

PROGRAMS = ("hub", "hub-sim", "make")


def commands() -> Iterator[str]:
    """Return each command of ours in the README: in code blocks, and between backticks."""
    text = (ROOT / "README.md").read_text()
    for block in FENCE.findall(text):
        for line in block.splitlines()[1:-1]:
            yield line.removeprefix("$ ").partition("  #")[0].strip()
    yield from re.findall(r"`([^`\n]+)`", FENCE.sub("", text))


def ours() -> list[list[str]]:
    found = []
    for command in commands():
        with contextlib.suppress(ValueError):
            words = shlex.split(command)
            if words[:2] == ["sudo", "-u"]:
                words = words[words.index("hub", 3) :]
            if len(words) > 1 and words[0] in PROGRAMS and "…" not in command:
                found.append(words)
    return found


def said(words: list[str]) -> str:
    """Return the help of the command that these words call."""
    program, rest = words[0], words[1:]
    groups = {"site", "user", "devices", "rota", "report", "audit", "maintenance", "push"}
    group = program == "hub" and rest[0] in groups
    command = rest[: 2 if group else 1]
    out = io.StringIO()
    ask = parser().parse_args if program == "hub" else hub_sim
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as ended:
        ask([*command, "--help"])
    assert ended.value.code == 0, words
    return out.getvalue()


def test_every_command_of_the_readme_is_there_with_its_options() -> None:
    assert {words[0] for words in ours()} == set(PROGRAMS)
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for words in ours():
        if words[0] == "make":
            assert words[1] in targets, words
        else:
            text = said(words)
            for option in words[2:]:
                assert not option.startswith("--") or option in text, words


def test_what_the_readme_decodes_is_what_the_hub_says(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "README.md").read_text()
    examples = re.findall(r"^\$ (hub decode .+)\n(.+)$", text, re.MULTILINE)
    assert len(examples) == 3
    for command, expected in examples:
        args: argparse.Namespace = parser().parse_args(shlex.split(command)[1:])
        args.run(args)
        told = capsys.readouterr()
        assert (told.out + told.err).strip() == expected, command


# ---- What must not be written --------------------------------------------------------------------------------

TEXT = (".py", ".md", ".toml", ".lock", ".sql", ".html", ".css", ".js", ".conf", ".acl", ".service", ".json", "")
# Written so that this file does not hold what it looks for.
FORBIDDEN = {
    "a path of somebody's machine": re.compile(r"(?<![\w.])/(?:wo" r"rk|ro" r"ot|ho" r"me/\w+)/"),
    "a registry's host": re.compile(r"pyp" r"i\.org|files\.python" r"hosted|registry\.npm" r"js|test\.pyp" r"i"),
    "a leftover": re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b"),
}
# In E.164 or with blanks; nobody has the numbers that are nothing but zeros and two digits.
PHONE = re.compile(r"\+\d[\d ]{7,17}\d")
NOBODYS = re.compile(r"\+470{6}\d{2}")


def test_nothing_is_written_that_must_not_be() -> None:
    wrong = []
    for path in files(*TEXT):
        text = path.read_text(encoding="utf-8")
        for what, pattern in FORBIDDEN.items():
            wrong += [f"{named(path)}: {what}: {found[0]}" for found in pattern.finditer(text)]
        if path.suffix != ".lock":
            numbers = PHONE.findall(text)
            wrong += [
                f"{named(path)}: {number}" for number in numbers if not NOBODYS.fullmatch(number.replace(" ", ""))
            ]
    assert wrong == []


# ---- Code ----------------------------------------------------------------------------------------------------


def test_files_and_functions_are_small_and_explained() -> None:
    wrong = []
    for path in files(".py"):
        text = path.read_text()
        lines = len(text.splitlines())
        module = ast.parse(text)
        if lines > MOST_LINES:
            wrong.append(f"{named(path)}: {lines} lines")
        if path.relative_to(ROOT).parts[0] != "tests" and not ast.get_docstring(module):
            wrong.append(f"{named(path)}: what is this module for?")
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MOST_LINES_OF_A_FUNCTION:
                    wrong.append(f"{named(path)}: {node.name} has {length} lines")
    assert wrong == []


# ---- Deploy --------------------------------------------------------------------------------------------------


def test_the_sample_settings_can_be_loaded() -> None:
    edge, central = load_edge(ROOT / "deploy" / "edge.toml"), load_central(ROOT / "deploy" / "central.toml")
    assert edge.mqtt.tls_ca
    assert central.mqtt.tls_ca
    assert central.http.secure_cookies
    assert central.mqtt.client_id != edge.hub_id
    assert central.influx is not None


def unit(name: str) -> configparser.SectionProxy:
    # systemd lets a key stand twice; ours do not, so the reader of ini files serves.
    reader = configparser.ConfigParser(interpolation=None)
    reader.optionxform = str  # type: ignore[assignment,method-assign] # keeps capital letters, as its documentation says
    reader.read(ROOT / "deploy" / f"hub-{name}.service")
    assert reader["Unit"]["StartLimitIntervalSec"] == "0"
    return reader["Service"]


@pytest.mark.parametrize("name", ["edge", "central"])
def test_the_units_always_come_back_and_may_do_little(name: str) -> None:
    service = unit(name)
    words = shlex.split(service["ExecStart"])
    assert Path(words[0]).name == "hub"
    assert parser().parse_args(words[1:]).settings == Path(f"/etc/hub/{name}.toml")
    assert service["Restart"] == "always"
    assert service["User"] == "hub"
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    assert service["StateDirectory"] == "hub"


def test_the_edges_unit_lets_it_speak_to_systemd() -> None:
    service = unit("edge")
    assert service["Type"] == "notify"
    assert 10 <= int(service["WatchdogSec"]) <= 60


@pytest.mark.parametrize("name", ["edge", "central"])
def test_the_units_let_the_kernel_be_asked_whether_the_clock_was_set(name: str) -> None:
    service = unit(name)
    # ProtectClock and the filter's own set forbid it: no time would ever count as synchronised.
    assert "ProtectClock" not in service
    # Which call adjtimex(3) makes: the first in old C libraries, the others since glibc 2.31 and in 32 bits.
    calls = {"adjtimex", "clock_adjtime", "clock_adjtime64"}
    assert calls <= set(service["SystemCallFilter"].split())
    assert service["CapabilityBoundingSet"] == ""  # so that asking is all it may do


def test_the_centres_unit_promises_the_sign_of_life_that_it_gives() -> None:
    service = unit("central")
    assert service["Type"] == "notify"
    # Its auditor counts as asleep after 30 s.
    assert 30 < int(service["WatchdogSec"]) <= 120
