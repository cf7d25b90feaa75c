"""What a seed means: a small site, what happens in it, how everybody behaves. The same seed, the same script."""

import datetime as dt
import random
from typing import NamedTuple

from hub.central.escalation import plan
from hub.central.escalation.plan import Position
from hub.central.site.directory import Directory
from hub.central.site.model import Device, Fyi, Hub, Phone, Plan, Resident, Settings, Shift, Site, Step, Zone
from hub.domain.clock import UTC
from hub.domain.codes import Kind

# How a provider may behave. After the calm each is good again, or another of its channel is.
GOOD = "good"
TROUBLES = (
    "slow",
    "hung",
    "down",
    "refuses",
    "account",
    "drops",
    "lies",
    "mute",
    "twice",
    "late",
    "fails",
    "flaky",
    "flaky",
)
# What may last for ever when another provider of the channel works: what it says of itself is true, or nothing.
LASTING = ("hung", "down", "account", "drops", "fails", "mute")
HABITS = ("prompt", "prompt", "late", "never", "wrong", "bare", "no", "forgets", "echo")

# An attempt (10 s) and the wait for its receipt (60 s), for each provider of a channel.
_PROVIDER_S = 70.0
# A failed round begins anew after 30 s, a round of failed attempts after 30 s more, a lease ends after 30 s, and a
# text takes up to 10 s to the phone.
_SLACK_S = 100.0

# The rota is the same on every day.
_ANY_DAY = dt.datetime(2026, 11, 21, 20, 0, tzinfo=UTC)


class Press(NamedTuple):
    """A resident's device says something."""

    at: float
    device: str
    kind: Kind


class Gateway(NamedTuple):
    """A provider: from when on it behaves how; the first from 0."""

    name: str
    channel: str
    moods: tuple[tuple[float, str], ...]


class Carrier(NamedTuple):
    """A phone and who carries it: when it is off (for ever: without an end), and how its texts are answered."""

    phone: Phone
    off: tuple[float, float]
    habit: str


class Death(NamedTuple):
    """A centre is killed before its so-manieth step, and comes back so many seconds later."""

    centre: int
    step: int
    back_s: float


class Freeze(NamedTuple):
    """A centre is stopped before it goes on for the so-manieth time, wherever it awaited, for so many seconds."""

    centre: int
    run: int
    for_s: float


class Jump(NamedTuple):
    """Somebody sets the clock under a centre, and later back."""

    centre: int
    at: float
    by_s: float
    until: float


class Script(NamedTuple):
    """Everything that a seed decides beforehand."""

    site: Directory
    presses: tuple[Press, ...]
    gateways: tuple[Gateway, ...]  # to phones
    fyi: tuple[Gateway, ...]  # for information only: whatever it does, what must hold is the same
    carriers: dict[str, Carrier]
    offsets: tuple[float, ...]  # of the centres' clocks; one for each centre
    deaths: tuple[Death, ...]
    freezes: tuple[Freeze, ...]
    jumps: tuple[Jump, ...]
    store_fails: float  # how often a transaction finds no store, before the calm
    lossy: float  # how often a receipt or report is lost, before the calm
    calm_at: float
    end: float
    patient: bool  # it is played to its end, not only until each alarm has reached a phone in the calm

    @property
    def undisturbed(self) -> bool:
        """Nothing goes wrong: who is on call must be reached as fast as the plan says."""
        good = all(mood == GOOD for gateway in self.gateways for _, mood in gateway.moods)
        return good and not (self.deaths or self.freezes or self.store_fails or self.lossy)

    def round_s(self, zone: str, incident_class: str, severity: int) -> float:
        """Return how long a whole round of the plan takes at most, with every delay that is allowed to us."""
        chosen = plan.choose(self.site.site, zone, incident_class, severity)
        waits = sum(max(leg.step.wait_s, leg.step.between_s) for leg in plan.legs_of(self.site.site, chosen, zone))
        return waits + len(self.gateways) * _PROVIDER_S + _SLACK_S

    def rests_s(self, state: str, zone: str, incident_class: str, severity: int, step: int) -> float:
        """Return how long the plan lets an incident be: alerting at a step, or taken."""
        if state == "alerting":
            here = Position(0, step)
            return plan.move(self.site, zone, incident_class, severity, _ANY_DAY, here).wait_s
        chosen = plan.choose(self.site.site, zone, incident_class, severity)
        return {
            "acknowledged": chosen.on_the_way_s,
            "on_the_way": chosen.arrived_s,
            "arrived": chosen.closed_s,
        }[state]

    def ends_round(self, zone: str, incident_class: str, severity: int, step: int) -> bool:
        """Tell whether no step of the round is left after a step that reaches anybody."""
        following = Position(0, step + 1)
        return plan.move(self.site, zone, incident_class, severity, _ANY_DAY, following).position.round > 0


