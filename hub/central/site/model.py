"""What a site file holds, once it is read. Plain values; what they must satisfy together is in ``check``."""

from typing import Literal

import msgspec

from hub.domain.observation import Scalar
from hub.wire.config import LinkConfig

IncidentClass = Literal["care", "technical"]
PhoneKind = Literal["mobile", "landline"]
ChannelName = Literal["sms", "voice", "push", "email"]
FyiEvent = Literal["raised", "taken", "breached", "closed"]
Order = Literal["all", "one-by-one"]
Language = Literal["nb", "nn", "en"]
OverrideKind = Literal["swap", "sick", "longer", "other"]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Phone(_Table, frozen=True, kw_only=True):
    """A phone that somebody carries or that stands on a desk.

    Attributes:
        number: E.164.
        kind: What it can take: a landline takes calls only.
        language: Of the texts it gets; ``None`` is the site's.
        email: Address of whoever has it, for channel ``email``.
    """

    id: str
    number: str
    kind: PhoneKind = "mobile"
    language: Language | None = None
    email: str | None = None


class Zone(_Table, frozen=True, kw_only=True):
    """A zone of home nursing.

    Attributes:
        last_resort: The phone that is tried on every round of every plan.
        shift_check: Whoever comes on duty is asked by text to confirm it.
        calendar_key: What an address of the zone's calendar must bear; without one there is no calendar.
    """

    id: str
    last_resort: str
    shift_check: bool = False
    calendar_key: str | None = None


class Holiday(_Table, frozen=True, kw_only=True):
    """A local day off, or the rest of a day from a time on; it counts as a public holiday."""

    date: str
    name: str
    start: str = msgspec.field(name="from", default="00:00")


class WeeklyRule(_Table, frozen=True, kw_only=True):
    """A weekly rule, in local time.

    Attributes:
        phone: The phone that fills the role.
        phones: Several in their order, instead of one ``phone``.
        days: ``daily``, or names and ranges such as ``mon-fri``, ``sat,sun``, ``holiday``. On a public holiday
            only rules that name ``holiday`` (or ``daily``) hold.
        start: ``HH:MM``; on the day that ``days`` names.
        end: ``HH:MM``; on the next day when it is not after ``start``. ``24:00`` is midnight.
    """

    phone: str | None = None
    phones: tuple[str, ...] = ()
    days: str
    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")

    @property
    def order(self) -> tuple[str, ...]:
        """The phones, the first to be told first."""
        return _order(self.phone, self.phones)


class Shift(WeeklyRule, frozen=True, kw_only=True):
    """A weekly rule of a rota: which ``role`` of which ``zone`` it fills."""

    zone: str
    role: str


class Schedule(_Table, frozen=True, kw_only=True):
    """Other weekly rules for a role, for a while.

    Attributes:
        zone: Whose rota.
        role: Which role of the zone.
        start: First local date (``2026-12-21``) on which they hold instead of the ordinary ones.
        until: Last local date; a night shift that starts on it lasts into the next morning.
        name: What it is for; told with what it decided.
        rules: The rules.
    """

    zone: str
    role: str
    start: str = msgspec.field(name="from")
    until: str
    name: str
    rules: tuple[WeeklyRule, ...]


class Override(_Table, frozen=True, kw_only=True):
    """Another phone for a role between two local times (``2026-12-24T15:00``), with its kind and reason."""

    zone: str
    role: str
    phone: str | None = None
    phones: tuple[str, ...] = ()
    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")
    kind: OverrideKind = "other"
    reason: str

    @property
    def order(self) -> tuple[str, ...]:
        """The phones, the first to be told first."""
        return _order(self.phone, self.phones)


