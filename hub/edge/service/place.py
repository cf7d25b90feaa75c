"""Where the socket is, and how a path of any length is reached (``sun_path`` holds 107 bytes: unix(7))."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOCKET = "service.sock"


@contextmanager
def reachable(folder: Path) -> Iterator[str]:
    """Give a short path of the socket in a folder, good while the body runs.

    Raises:
        OSError: There is no such folder, or it may not be entered.
    """
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET}"
    finally:
        os.close(descriptor)
