"""Files as a command meets them: whatever is wrong becomes one clear sentence."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from hub.domain.errors import MalformedError, PermanentError


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        PermanentError: It cannot be read.
        MalformedError: It is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise PermanentError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise MalformedError(f"{path}: is not UTF-8 text (byte {error.start})") from error


def read_raw(path: Path) -> tuple[bytes, str]:
    """Return a file as it is, and its text with lines that end as ours do.

    Raises:
        PermanentError: It cannot be read.
        MalformedError: It is not UTF-8.
    """
    try:
        raw = path.read_bytes()
        return raw, raw.decode().replace("\r\n", "\n")
    except OSError as error:
        raise PermanentError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise MalformedError(f"{path}: is not UTF-8 text (byte {error.start})") from error


def replace(path: Path, before: bytes, text: str) -> None:
    """Put a new file in the place of the old one: after a power cut there is one of them, whole.

    Raises:
        PermanentError: It cannot be written, or somebody has changed it meanwhile.
    """
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as new:
            temporary = Path(new.name)
            new.write(text.encode())
            new.flush()
            os.fsync(new.fileno())
        shutil.copymode(path, temporary)
        if path.read_bytes() != before:
            raise PermanentError(f"{path}: was changed meanwhile; nothing was written. Try again")
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise PermanentError(f"{path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            with contextlib.suppress(FileNotFoundError):  # it has become the file
                temporary.unlink()
