"""Bytes that a technician pastes from a sniffer, to what the hub makes of them."""

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from drivers.base import (
    Advert,
    AdvertDriver,
    Answer,
    Device,
    GattDriver,
    LinkType,
    SerialDriver,
    Setup,
    Subscribe,
    TopicDriver,
)
from drivers.registry import package
from hub.domain.clock import UTC, Now
from hub.domain.codes import Kind
from hub.domain.errors import MalformedError

ANY_ADDRESS = "00:00:00:00:00:00"
_DEVICE = "decoded"
# Long enough for every driver to let go of what is unfinished.
_LATER_S = 60.0
_TICKS = 3
# Long enough for a GATT driver that waits for a second value, too short for one that waits for an answer.
_SOON_S = 3.0
# No clock of a device is ahead of this.
_FAR = dt.datetime(2100, 1, 1, tzinfo=UTC)
_FAR_TEXT = "2100-01-01T00:00:00Z"


class Decoded(NamedTuple):
    """What came of the bytes.

    Attributes:
        observations: JSON-able, with the device and its profile.
        bad: What is wrong with the bytes, one line for each frame.
    """

    observations: list[dict[str, Any]]
    bad: list[str]


def decode(  # noqa: PLR0913 - one argument for each option of the command
    driver: str,
    frame: bytes,
    *,
    now: Now | None = None,
    link: LinkType | None = None,
    key: bytes | None = None,
    address: str = "",
    characteristic: str | None = None,
    topic: str = "",
    profile: str = "",
) -> Decoded:
    """Read bytes as one driver does, with a device assigned for as long as it takes.

    On a serial line that many devices are heard on, every sender is assigned with ``profile``, or with the
    first profile that makes something of it.

    Args:
        driver: Name of the driver.
        frame: Service data after the UUID, a characteristic's value, bytes of a serial line, or a payload.
        now: When it is said to be heard; default: late enough for every clock of a device.
        link: Where it was heard; default: every link of the driver is tried.
        key: Key of an encrypted device.
        address: Address of the device; needed with a key, which is bound to it.
        characteristic: The value's characteristic; default: the first that the driver subscribes to.
        topic: Of a payload, below the base of its link.
        profile: One of the driver's profiles.

    Raises:
        MalformedError: There is no such driver, link or profile, or address or key do not fit.
    """
    manifest = package(driver).MANIFEST
    if link is not None and link not in manifest.links:
        raise MalformedError(f"link {link!r}: {driver} has {', '.join(manifest.links)}")
    if key is not None and len(key) == manifest.key_bytes and not address:
        raise MalformedError(f"address: is needed with a key; {driver} binds what it encrypts to both")
    heard = now or Now(_FAR, 0.0)
    given = _Given(key, address, characteristic or topic, profile)
    links = (link,) if link else manifest.links
    attempts = {each: _on_link(driver, each, frame, heard, given) for each in links}
    best = max(attempts.values(), key=_sense)
    if now is None:
        for observation in best.observations:
            if observation["time"] == _FAR_TEXT:
                del observation["time"]  # nobody said when, and the device did not either
    # A fault that was read without a complaint is what the device said, and no mistake about the link.
    if _sense(best)[0] or (best.observations and not best.bad) or len(attempts) == 1:
        return best
    return Decoded([], [f"{name}: {line}" for name, each in attempts.items() for line in each.bad])


def _sense(decoded: Decoded) -> tuple[int, int]:
    """Tell how much sense it makes: observations that are no fault, then few complaints."""
    told = sum(each["kind"] != Kind.DEVICE_FAULT for each in decoded.observations)
    return told, -len(decoded.bad)


class _Given(NamedTuple):
    key: bytes | None
    address: str
    place: str | None  # characteristic or topic
    profile: str


def _on_link(driver: str, link: LinkType, frame: bytes, now: Now, given: _Given) -> Decoded:
    manifest = package(driver).MANIFEST
    if link == "serial" and manifest.profiles and not given.address:
        return _all_senders(driver, frame, now, given)
    address = given.address
    if link in ("advert", "gatt") and not address:
        address = ANY_ADDRESS
    device = Device(id=_DEVICE, address=address, key=given.key, profile=given.profile)
    return _decoded(_answers(driver, link, (device,), frame, now, given.place), (device,))


def _all_senders(driver: str, frame: bytes, now: Now, given: _Given) -> Decoded:
    manifest = package(driver).MANIFEST
    strangers = [one for answer in _answers(driver, "serial", (), frame, now) for one in answer.strangers]
    devices: list[Device] = []
    for address in dict.fromkeys(strangers):
        choices = [
            Device(id=address.lower(), address=address, key=given.key, profile=profile)
            for profile in ((given.profile,) if given.profile else manifest.profiles)
        ]
        devices.append(
            max(choices, key=lambda one: _sense(_decoded(_answers(driver, "serial", (one,), frame, now), (one,))))
        )
    return _decoded(_answers(driver, "serial", tuple(devices), frame, now), tuple(devices))


def _answers(
    driver: str,
    link: LinkType,
    devices: Sequence[Device],
    frame: bytes,
    now: Now,
    place: str | None = None,
) -> list[Answer]:
    """Open the driver, give it the bytes, and then time to let go of what is unfinished."""
    found = package(driver)
    opened: Any = found.open_driver(link, Setup(devices=tuple(devices)))
    if link == "advert":
        advertising: AdvertDriver = opened
        advert = Advert(address=devices[0].address, service_data={found.MANIFEST.services[0]: frame})
        return [advertising.advertised(advert, now)]
    if link == "gatt":
        connected: GattDriver = opened
        asked = connected.connected(now).actions
        first = next((action.characteristic for action in asked if isinstance(action, Subscribe)), "")
        soon = now._replace(mono=now.mono + _SOON_S)
        return [connected.value(place or first, frame, now), connected.tick(soon)]
    line: SerialDriver | TopicDriver = opened
    line.opened(now)
    told = (
        opened.message(place or "", frame, now, retained=False) if link == "topic" else opened.received(frame, now)
    )
    answers = [told]
    answers += [line.tick(now._replace(mono=now.mono + _LATER_S)) for _ in range(_TICKS)]
    return answers


def _decoded(answers: Sequence[Answer], devices: Sequence[Device]) -> Decoded:
    profiles = {device.id: device.profile for device in devices}
    observations: list[dict[str, Any]] = []
    for answer in answers:
        for heard in answer.observations:
            named: dict[str, Any] = {"device": heard.device_id}
            if profiles[heard.device_id]:
                named["profile"] = profiles[heard.device_id]
            observations.append(named | msgspec.json.decode(msgspec.json.encode(heard.observation)))
    bad = [line.removeprefix(f"{_DEVICE}: ") for answer in answers for line in answer.bad]
    return Decoded(observations, bad)
