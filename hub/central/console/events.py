"""The live connections of the console's pages."""

from fastapi import APIRouter, HTTPException, Request, status
from fastapi.responses import StreamingResponse

from hub.central.api import acts
from hub.central.api.guard import SignedIn, find
from hub.central.api.services import Of, Services, reader
from hub.central.bulletin import News
from hub.central.console import live, scene
from hub.central.console.pages import Number
from hub.central.console.render import Reader
from hub.central.console.scene import Scene
from hub.central.incidents import view

router = APIRouter(prefix="/events")


@router.get("/board")
async def board(request: Request, of: Of, session: SignedIn) -> StreamingResponse:
    """Tell what changes on the board."""
    await acts.seen(of.centre, session, "incidents.watched", f"zone:{reader(request, session).only or '*'}")

    async def draw(written_for: Reader) -> Scene:
        site = of.centre.site
        return await of.centre.store.read(
            lambda connection: scene.board(connection, site, written_for.only, written_for.now)
        )

    return _stream(request, of, draw, lambda news: news.topic in {"incident", "maintenance"})


@router.get("/incidents/{number}")
async def incident(request: Request, of: Of, session: SignedIn, number: Number) -> StreamingResponse:
    """Tell what changes about one incident."""
    first = await of.centre.store.read(lambda connection: view.story(connection, number))
    if first is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND)
    await acts.seen(of.centre, session, "incident.watched", f"incident:{number}")

    async def draw(_: Reader) -> Scene:
        story = await of.centre.store.read(lambda connection: view.story(connection, number))
        return scene.incident(story or first)

    return _stream(request, of, draw, lambda news: news == News("incident", str(number)))


@router.get("/hubs")
async def hubs(request: Request, of: Of, session: SignedIn) -> StreamingResponse:
    """Tell what changes about hubs and devices."""
    del session

    async def draw(written_for: Reader) -> Scene:
        site = of.centre.site
        return await of.centre.store.read(lambda connection: scene.hubs(connection, site, written_for.now))

    return _stream(
        request, of, draw, lambda news: news.topic in {"hub", "device", "incident", "maintenance"}, live.CALM_S
    )


@router.get("/shifts")
async def shifts(request: Request, of: Of, session: SignedIn) -> StreamingResponse:
    """Tell what changes about who is on call."""
    del session

    async def draw(written_for: Reader) -> Scene:
        site = of.centre.site
        return await of.centre.store.read(
            lambda connection: scene.shifts(connection, site, written_for.only, written_for.now)
        )

    return _stream(request, of, draw, lambda news: news.topic in {"shift", "incident"}, live.CALM_S)


@router.get("/devices/{device_id}")
async def device(request: Request, of: Of, session: SignedIn, device_id: str) -> StreamingResponse:
    """Tell what changes about one device."""
    del session

    async def draw(written_for: Reader) -> Scene:
        site = of.centre.site
        return await of.centre.store.read(
            lambda connection: scene.device(connection, site, device_id, written_for.now)
        )

    def concerns(news: News) -> bool:
        return news == News("device", device_id) or news.topic in {"incident", "maintenance"}

    return _stream(request, of, draw, concerns)


def _stream(
    request: Request, of: Services, draw: live.Draw, concerns: live.Concerns, gather_s: float = live.GATHER_S
) -> StreamingResponse:
    async def look() -> tuple[Reader, Scene] | None:
        session = await find(request)
        if session is None:
            return None
        written_for = reader(request, session)
        return written_for, await draw(written_for)

    events = live.stream(of.centre.bulletin, look, concerns, of.ended, gather_s)
    # A proxy that gathers what is streamed would hold an alarm back.
    return StreamingResponse(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
