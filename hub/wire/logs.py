"""The log of either service: one line an entry, as text or JSON, and nothing personal or secret in any of them."""

import datetime as dt
import logging
import re
import sys
import threading
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from hub.domain.clock import UTC
from hub.domain.masking import masked

LogFormat = Literal["text", "json"]

# These tell each request with its address, which holds what only the provider may know.
_CHATTY = ("httpx", "httpcore", "alembic", "apprise")
_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
# Shorter than this, a word that is called secret is also an ordinary one.
_LEAST_SECRET = 8
_SECRET_NAME = re.compile(r"password|passwd|secret|token|key|ping_url|urls")
# As JSON escapes some of them with letters that are hexadecimal digits, they could turn a text into a key.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029]")


class Log(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[log]`` of a service's settings: lines of ``text``, or of ``json``."""

    format: LogFormat = "text"


class Masked(logging.Formatter):
    """Lines of text, masked; what an error says is part of the line.

    Args:
        secrets: Words that are known to be secret.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__(_TEXT)
        self._secrets = sorted(secrets, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """Return one entry."""
        return self._clean(super().format(record))

    def _clean(self, text: str) -> str:
        return masked(_CONTROL.sub("?", text), self._secrets)


class Json(Masked):
    """Lines of JSON: time, level, logger, message, and what went wrong."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one entry, on one line."""
        entry: dict[str, Any] = {
            "time": dt.datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": self._clean(record.name),
            "message": self._clean(record.getMessage()),
        }
        if record.exc_info:
            entry["error"] = self._clean(self.formatException(record.exc_info))
        return msgspec.json.encode(entry).decode()


def secrets_in(settings: object) -> set[str]:
    """Return every value of the settings that is called a password, secret, token or key, however deep."""
    return {word for word in _secrets(msgspec.to_builtins(settings)) if len(word) >= _LEAST_SECRET}


def set_up(form: LogFormat, secrets: Iterable[str] = ()) -> None:
    """Send every log of the process, the libraries' and the threads' too, to stderr in one form.

    Args:
        form: ``text`` or ``json``.
        secrets: Words that are known to be secret; see :func:`secrets_in`.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter((Json if form == "json" else Masked)(secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    threading.excepthook = _thread_failed
    sys.excepthook = _process_failed


def _secrets(value: Any, name: str = "") -> Iterable[str]:  # noqa: ANN401 - any part of any settings
    if isinstance(value, dict):
        for key, part in value.items():  # what stands below a secret is one
            yield from _secrets(part, name if _SECRET_NAME.search(name) else key)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _secrets(part, name)
    elif isinstance(value, str) and _SECRET_NAME.search(name):
        yield value


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    name = failed.thread.name if failed.thread else "unknown"
    error = failed.exc_value
    logging.getLogger("thread").critical("thread %s failed", name, exc_info=error)


def _process_failed(kind: type[BaseException], error: BaseException, trace: Any) -> None:  # noqa: ANN401 - as sys has it
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logging.getLogger("hub").critical("the process failed", exc_info=(kind, error, trace))
