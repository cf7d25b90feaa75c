"""What a site file holds, once it is read. Plain values; what they must satisfy together is in ``check``."""

from typing import Literal

import msgspec

from hub.wire.config import LinkConfig, Scalar

IncidentClass = Literal["care", "technical"]
PhoneKind = Literal["mobile", "landline"]
ChannelName = Literal["sms"]
Language = Literal["nb", "nn", "en"]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Phone(_Table, frozen=True, kw_only=True):
    """A phone that somebody carries or that stands on a desk. ``number`` is E.164."""

    id: str
    number: str
    kind: PhoneKind = "mobile"


class Zone(_Table, frozen=True, kw_only=True):
    """A zone of home nursing; ``last_resort`` is the phone that is tried on every round of every plan."""

    id: str
    last_resort: str


class Shift(_Table, frozen=True, kw_only=True):
    """A weekly rule of a rota, in local time.

    Attributes:
        zone: Whose rota.
        role: Which role of the zone it fills.
        phone: The phone that fills it.
        days: ``daily``, or names and ranges such as ``mon-fri``, ``sat,sun``, ``holiday``. On a public holiday
            only rules that name ``holiday`` (or ``daily``) hold.
        start: ``HH:MM``; on the day that ``days`` names.
        end: ``HH:MM``; on the next day when it is not after ``start``. ``24:00`` is midnight.
    """

    zone: str
    role: str
    phone: str
    days: str
    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")


class Override(_Table, frozen=True, kw_only=True):
    """Another phone for a role between two local times (``2026-12-24T15:00``), with its reason."""

    zone: str
    role: str
    phone: str
    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")
    reason: str


class Step(_Table, frozen=True, kw_only=True):
    """One step of a plan.

    Attributes:
        roles: Who is told: ``duty`` (of the incident's zone), ``nord-2:duty`` (of another zone), or
            ``last-resort``.
        channels: How, in order of preference.
        wait_s: How long an answer is waited for before the next step.
    """

    roles: tuple[str, ...]
    channels: tuple[ChannelName, ...] = ("sms",)
    wait_s: int = 180


class Plan(_Table, frozen=True, kw_only=True):
    """Who is told in which order. A plan for the zone goes before one for ``*``, then the highest severity.

    Attributes:
        zone: Zone, or ``*`` for every zone.
        incident_class: ``care`` or ``technical``.
        min_severity: Least VKP severity (0, 10, 20, 30, 40) that it is for.
        steps: One after another, then again from the first, without end.
        on_the_way_s: An acknowledgement that nobody followed by *on the way* ends after this.
        arrived_s: *On the way* without *arrived* ends after this.
        closed_s: *Arrived* without an outcome ends after this.
    """

    zone: str = "*"
    incident_class: IncidentClass = msgspec.field(name="class")
    min_severity: int = 0
    steps: tuple[Step, ...]
    on_the_way_s: int = 600
    arrived_s: int = 1800
    closed_s: int = 3600


class Resident(_Table, frozen=True, kw_only=True):
    """A resident, by pseudonym only."""

    id: str
    zone: str


class Hub(_Table, frozen=True, kw_only=True):
    """A hub in a home or in a house of several homes."""

    id: str
    zone: str
    links: tuple[LinkConfig, ...] = ()


class Device(_Table, frozen=True, kw_only=True):
    """A device of a hub; see :class:`hub.wire.config.DeviceConfig` for the keys that both know.

    Attributes:
        resident: Whose it is; ``None`` for what serves nobody in particular.
        room: Where it is, one word for the text.
        night: Local hours (``22:00-06:00``) in which its ``door.opened`` or ``bed.left`` is an incident; a device
            that has them is critical.
        settings: What its driver lets a technician set; ``docs/devices`` lists them.
    """

    id: str
    hub: str
    link: str
    driver: str
    address: str = ""
    key: str | None = None
    profile: str = ""
    resident: str | None = None
    room: str = ""
    night: str | None = None
    supervision_s: int | None = None
    settings: dict[str, Scalar] = {}


class Dose(_Table, frozen=True, kw_only=True):
    """One dose of a dispenser's plan: local time ``at``, ``days`` as in a shift, minutes of its window."""

    device: str
    at: str
    days: str = "daily"
    window_min: int = 60


class Supervision(_Table, frozen=True, kw_only=True):
    """After how much silence something is reported, in seconds."""

    hub_silent_s: int = 90
    never_seen_s: int = 3600
    dose_grace_s: int = 20
    alive_s: float = 30.0


class Settings(_Table, frozen=True, kw_only=True):
    """What holds for the whole site."""

    name: str
    timezone: str = "Europe/Oslo"
    country: str = "NO"  # whose public holidays
    language: Language = "nb"
    test_phone: str | None = None  # who is told of tests


class Site(_Table, frozen=True, kw_only=True):
    """One municipality, whole."""

    site: Settings
    supervision: Supervision = Supervision()
    phones: tuple[Phone, ...] = ()
    zones: tuple[Zone, ...] = ()
    rota: tuple[Shift, ...] = ()
    overrides: tuple[Override, ...] = ()
    plans: tuple[Plan, ...] = ()
    residents: tuple[Resident, ...] = ()
    hubs: tuple[Hub, ...] = ()
    devices: tuple[Device, ...] = ()
    doses: tuple[Dose, ...] = ()
