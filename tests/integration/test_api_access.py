"""Who may call what: every route without a session, without the session's token, and with both."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hub.central.api.headers import HEADERS
from hub.central.auth import check_password, set_password
from hub.central.console import login
from hub.central.incidents import desk
from hub.central.store import tables
from tests.fakes.console import HOOK_SECRET, PASSWORD, USER, Console, open_console
from tests.fakes.ward import press

PUBLIC = {"/health/live", "/health/ready", "/login", "/metrics"}
VALUES = {
    "number": "1",
    "event": "acknowledge",
    "resident_id": "r-1017",
    "device_id": "pendant-1",
    "form": "csv",
    "secret": "x" * 32,
}


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    async with open_console(tmp_path) as running:
        centre = running.desk.centre
        await centre.transact(lambda tx: desk.raise_incident(tx, press("r-1017", tx.now.utc, room="bad")))
        yield running


def routes(console: Console, *methods: str) -> list[str]:
    """Return the paths behind the login that answer one of these methods."""
    paths = console.app.openapi()["paths"]
    assert {"/", "/incidents/{number}", "/events/board", "/api/incidents", "/logout"} <= set(paths)
    found = [path for path, answers in paths.items() if {*answers} & {method.lower() for method in methods}]
    private = [path for path in found if path not in PUBLIC and not path.startswith(("/hooks/", "/calendar/"))]
    assert len(private) >= 3
    return [path.format_map(VALUES) for path in private]


async def snapshot(console: Console) -> dict[str, list[Any]]:
    """Return all that the store holds, the audit trail apart: there a reader leaves a trace."""
    held = {name: table for name, table in tables.metadata.tables.items() if name not in {"audit", "audit_head"}}
    return {name: await console.desk.rows(table) for name, table in held.items()}


async def test_nothing_is_shown_without_a_session(console: Console) -> None:
    async with console.client() as client:
        for path in routes(console, "GET"):
            for cookie in ("", "hub=", "hub=made-up"):
                answer = await client.get(path, headers={"cookie": cookie} if cookie else {})
                assert answer.status_code in {303, 401}, path
                assert answer.headers.get("location", "/login").startswith("/login")
                assert "r-1017" not in answer.text


async def test_nothing_is_changed_without_a_session(console: Console) -> None:
    before = await snapshot(console)
    async with console.client() as client:
        for path in routes(console, "POST", "PUT", "PATCH", "DELETE"):
            answer = await client.post(path, headers={"x-csrf-token": "made-up"})
            assert answer.status_code in {303, 401}, path
    assert await snapshot(console) == before


async def test_nothing_is_changed_without_the_sessions_token(console: Console) -> None:
    async with console.signed_in() as client:
        right = client.headers.pop("x-csrf-token")
        before = await snapshot(console)
        for path in routes(console, "POST", "PUT", "PATCH", "DELETE"):
            attempts: list[dict[str, Any]] = [
                {},
                {"data": {"csrf": ""}},
                {"data": {"csrf": "made-up"}},
                {"json": {"csrf": right}},
                {"headers": {"x-csrf-token": "made-up"}},
                {"headers": {"x-csrf-token": right, "sec-fetch-site": "cross-site"}},
                {"files": {"csrf": ("a.txt", right)}},
            ]
            for attempt in attempts:
                answer = await client.post(path, **attempt)
                assert answer.status_code == 403, (path, attempt)
        assert await snapshot(console) == before
        answer = await client.post("/incidents/1/acknowledge", data={"csrf": right})
        assert answer.status_code == 303


async def test_reading_changes_nothing_however_often(console: Console) -> None:
    async with console.signed_in() as client:
        before = await snapshot(console)
        for path in routes(console, "GET"):
            if path.startswith("/events/"):
                continue
            for method in ("GET", "HEAD", "GET"):
                await client.request(method, path)
        # A link that somebody's phone looks at beforehand; what can be read as well was read above.
        for path in set(routes(console, "POST")) - set(routes(console, "GET")):
            assert (await client.get(path)).status_code in {404, 405}
        assert await snapshot(console) == before


async def test_every_answer_bears_the_headers(console: Console) -> None:
    async with console.signed_in() as client:
        for path in (
            "/",
            "/login",
            "/static/console.js",
            "/nowhere",
            "/api/incidents",
            "/health/live",
            "/incidents/99",
        ):
            answer = await client.get(path)
            assert {name: answer.headers[name] for name in HEADERS} == HEADERS, path
        assert "unsafe" not in HEADERS["Content-Security-Policy"]
        assert (await client.get("/")).headers["cache-control"] == "no-store"
        for path in ("/docs", "/redoc", "/openapi.json"):
            assert (await client.get(path)).status_code == 404


async def test_a_session_is_a_cookie_that_scripts_and_other_sites_do_not_get(console: Console) -> None:
    async with console.client() as client:
        answer = await client.post("/login", data={"username": " Kari-Test ", "password": PASSWORD})
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "Max-Age=43200" in cookie
        first = client.cookies["hub"]
        await client.post("/login", data={"username": USER, "password": PASSWORD})
        assert client.cookies["hub"] != first  # and the former one has ended
        client.cookies.set("hub", first)
        assert (await client.get("/api/session")).status_code == 401


async def test_https_makes_the_cookie_secure(tmp_path: Path) -> None:
    async with open_console(tmp_path, secure_cookies=True) as console, console.client() as client:
        answer = await client.post("/login", data={"username": USER, "password": PASSWORD})
        assert answer.headers["set-cookie"].startswith("__Host-hub=")
        assert "Secure" in answer.headers["set-cookie"]
        assert "max-age" in answer.headers["strict-transport-security"]


async def test_a_session_ends_by_itself_and_by_leaving(console: Console) -> None:
    async with console.signed_in() as client:
        assert (await client.post("/logout")).headers["location"] == "/login"
        assert (await client.get("/api/session")).status_code == 401
    async with console.signed_in() as client:
        console.desk.clock.go_on(12 * 3600)
        assert (await client.get("/")).headers["location"] == "/login"
        assert (await client.get("/incidents/1?zone=nord-1")).headers["location"] == (
            "/login?next=/incidents/1%3Fzone%3Dnord-1"
        )


async def test_the_login_says_the_same_to_a_wrong_password_and_an_unknown_name(console: Console) -> None:
    async with console.client() as client:
        pages = []
        for username in (USER, "ola-test"):
            answer = await client.post("/login", data={"username": username, "password": "wrong"})
            assert answer.status_code == 401
            pages.append(answer.text.replace(username, ""))
        assert pages[0].split("data-now")[0] == pages[1].split("data-now")[0]
        assert pages[0] == pages[1]


async def test_guessing_is_slowed_down_and_the_right_person_comes_in_later(
    console: Console, caplog: pytest.LogCaptureFixture
) -> None:
    async with console.client() as client:
        codes = [
            (await client.post("/login", data={"username": USER, "password": f"guess {n}"})).status_code
            for n in range(6)
        ]
        assert codes == [401] * 5 + [429]
        assert "logins of one user from 127.0.0.1 are throttled" in caplog.text
        assert USER not in caplog.text, "who it is stands in the audit trail, not in the log"
        right = {"username": USER, "password": PASSWORD}
        answer = await client.post("/login", data=right)
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "30"
        console.desk.clock.go_on(31)
        assert (await client.post("/login", data=right)).status_code == 303


async def test_a_password_that_is_changed_while_it_is_checked_begins_no_session(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, now = console.desk.store, console.desk.clock.now()

    def slowly(stored: str | None, password: str) -> bool:
        store.write_now(lambda connection: set_password(connection, USER, "fjord og fjell 8", now))
        return check_password(stored, password)

    monkeypatch.setattr(login, "check_password", slowly)
    async with console.client() as client:
        answer = await client.post("/login", data={"username": USER, "password": PASSWORD})
        assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)
    assert await console.desk.rows(tables.sessions) == []


async def test_the_login_leads_nowhere_else(console: Console) -> None:
    elsewhere = ("//evil.test", "https://evil.test", "/\\evil.test", "javascript:alert(1)", "/\r\nx: y", "")
    async with console.client() as client:
        for target in elsewhere:
            data = {"username": USER, "password": PASSWORD, "next": target}
            assert (await client.post("/login", data=data)).headers["location"] == "/", target


async def test_the_audit_trail_tells_who_came_who_saw_and_who_acted(console: Console) -> None:
    async with console.client() as client:
        await client.post("/login", data={"username": "Hunter2 is my password", "password": "x"})
    async with console.signed_in() as client:
        await client.get("/")
        await client.get("/incidents/1")
        await client.get("/api/incidents/1")
        await client.get("/residents/r-1018")
        await client.get("/api/residents/r-1017/history")
        await client.post("/incidents/1/acknowledge")
        await client.post("/logout")
    rows = [
        (row.actor, row.action, row.subject)
        for row in await console.desk.rows(tables.audit)
        if row.actor != "command"
    ]
    kari = f"user:{USER}"
    assert rows[-9:] == [
        ("user:?", "login.failed", "user:?"),
        (kari, "login", kari),
        (kari, "incidents.read", "zone:*"),
        (kari, "incident.read", "incident:1"),
        (kari, "incident.read", "incident:1"),
        (kari, "resident.read", "resident:r-1018"),
        (kari, "resident.read", "resident:r-1017"),
        (kari, "incident.acknowledge", "incident:1"),
        (kari, "logout", kari),
    ]


async def test_the_providers_hooks_are_reached_with_their_secret_only(console: Console) -> None:
    async with console.client() as client:
        form = {"id": "s1", "from": "+4700000012", "to": "+4700000099", "message": "OK 1"}
        assert (await client.post("/hooks/46elks/wrong/inbound", data=form)).status_code == 403
        assert (await client.post(f"/hooks/46elks/{HOOK_SECRET}/inbound", data=form)).status_code == 200