class Step(_Table, frozen=True, kw_only=True):
    """One step of a plan.

    Attributes:
        roles: Who is told: ``duty`` (of the incident's zone), ``nord-2:duty`` (of another zone), or
            ``last-resort``.
        channels: How, in order of preference.
        wait_s: How long an answer is waited for before the next step.
        order: ``all`` tells all phones of all roles at once, ``one-by-one`` one after another, in their order.
        between_s: How long each is waited for before the next, one by one; after the last it is ``wait_s``.
        hours: Local hours such as ``22:00-07:00``; at other times the step is passed over. ``None``: always.
    """

    roles: tuple[str, ...]
    channels: tuple[ChannelName, ...] = ("sms",)
    wait_s: int = 180
    order: Order = "all"
    between_s: int = 60
    hours: str | None = None


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
        hours: Of class technical only: local hours in which it is followed; outside them an incident waits until
            they begin. ``None``: always.
        always_severity: An incident of this severity or above waits for no hours.
        acknowledge_s: The site's own limit from opening to the first acknowledgement; passing it is an event of
            its own. ``None``: there is none.
        arrive_s: The same to *arrived*.
        close_s: The same to *closed*.
    """

    zone: str = "*"
    incident_class: IncidentClass = msgspec.field(name="class")
    min_severity: int = 0
    steps: tuple[Step, ...]
    on_the_way_s: int = 600
    arrived_s: int = 1800
    closed_s: int = 3600
    hours: str | None = None
    always_severity: int = 30
    acknowledge_s: int | None = None
    arrive_s: int | None = None
    close_s: int | None = None


class Fyi(_Table, frozen=True, kw_only=True):
    """Whoever else wants to know. It is on no rota and in no plan, and nothing rests on it.

    Attributes:
        id: The centre's settings have its address under this name.
        zones: Of whose incidents it is told, or ``*``.
        incident_class: ``care`` or ``technical``; ``None``: both.
        min_severity: Least VKP severity that it is told of.
        events: What it is told of an incident. ``breached``: a time limit of its plan has passed.
    """

    id: str
    zones: tuple[str, ...] = ("*",)
    incident_class: IncidentClass | None = msgspec.field(name="class", default=None)
    min_severity: int = 0
    events: tuple[FyiEvent, ...] = ("raised",)


class Resident(_Table, frozen=True, kw_only=True):
    """A resident, by pseudonym only. Who has the higher ``risk`` is named first when nobody can be heard."""

    id: str
    zone: str
    risk: Literal[0, 1, 2, 3] = 0


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
    """After how much silence something is reported, in seconds.

    ``network_hubs`` hubs that fall silent within ``network_within_s`` are one incident of the network.
    """

    hub_silent_s: int = 90
    network_hubs: int = 3
    network_within_s: int = 120
    never_seen_s: int = 3600
    dose_grace_s: int = 20
    alive_s: float = 30.0


class Settings(_Table, frozen=True, kw_only=True):
    """What holds for the whole site.

    Attributes:
        public_url: Where phones reach the centre, ``https://…`` without a slash at the end; only links need it.
        links: Alerts carry a link that shows and answers them, where it fits.
        link_h: How long such a link lives, in hours; it is dead earlier once its incident is closed.
    """

    name: str
    timezone: str = "Europe/Oslo"
    country: str = "NO"  # whose public holidays
    language: Language = "nb"
    test_phone: str | None = None  # who is told of tests
    public_url: str | None = None
    links: bool = False
    link_h: int = 24


class Site(_Table, frozen=True, kw_only=True):
    """One municipality, whole."""

    site: Settings
    supervision: Supervision = Supervision()
    phones: tuple[Phone, ...] = ()
    zones: tuple[Zone, ...] = ()
    rota: tuple[Shift, ...] = ()
    holidays: tuple[Holiday, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    overrides: tuple[Override, ...] = ()
    plans: tuple[Plan, ...] = ()
    fyi: tuple[Fyi, ...] = ()
    residents: tuple[Resident, ...] = ()
    hubs: tuple[Hub, ...] = ()
    devices: tuple[Device, ...] = ()
    doses: tuple[Dose, ...] = ()


def _order(phone: str | None, phones: tuple[str, ...]) -> tuple[str, ...]:
    return phones or (() if phone is None else (phone,))
