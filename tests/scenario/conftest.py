"""One ward for all scenario tests whose residents do not meet; and what the processes said when a test failed."""

import datetime as dt
from collections.abc import AsyncIterator, Generator
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from firmware_sim.clock import SystemClock, utc
from tests.scenario import layout
from tests.scenario.chain import Chain
from tests.scenario.layout import HUB

OSLO = ZoneInfo("Europe/Oslo")
ALONE = "h-0043"  # a hub with no device that can be reached
NEVER = "h-0044"  # a hub that was assigned and never seen
PORTLESS = "h-0045"  # a hub whose serial port does not exist
_KEY = "231d39c1d7cc1ab1aee224cd096db932"
_OTHER_KEY = "00112233445566778899aabbccddeeff"
_TAIL_LINES = 25
# Until a chain that starts now has surely heard its dispensers, on a busy machine too.
_START_S = 45


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the ends of all logs with a test that failed."""
    del item, call
    report = yield
    if report.failed:
        for chain in Chain.running:
            for log in sorted(chain.folder.glob("*.log")):
                lines = log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
                report.sections.append((f"{chain.folder.name}/{log.name}", "\n".join(lines)))
    return report


def ward_files() -> tuple[str, str]:
    """Return home and site of the ward: whatever the hour, it is night there and a dose is due soon.

    The dose windows end with the first full minute by which the chain has surely started. The other tests use
    the time until then, so the test of the doses comes last.
    """
    now = utc(SystemClock().wall_s()).astimezone(OSLO)
    end = (now + dt.timedelta(seconds=_START_S + 60)).replace(second=0, microsecond=0)
    start = end - dt.timedelta(minutes=1)
    night = f"{now - dt.timedelta(hours=1):%H}:00-{now + dt.timedelta(hours=2):%H}:00"
    here = [
        layout.pendant("pendant-reply", 1, "r-1"),
        layout.pendant("pendant-console", 2, "r-2"),
        layout.pendant("pendant-again", 3, "r-3"),
        layout.pendant("pendant-late", 4, "r-4"),
        layout.pendant("pendant-bad", 5, "r-5"),
        layout.pendant("pendant-new", 9, "r-16"),
        layout.door("door", 6, "r-6", night),
        layout.dispenser("disp-given", "r-7"),
        layout.dispenser("disp-missed", "r-8"),
        {**layout.dispenser("disp-lost", "r-9"), "supervision_s": 5},
        layout.dispenser("disp-flood", "r-13"),
    ]
    dispensers = [device for device in here if device["id"].startswith("disp-")]
    elsewhere = [
        {**layout.button("button-alone", "F0:11:22:33:44:09", "r-10", _KEY), "hub": ALONE},
        {**layout.button("button-too", "F0:11:22:33:44:08", "r-12", _KEY), "hub": ALONE},
        layout.dispenser("disp-never", "r-11", NEVER),
        layout.pendant("pendant-portless", 8, "r-14", PORTLESS),
    ]
    wrong_key = layout.button("button-bad", "F0:11:22:33:44:02", "r-15", _KEY)
    radio = {"id": "ble", "kind": "ble"}
    links = {
        HUB: [layout.stick(), radio, *(layout.line(device["id"]) for device in dispensers)],
        ALONE: [radio],
        NEVER: [layout.line("disp-never")],
        PORTLESS: [layout.stick("not-there")],
    }
    doses = [
        {"device": name, "at": f"{start:%H:%M}", "window_min": 1}
        for name in ("disp-given", "disp-missed", "disp-lost", "disp-never")
    ]
    assigned = [*here, *elsewhere, {**wrong_key, "key": _OTHER_KEY}]
    site = layout.site(links, assigned, doses=doses, hub_silent_s=6, alive_s=1)
    return layout.home([*here, wrong_key]), site


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ward(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Chain]:
    """A running chain with a dozen residents."""
    home, site = ward_files()
    folder = tmp_path_factory.mktemp("ward")
    async with Chain(folder, home=home, site=site, phones=layout.PHONES, radio=True) as chain:
        # The window of the doses has begun: one is given, and one dispenser goes out of contact.
        await chain.home.do("disp-given", "dispense")
        await chain.home.do("disp-lost", "vanish")
        yield chain
