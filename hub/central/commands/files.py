"""Files as a command meets them: whatever is wrong becomes one clear sentence."""

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
