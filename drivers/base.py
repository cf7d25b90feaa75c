"""What a driver is: the three small protocols, what they are told and what they answer.

A driver is sans-I/O. It is told what arrived and the time, and returns an :class:`Answer`. The session that
drives it does the following, in this order: it commits ``observations`` and ``state`` to the journal in one
transaction, and only then carries out ``actions``. So whatever a driver asks to be written (an
acknowledgement that lets the device forget a record) happens after the record is safe.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

import msgspec

from hub.domain.clock import Now
from hub.domain.observation import Observation, Scalar

LinkType = Literal["advert", "serial", "gatt", "topic"]


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a technician may set on a device; the default's type is the setting's type.

    Attributes:
        title: What it is, with its unit.
        default: What holds when nobody sets it.
        low: Least number, or shortest text.
        high: Greatest number, or longest text.
    """

    title: str
    default: Scalar
    low: float | None = None
    high: float | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a driver folder says of itself.

    Attributes:
        name: The folder's name.
        title: What a technician calls these devices.
        links: The ways it can be reached.
        profiles: The values that a device's ``profile`` may have; empty: it takes none.
        address: Regular expression of a device's address on its link; empty: the line has one device.
        key_bytes: Length of the key of an encrypted device, 0 where there is none.
        supervision_s: Silence after which a device of this family is overdue, unless the site says otherwise.
        baud: Speed of its serial line, 8N1.
        services: UUIDs, of its service data or GATT services, by which it is known in the air.
        names: Regular expressions of names that it advertises, each with what a technician calls that make.
        topics: MQTT filters below the base of its link, such as ``+/availability``.
        settings: What may be set on a device, by name.
        commands: What it can be told to do (:class:`Commanded`), by name, with what that does.
        bonded: Its GATT link must be bonded and encrypted.
        personal: Its frames may hold what people wrote, their numbers or where they are: never recorded.
    """

    name: str
    title: str
    links: tuple[LinkType, ...]
    profiles: tuple[str, ...] = ()
    address: str = ""
    key_bytes: int = 0
    supervision_s: int
    baud: int = 0
    services: tuple[str, ...] = ()
    names: Mapping[str, str] = {}
    topics: tuple[str, ...] = ()
    settings: Mapping[str, Setting] = {}
    commands: Mapping[str, str] = {}
    bonded: bool = False
    personal: bool = False


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device that was assigned to this driver.

    Attributes:
        id: Its id in the hub.
        address: Where it is heard, in the form that the manifest tells; letters in upper case.
        key: Its key, or ``None``.
        profile: One of the manifest's profiles, or empty.
        settings: What was set, by name; see :func:`drivers.registry.settings_of` for what holds.
    """

    id: str
    address: str = ""
    key: bytes | None = None
    profile: str = ""
    settings: Mapping[str, Scalar] = {}