def write(seed: int) -> Script:
    """Return the script of a seed."""
    rng = random.Random(seed)
    disturbed = rng.random() < 0.85
    calm_at = rng.uniform(20, 150) if disturbed else 0.0
    site = _site(rng, links=seed % 3 == 0)
    gateways = _gateways(rng, calm_at)
    carriers = _carriers(rng, site, calm_at)
    centres = rng.choice((1, 1, 2))
    offsets = tuple(rng.uniform(-0.8, 0.8) if number else 0.0 for number in range(centres))
    presses = _presses(rng, site)
    script = Script(
        site=site,
        presses=presses,
        gateways=gateways,
        fyi=_fyi(seed),
        carriers=carriers,
        offsets=offsets,
        deaths=_deaths(rng, centres) if disturbed else (),
        freezes=_freezes(rng, centres) if disturbed else (),
        jumps=_jumps(rng, centres),
        store_fails=rng.choice((0.0, 0.0, 0.03)) if disturbed else 0.0,
        lossy=rng.choice((0.0, 0.2)) if disturbed else 0.0,
        calm_at=calm_at,
        end=0.0,
        patient=rng.random() < 0.05,
    )
    last = max(calm_at, *(press.at for press in presses)) + sum(freeze.for_s for freeze in script.freezes)
    rounds = [script.round_s(zone.id, "care", 40) for zone in site.site.zones]
    return script._replace(end=last + max(rounds) + 60)


def _site(rng: random.Random, *, links: bool) -> Directory:
    zones = [f"zone-{number}" for number in range(1, rng.randint(1, 3) + 1)]
    phones = {name: Phone(id=name, number=f"+47000000{20 + place:02}") for place, name in enumerate(_names(zones))}
    for name, phone in phones.items():
        if name.startswith("second") and rng.random() < 0.2:
            phones[name] = Phone(id=name, number=phone.number, kind="landline")
    rota = []
    for zone in zones:
        several = rng.random() < 0.3
        order = (f"duty-{zone}", f"second-{zone}") if several else (f"duty-{zone}",)
        rota.append(Shift(zone=zone, role="duty", phones=order, days="daily", start="00:00", end="24:00"))
        rota.append(
            Shift(zone=zone, role="second", phone=f"second-{zone}", days="daily", start="00:00", end="24:00")
        )
    residents = [Resident(id=f"r-{number}", zone=rng.choice(zones)) for number in range(1, rng.randint(1, 3) + 1)]
    devices = [
        Device(id=f"pendant-{r.id}", hub="h-1", link="radio", driver="enocean", profile="F6-01-01", resident=r.id)
        for r in residents
    ]
    return Directory(
        Site(
            site=Settings(name="simulated", public_url="https://hub.example", links=links),
            phones=tuple(phones.values()),
            zones=tuple(Zone(id=zone, last_resort="leader") for zone in zones),
            rota=tuple(rota),
            fyi=(
                Fyi(id="office", events=("raised", "taken", "breached", "closed")),
                Fyi(id="zone", zones=(zones[0],)),
            ),
            plans=(_plan(rng, zones), Plan(incident_class="technical", steps=(Step(roles=("last-resort",)),))),
            residents=tuple(residents),
            hubs=(Hub(id="h-1", zone=zones[0]),),
            devices=tuple(devices),
        ),
        version=1,
    )


def _names(zones: list[str]) -> list[str]:
    return ["leader", *(f"{role}-{zone}" for zone in zones for role in ("duty", "second"))]


