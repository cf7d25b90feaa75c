"""Reads a site file."""

from hub.central.site.model import Site
from hub.document import read


def load(text: str, name: str = "site file") -> Site:
    """Read a site file. What its parts must satisfy together is for :func:`hub.central.site.check.findings`.

    Args:
        text: The document.
        name: What to call it in an error.

    Raises:
        DocumentError: It is no TOML, or tables, keys or types are not as they must be; every place is named.
    """
    return read(text, Site, name)
