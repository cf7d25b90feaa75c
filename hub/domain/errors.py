"""The one tree of errors, split by what the caller should do about it."""


class HubError(Exception):
    """Something this project can name went wrong."""


class TransientError(HubError):
    """Try again: the other side was silent, slow or busy."""


class PermanentError(HubError):
    """Trying the same again will not help; take another way."""


class RefusedError(PermanentError):
    """The other side understood and said no."""


class MalformedError(PermanentError):
    """What came in does not have the agreed form; the sentence names the place."""
