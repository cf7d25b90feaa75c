"""Providers that are listened to, such as a modem: what they tell goes through the same door as a hook's call."""

from collections.abc import Awaitable, Callable

from hub.central.api import hooks
from hub.central.centre import Centre
from hub.central.notify.channels.base import Listening, Provider, Told
from hub.central.notify.ways import Ways


def listen_to(centre: Centre, ways: Ways) -> dict[str, Callable[[], Awaitable[None]]]:
    """Return what listens to each of them without end, by name."""
    return {
        f"provider {each.name}": _loop(centre, ways, each, each) for each in ways if isinstance(each, Listening)
    }


def _loop(centre: Centre, ways: Ways, provider: Provider, listening: Listening) -> Callable[[], Awaitable[None]]:
    async def tell(told: tuple[Told, ...]) -> None:
        await centre.transact(lambda tx: hooks.take(tx, provider, told, ways), urgent=True)

    return lambda: listening.listen(tell, centre.clock)
