"""The centre as a person at the console knows it: signed in, asking over its public API."""

import re
from typing import Any

import httpx


class Console:
    """A session at the console.

    Args:
        url: Where the console is.
        kept: How many connections are kept open between two requests.
    """

    def __init__(self, url: str, kept: int = 5) -> None:
        limits = httpx.Limits(max_keepalive_connections=kept)
        self._client = httpx.AsyncClient(base_url=url, timeout=30.0, follow_redirects=True, limits=limits)
        self._csrf = ""

    async def sign_in(self, username: str, password: str) -> None:
        """Sign in.

        Raises:
            PermissionError: The console does not know this name with this password.
        """
        page = await self._client.post("/login", data={"username": username, "password": password})
        found = re.search(r'name="csrf"[^>]*value="([^"]+)"|<meta name="csrf"[^>]*content="([^"]+)"', page.text)
        if found is None:
            raise PermissionError("the console refused the login")
        self._csrf = found[1] or found[2]

    async def open_incidents(self) -> list[dict[str, Any]]:
        """Return the open incidents, most urgent first."""
        found: list[dict[str, Any]] = (await self._get("/api/incidents"))["incidents"]
        return [card["incident"] for card in found]

    async def story(self, number: int) -> dict[str, Any] | None:
        """Return one incident with its lines, messages and observations; ``None``: there is none."""
        answer = await self._client.get(f"/api/incidents/{number}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    async def stories(self) -> list[dict[str, Any]]:
        """Return every incident there ever was, with its story, by number."""
        found: list[dict[str, Any]] = []
        while (story := await self.story(len(found) + 1)) is not None:
            found.append(story)
        return found

    async def act(self, number: int, event: str, **body: str) -> httpx.Response:
        """Take an incident a step further."""
        return await self._client.post(
            f"/api/incidents/{number}/{event}", json=body, headers={"x-csrf-token": self._csrf}
        )

    async def history(self, resident: str, **query: str) -> list[dict[str, Any]]:
        """Return a resident's observations."""
        found = await self._get(f"/api/residents/{resident}/history", **query)
        rows: list[dict[str, Any]] = found["observations"]
        return rows

    async def close(self) -> None:
        """Let go of the connection; the session stays until it ends by itself."""
        await self._client.aclose()

    async def _get(self, path: str, **query: str) -> dict[str, Any]:
        answer = await self._client.get(path, params=query)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found
