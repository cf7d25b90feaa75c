"""What is wrong with a document, and where: the table, the key, and the line where it can be told."""

import re
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple, TypeVar

from hub.domain.errors import MalformedError

T = TypeVar("T")
Level = Literal["error", "warning"]
Path = tuple[str | int, ...]  # ("devices", 2, "address"): the third [[devices]], counted from 0

MAX_S = 366 * 24 * 3600
_HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.\- ]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")


class Finding(NamedTuple):
    """One thing that is wrong.

    Attributes:
        level: An error keeps the document from being used; a warning does not.
        place: Table and key in words.
        text: What is wrong, and what to do.
        path: Where it is in the document; empty where no one place is to blame.
    """

    level: Level
    place: str
    text: str
    path: Path = ()

    def __str__(self) -> str:
        return f"{self.level}: {self.place}: {self.text}"


class DocumentError(MalformedError):
    """A document that cannot be used, with everything that is wrong with it.

    Args:
        name: What the file is called.
        findings: What is wrong.
        lines: Where its tables and keys are.
    """

    def __init__(self, name: str, findings: Iterable[Finding], lines: "Lines") -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(report(name, finding, lines) for finding in self.findings))


class Collector:
    """Gathers findings.

    Attributes:
        findings: What was found, in the order in which it was.
    """

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def error(self, path: Path, text: str, name: str = "") -> None:
        """Note what keeps the document from being used; ``name`` is the ``id`` of the outermost table."""
        self.findings.append(Finding("error", place(path, name), text, path))

    def warning(self, path: Path, text: str, name: str = "") -> None:
        """Note what somebody should look at."""
        self.findings.append(Finding("warning", place(path, name), text, path))

    def seconds(self, path: Path, value: float, name: str = "") -> None:
        """Note a duration that is none, or so long that nobody would live to see its end."""
        if not 0 < value <= MAX_S:
            self.error(path, f"write a number of seconds above 0, at most {MAX_S} (a year)", name)

    def read(self, path: Path, reader: Callable[[], T], name: str = "") -> T | None:
        """Return what ``reader`` returns; when it finds a value malformed, note that and return ``None``."""
        try:
            return reader()
        except MalformedError as error:
            self.error(path, str(error), name)
            return None


class Lines:
    """Tells the line of a table or key.

    Args:
        text: The document. It is read by the line, not parsed: what stands inside a value is not found.
    """

    def __init__(self, text: str) -> None:
        self._lines: dict[Path, int] = {}
        counts: dict[Path, int] = {}
        table: Path = ()
        for number, line in enumerate(text.splitlines(), 1):
            if header := _HEADER.match(line):
                table = self._table(header[2], counts, repeated=header[1] == "[[")
                self._lines.setdefault(table, number)
            elif key := _KEY.match(line):
                self._lines.setdefault((*table, key[1]), number)

    @staticmethod
    def _table(name: str, counts: dict[Path, int], *, repeated: bool) -> Path:
        path: Path = ()
        parts = [part.strip() for part in name.split(".")]
        for depth, part in enumerate(parts):
            path = (*path, part)
            if repeated and depth == len(parts) - 1:
                counts[path] = counts.get(path, -1) + 1
            if path in counts:
                path = (*path, counts[path])
        return path

    def of(self, path: Path) -> int | None:
        """Return the line of the innermost part of ``path`` that has one."""
        while path:
            if path in self._lines:
                return self._lines[path]
            path = path[:-1]
        return None


def place(path: Path, name: str = "") -> str:
    """Say a path in words: ``[[devices]] #3 (id "pendant-1"), key "address"``.

    Args:
        path: The path.
        name: The ``id`` of the outermost table, where it has one.
    """
    words: list[str] = []
    table = ""
    for part in path:
        if isinstance(part, int):
            words[-1] = f"[[{table}]] #{part + 1}"
            if name and len(words) == 1:
                words[-1] += f' (id "{name}")'
        else:
            table = f"{table}.{part}" if table else part
            words.append(f"[{table}]" if not words else f'key "{part}"')
    return ", ".join(words) or "the file"


def report(name: str, finding: Finding, lines: Lines) -> str:
    """Say a finding in one line, as compilers do, so that an editor can jump there."""
    line = lines.of(finding.path)
    return f"{name}:{line}: {finding}" if line else f"{name}: {finding}"