class Dose(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a dispenser's plan, in local time; weekdays bit 0 is Monday."""

    minute_of_day: int
    weekdays: int
    window_min: int


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a driver is told when it is opened.

    Attributes:
        devices: One device for ``advert`` and ``gatt``; on a serial line or a broker all that are heard there.
        state: What it remembered when it last ran (:attr:`Answer.state`), or empty.
        doses: Plan of a dispenser, by device id.
        utc_offset: Local time's distance from UTC at an instant, for devices that show local time.
    """

    devices: tuple[Device, ...]
    state: bytes = b""
    doses: Mapping[str, tuple[Dose, ...]] = {}
    utc_offset: dt.timedelta = dt.timedelta(0)


class Advert(msgspec.Struct, frozen=True, kw_only=True):
    """One BLE advertisement. UUIDs are 128 bits in lower case, as bleak writes them."""

    address: str
    rssi_dbm: int | None = None
    name: str | None = None
    service_data: Mapping[str, bytes] = {}
    manufacturer_data: Mapping[int, bytes] = {}
    service_uuids: Sequence[str] = ()


class Heard(msgspec.Struct, frozen=True):
    """An observation and the device that made it."""

    device_id: str
    observation: Observation


class Send(msgspec.Struct, frozen=True):
    """Put these bytes on the serial line."""

    data: bytes


class Subscribe(msgspec.Struct, frozen=True):
    """Ask for notifications or indications of a characteristic.

    ``optional``: a device that has none, or refuses, is talked to all the same.
    """

    characteristic: str
    optional: bool = False


class Read(msgspec.Struct, frozen=True):
    """Read a characteristic; the value comes back through ``value``.

    ``optional``: a device that has none, or refuses, is talked to all the same.
    """

    characteristic: str
    optional: bool = False


class Write(msgspec.Struct, frozen=True):
    """Write a characteristic, with response; ``optional`` as for :class:`Subscribe`."""

    characteristic: str
    data: bytes
    optional: bool = False


class Disconnect(msgspec.Struct, frozen=True):
    """End the connection; the session makes a new one when the device is seen again."""


class Publish(msgspec.Struct, frozen=True):
    """Publish on the home's own broker; the topic is below the base of the link."""

    topic: str
    payload: bytes


Action = Send | Subscribe | Read | Write | Disconnect | Publish


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a driver makes of what it was told.

    Attributes:
        observations: To be journalled, in this order.
        state: All that the driver must remember, or ``None`` where nothing changed; journalled together
            with the observations.
        actions: To be done once that is committed, in this order.
        bad: Why bytes were passed over, one line for each frame, naming the byte; counted and shown.
        strangers: Addresses heard that are assigned to nobody, for commissioning.
        profiles: Of those strangers that have said what they are: the profile, by address.
    """

    observations: tuple[Heard, ...] = ()
    state: bytes | None = None
    actions: tuple[Action, ...] = ()
    bad: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    profiles: Mapping[str, str] = {}


NOTHING = Answer()


class AdvertDriver(Protocol):
    """Reads one device that only advertises."""

    def advertised(self, advert: Advert, now: Now) -> Answer:
        """Take one advertisement of this device. Never raises."""
        ...


class SerialDriver(Protocol):
    """Reads one serial line with all devices that are heard on it."""

    def opened(self, now: Now) -> Answer:
        """The line was opened, or opened again: say what must be sent first; half frames are forgotten."""
        ...

    def received(self, data: bytes, now: Now) -> Answer:
        """Take bytes, cut anywhere. Never raises."""
        ...

    def tick(self, now: Now) -> Answer:
        """Called about every 100 ms, for what depends on time passing."""
        ...


class GattDriver(Protocol):
    """Reads one device that is connected to."""

    def connected(self, now: Now) -> Answer:
        """The link is up and encrypted: say what to subscribe to, read and write."""
        ...

    def value(self, characteristic: str, data: bytes, now: Now) -> Answer:
        """Take a value that was notified, indicated or read. Never raises."""
        ...

    def tick(self, now: Now) -> Answer:
        """Called about every 500 ms while connected, for what depends on time passing."""
        ...


class TopicDriver(Protocol):
    """Reads a gateway of other devices through the home's own MQTT broker."""

    def opened(self, now: Now) -> Answer:
        """The broker has accepted us, or again: say what must be published first."""
        ...

    def message(self, topic: str, payload: bytes, now: Now, *, retained: bool) -> Answer:
        """Take a message; its topic is below the base of the link. Never raises.

        Args:
            topic: Without the base.
            payload: As published.
            now: This moment.
            retained: The broker had kept it: it may be old, and was perhaps told before.
        """
        ...

    def tick(self, now: Now) -> Answer:
        """Called about once a second, for what depends on time passing."""
        ...


@runtime_checkable
class Parting(Protocol):
    """A GATT driver that holds something back while it is connected, such as a minute's mean."""

    def disconnected(self, now: Now) -> Answer:
        """The link is gone: tell what was held back; actions are no longer carried out."""
        ...


@runtime_checkable
class Commanded(Protocol):
    """A driver whose device can be told to do something."""

    def command(self, device_id: str, name: str, arguments: Mapping[str, Scalar], now: Now) -> Answer:
        """Say what must be sent for a command of the manifest.

        Raises:
            MalformedError: It does not know the command, or the arguments do not fit; says which.
        """
        ...


@runtime_checkable
class Renaming(Protocol):
    """A driver folder that can put other addresses into its frames, checksums made good: for recordings."""

    @staticmethod
    def renamed(data: bytes, rename: Callable[[str], str]) -> bytes:
        """Return bytes of a line, cut anywhere, with every address replaced; all else is as it was."""
        ...


Driver = AdvertDriver | SerialDriver | GattDriver | TopicDriver


@runtime_checkable
class Package(Protocol):
    """What a driver folder offers: a manifest, and a way to open it on one of its links.

    The folder's ``__init__`` has ``MANIFEST`` and the function ``open_driver(link, setup) -> Driver``, which
    raises :class:`hub.domain.errors.MalformedError` for a device whose address, key or profile does not fit.
    """

    MANIFEST: Manifest

    @staticmethod
    def open_driver(link: LinkType, setup: Setup) -> Driver:
        """Open the driver for the devices of ``setup`` on a link of this type."""
        ...
