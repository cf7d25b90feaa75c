"""TOML documents that people write: read into structs, with everything that is wrong told at once, by line."""

from hub.document.findings import Collector, DocumentError, Finding, Level, Lines, Path, place, report
from hub.document.read import read, read_file

__all__ = [
    "Collector",
    "DocumentError",
    "Finding",
    "Level",
    "Lines",
    "Path",
    "place",
    "read",
    "read_file",
    "report",
]