def _plan(rng: random.Random, zones: list[str]) -> Plan:
    roles = ["duty", "second", "nobody", f"{zones[0]}:duty", f"{zones[-1]}:second"]
    steps = tuple(
        Step(
            roles=tuple(rng.sample(roles, rng.choice((1, 1, 2)))),
            channels=rng.choice((("sms",), ("sms",), ("sms", "voice"), ("voice", "sms"))),
            wait_s=rng.choice((60, 120, 180)),
            order=rng.choice(("all", "all", "one-by-one")),
        )
        for _ in range(rng.randint(1, 3))
    )
    return Plan(
        incident_class="care",
        steps=steps,
        on_the_way_s=rng.choice((120, 300)),
        arrived_s=rng.choice((120, 300)),
        closed_s=rng.choice((120, 600)),
        acknowledge_s=rng.choice((None, 120)),
    )


def _gateways(rng: random.Random, calm_at: float) -> tuple[Gateway, ...]:
    found = []
    for channel, count in (("sms", rng.choice((1, 2, 2))), ("voice", rng.choice((0, 1, 1)))):
        for number in range(1, count + 1):
            moods = [(0.0, GOOD)]
            if calm_at:
                moods = [(0.0, rng.choice((GOOD, *TROUBLES))), (rng.uniform(0, calm_at), rng.choice(TROUBLES))]
                lasting = number < count and rng.random() < 0.3
                moods.append((calm_at, rng.choice(LASTING) if lasting else GOOD))
            found.append(Gateway(f"{channel}-{number}", channel, tuple(moods)))
    return tuple(found)


def _fyi(seed: int) -> tuple[Gateway, ...]:
    """Return who carries what is for information; by chances of its own, and never in the calm on its account."""
    rng = random.Random(f"fyi {seed}")
    moods = [(at, rng.choice((GOOD, "slow", "hung", "down", "refuses", "flaky"))) for at in (0.0, 60.0, 300.0)]
    return (Gateway("fyi-1", "fyi", tuple(moods)),) if rng.random() < 0.8 else ()


def _carriers(rng: random.Random, site: Directory, calm_at: float) -> dict[str, Carrier]:
    carriers = {}
    for phone in site.site.phones:
        off = (0.0, 0.0)
        if rng.random() < 0.25:
            off = (0.0, calm_at if phone.id == "leader" else rng.choice((calm_at, float("inf"))))
        carriers[phone.number] = Carrier(phone, off, rng.choice(HABITS))
    return carriers


def _presses(rng: random.Random, site: Directory) -> tuple[Press, ...]:
    count = rng.choice((1, 1, 1, 1, 1, 1, 2, 2, 3, 5))
    names = [device.id for device in site.site.devices]
    return tuple(
        Press(
            rng.choice((rng.uniform(0, 10), rng.uniform(0, 120))),
            rng.choice(names),
            Kind.DEVICE_FAULT if rng.random() < 0.05 else Kind.ALARM_PRESSED,
        )
        for _ in range(count)
    )


def _deaths(rng: random.Random, centres: int) -> tuple[Death, ...]:
    return tuple(
        Death(rng.randrange(centres), rng.randint(1, 60), rng.uniform(1, 60))
        for _ in range(rng.choice((0, 0, 1, 2)))
    )


def _freezes(rng: random.Random, centres: int) -> tuple[Freeze, ...]:
    # Shorter than a lease, just longer, and much longer.
    times = ((3, 30), (30, 45), (110, 130))
    return tuple(
        Freeze(rng.randrange(centres), rng.randint(1, 120), rng.uniform(*rng.choice(times)))
        for _ in range(rng.choice((0, 0, 0, 1) if centres == 1 else (0, 1, 1, 2)))
    )


def _jumps(rng: random.Random, centres: int) -> tuple[Jump, ...]:
    if rng.random() < 0.7:
        return ()
    at = rng.uniform(0, 300)
    return (
        Jump(rng.randrange(centres), at, rng.choice((-1, 1)) * rng.uniform(3, 7200), at + rng.uniform(30, 600)),
    )
