"""InfluxDB over HTTP: writes with the API of 1.x or of 2.x, reads with InfluxQL, which all versions serve."""

import datetime as dt
import logging
from collections.abc import Sequence
from typing import Any

import httpx

from hub.central.history.base import HistoryRow
from hub.central.history.points import MEASUREMENT, from_point, to_us
from hub.central.settings import Influx
from hub.domain.codes import Kind
from hub.domain.errors import MalformedError, RefusedError, TransientError
from hub.domain.ids import checked_name

log = logging.getLogger(__name__)

# A batch takes milliseconds; a server that needs longer is in trouble, and the batch is simply written again.
TIMEOUT_S = 10.0
# What the server says about the points themselves: malformed, beyond its retention, too large a body.
_ABOUT_POINTS = {400, 413, 422}
# Written when a lone point is refused: is it the point, or does the server refuse everything?
CANARY = "canary ok=true 0"


class InfluxServer:
    """One database (bucket) of one server.

    Args:
        settings: Where it is and how to log in.
    """

    def __init__(self, settings: Influx) -> None:
        self._settings = settings
        self._api = None if settings.api == "auto" else settings.api
        self._database_known = False
        auth = None
        if settings.username is not None:
            auth = httpx.BasicAuth(settings.username, settings.password or "")
        self._client = httpx.AsyncClient(
            base_url=settings.url,
            timeout=TIMEOUT_S,
            auth=auth,
            headers={"Authorization": f"Token {settings.token}"} if settings.token else {},
            trust_env=False,
        )

    async def write(self, lines: Sequence[str]) -> None:
        """Write points; when this returns, the server has said 204.

        Raises:
            RefusedError: At least one of the points is not acceptable; the others may have been written.
            TransientError: Anything else: nothing can be concluded about the points.
        """
        api = await self._which_api()
        if api == "v1":
            await self._make_database()
            path, params = "/write", {"db": self._settings.database, "precision": "ns"}
        else:
            path = "/api/v2/write"
            params = {"bucket": self._settings.database, "precision": "ns", "org": self._settings.org or ""}
        response = await self._send("POST", path, params, "\n".join(lines).encode())
        if response.status_code in _ABOUT_POINTS:
            raise RefusedError(_complaint(response))
        if response.status_code == 404:
            self._database_known = False
        if response.status_code != 204:
            raise TransientError(f"influx {self._settings.url}: {_complaint(response)}")

    async def accepts_others(self) -> bool:
        """Tell whether the server takes a point that is certainly right.

        Raises:
            TransientError: It cannot be told.
        """
        try:
            await self.write([CANARY])
        except RefusedError:
            return False
        return True

    async def query(self, question: str) -> list[dict[str, Any]]:
        """Ask in InfluxQL; return the rows of the first series.

        Raises:
            TransientError: No answer.
            RefusedError: The server does not like the question.
        """
        params = {"db": self._settings.database, "q": question, "epoch": "ns"}
        response = await self._send("GET", "/query", params)
        if response.status_code in (400, 401, 403):
            raise RefusedError(f"influx {self._settings.url}: {_complaint(response)}")
        if response.status_code != 200:
            raise TransientError(f"influx {self._settings.url}: {_complaint(response)}")
        result = response.json()["results"][0]
        if "error" in result:
            raise RefusedError(f"influx {self._settings.url}: {result['error']}")
        for series in result.get("series", ()):
            return [dict(zip(series["columns"], values, strict=True)) for values in series["values"]]
        return []

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _which_api(self) -> str:
        if self._api is None:
            response = await self._send("GET", "/ping", {})
            version = response.headers.get("X-Influxdb-Version", "")
            self._api = "v1" if version.removeprefix("v").startswith("1.") else "v2"
            log.info(
                "influx %s: version %s, written with API %s", self._settings.url, version or "unknown", self._api
            )
        return self._api

    async def _make_database(self) -> None:
        """Make the database, as 1.x has none until told; it stays as it is when it is there."""
        if not self._database_known:
            question = f'CREATE DATABASE "{self._settings.database}"'
            response = await self._send("POST", "/query", {"q": question})
            if response.status_code != 200:
                raise TransientError(f"influx {self._settings.url}: {_complaint(response)}")
            self._database_known = True

    async def _send(
        self, method: str, path: str, params: dict[str, str], content: bytes | None = None
    ) -> httpx.Response:
        try:
            return await self._client.request(method, path, params=params, content=content)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TransientError(f"influx {self._settings.url}: {error!r}") from error


class InfluxHistory:
    """Reads the history from InfluxDB: what the outbox has brought there so far."""

    def __init__(self, server: InfluxServer) -> None:
        self._server = server

    async def observations(
        self,
        resident_id: str,
        since: dt.datetime,
        until: dt.datetime,
        kinds: Sequence[Kind] | None = None,
        limit: int = 1000,
    ) -> list[HistoryRow]:
        """Answer as `History` says."""
        try:
            # InfluxQL has no way to bind a value that every version knows: only what needs no quoting goes in.
            where = f"resident_id = '{checked_name(resident_id, 'resident')}'"
        except MalformedError:
            return []
        if kinds is not None:
            where += " AND (" + (" OR ".join(f"kind = '{Kind(kind)}'" for kind in kinds) or "kind = ''") + ")"
        first, beyond = to_us(since) * 1000, to_us(until) * 1000
        rows = await self._rows(where, first, beyond, f" LIMIT {limit}")
        if len(rows) == limit:
            # The limit may have cut through observations of one microsecond: take all of that one, then cut.
            last = to_us(rows[-1].time) * 1000
            rows = [row for row in rows if row.time != rows[-1].time]
            rows += await self._rows(where, last, last + 1000, "")
        rows.sort(key=lambda row: (row.time, row.id), reverse=True)
        return rows[:limit]

    async def _rows(self, where: str, first: int, beyond: int, limit: str) -> list[HistoryRow]:
        question = (
            f'SELECT * FROM "{MEASUREMENT}" WHERE {where} AND time >= {first} AND time < {beyond}'  # noqa: S608, see above
            f" ORDER BY time DESC{limit}"
        )
        return [from_point(point) for point in await self._server.query(question)]


def _complaint(response: httpx.Response) -> str:
    return f"HTTP {response.status_code} {response.text.strip()[:500]}"
