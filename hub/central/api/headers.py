"""Headers that every answer bears (OWASP Secure Headers; CSP level 3)."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
# What a shared machine keeps of a page, the next one at the keyboard could read.
_NOT_KEPT = "no-store"
_ASK_AGAIN = "no-cache"
_HTTPS_ONLY = "max-age=31536000"


class SecurityHeaders:
    """Adds the headers, to errors too.

    Args:
        app: What answers.
        https: The console is served over https and never otherwise.
    """

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        cache = _ASK_AGAIN if scope["path"].startswith("/static/") else _NOT_KEPT

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers["Cache-Control"] = cache
                if self._https:
                    headers["Strict-Transport-Security"] = _HTTPS_ONLY
            await send(message)

        await self._app(scope, receive, send_with_headers)
