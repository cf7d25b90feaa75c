"""What is wrong is told in one clear line, an alarm is raised flagged rather than dropped, and nothing stops."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from tests.fakes.mosquitto import Mosquitto
from tests.scenario.chain import Chain
from tests.scenario.conftest import PORTLESS
from tests.scenario.layout import DUTY, HUB
from tests.scenario.test_delivery import event
from tests.scenario.wire import Wire, wire

pytestmark = pytest.mark.asyncio(loop_scope="session")
ALARM, READING = f"wt/1/{HUB}/up/alarm", f"wt/1/{HUB}/up/reading"
STRANGER = "h-9999"


@pytest_asyncio.fixture(loop_scope="session")
async def line(ward: Chain) -> AsyncIterator[Wire]:
    """A stranger at the broker."""
    async with wire(ward.broker_port) as made:
        yield made


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def _nothing_stops(ward: Chain) -> AsyncIterator[None]:
    """A good press goes through after whatever was wrong."""
    before = (ward.centre.pid, ward.edge.pid)
    yield
    presses = "select count(*) from observations where device_id = 'pendant-bad' and kind = 'alarm.pressed'"
    ((heard,),) = ward.rows(presses)
    await ward.home.do("pendant-bad", "press")

    async def stored() -> bool:
        return bool(ward.rows(presses)[0][0] > heard)

    await ward.until(stored, 10, "a good press after the bad input")
    assert ward.centre.running
    assert ward.edge.running
    assert before == (ward.centre.pid, ward.edge.pid)


def wrong(**changed: Any) -> bytes:
    """Return an alarm with something wrong in it."""
    return msgspec.json.encode({**event(40, "pendant-bad", "alarm.pressed"), **changed})


def configuration(**device: str) -> bytes:
    """Return a configuration with one BLE device."""
    devices = [{"id": "b", "link": "ble", "driver": "bthome", **device}]
    links = [{"id": "ble", "kind": "ble"}]
    return msgspec.json.encode({"version": 9999999999, "hub_id": HUB, "links": links, "devices": devices})


async def buried(ward: Chain, reason: str) -> None:
    """Wait until what came is among the dead letters, with its reason."""

    async def look() -> bool:
        return bool(ward.rows("select 1 from dead_letters where reason like ?", f"%{reason}%"))

    await ward.until(look, 10, f"a dead letter: {reason}")


@pytest.mark.parametrize(
    ("topic", "payload", "said", "reason"),
    [
        ("wt/1/h%200042/up/alarm", b"{}", r"wt/1/h%200042/up/alarm: hub in topic", "hub in topic"),
        (READING, b"press! press!", r"up/reading: not JSON|up/reading: element 0: ", "JSON is malformed"),
        (READING, b"x" * 2**20, r"payload of 1048576 bytes: the limit is 524288", "the limit is 524288"),
        (f"wt/1/{HUB}/up/alive", b'{"epoch":7}', r"up/alive: alive: ", "alive: "),
        (f"wt/1/{HUB}/up/status", b'{"state":"lost"}', r"up/status: status: ", "status: "),
    ],
    ids=["topic", "not JSON", "1 MB", "heartbeat", "status"],
)
async def test_what_is_no_observation_is_buried_with_its_reason(
    ward: Chain, line: Wire, topic: str, payload: bytes, said: str, reason: str
) -> None:
    await line.publish(topic, payload)
    await ward.line_in_log(ward.centre, said)
    await buried(ward, reason)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"seq": "forty"}, r"Expected `int`, got `str` - at `\$\.seq`"),
        ({"epoch": "e" * 33}, r"name no journal entry"),
        ({"source": f"urn:hub:{STRANGER}"}, r"`\$\.source` is .* on a topic of hub"),
        ({"time": "yesterday"}, r"Invalid RFC3339 encoded datetime - at `\$\.time`"),
    ],
    ids=["type", "epoch", "source", "time"],
)
async def test_an_alarm_that_is_malformed_rings_all_the_same(
    ward: Chain, line: Wire, changed: dict[str, Any], said: str
) -> None:
    await line.publish(ALARM, wrong(**changed))
    told = await ward.line_in_log(ward.centre, said)
    assert ALARM in told

    async def raised() -> list[int]:
        query = (
            "select id from incidents where flags = 'malformed' and resident_id = 'r-5' and open_key is not null"
        )
        return [number for (number,) in ward.rows(query)]

    (number,) = await ward.until(raised, 10, "a care incident, flagged")
    assert (await ward.text_about(number))["to"] == DUTY


@pytest.mark.parametrize(
    ("hub", "device", "flag", "said"),
    [
        (STRANGER, "button", "unknown_hub", f"hub {STRANGER} is not in the site"),
        (HUB, "button-unheard-of", "unknown_device", "device button-unheard-of is not in the site"),
        (HUB, "disp-never", "wrong_hub", f"device disp-never belongs to hub h-0044, not {HUB}"),
    ],
)
async def test_an_alarm_from_nowhere_rings_flagged(
    ward: Chain, line: Wire, hub: str, device: str, flag: str, said: str
) -> None:
    alarm = {**event(50, device, "alarm.pressed"), "source": f"urn:hub:{hub}", "epoch": flag, "id": flag}
    for _ in range(2):
        await line.publish(f"wt/1/{hub}/up/alarm", msgspec.json.encode(alarm))
    story = await ward.story("alarm.pressed", device_id=device)
    assert flag in story["incident"]["flags"]
    assert story["incident"]["reason"] == said
    text = await ward.text_about(story["incident"]["id"])
    assert text["to"] == DUTY
    assert "NB! usikker melding" in text["message"]
    await ward.line_in_log(ward.centre, said)


async def test_a_receipt_of_another_journal_frees_nothing(ward: Chain, line: Wire) -> None:
    await line.publish(f"wt/1/{HUB}/down/receipt", b'{"epoch":"ffffffff","stored":[[1,1000000]]}')
    await ward.line_in_log(ward.edge, r"uplink: refused: .*ffffffff")


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"{}", "configuration refused: configuration: Object missing required field"),
        (b'{"version":9999999999,"hub_id":"h-1"}', "configuration refused: configuration: meant for hub 'h-1'"),
        (
            configuration(address="F0:11:22:33:44:02", key="231d"),
            "configuration refused: .*key",
        ),
        (
            configuration(address="F0:11:22:33:44"),
            "configuration refused: .*F0:11:22:33:44",
        ),
    ],
    ids=["empty", "another hub's", "key", "address"],
)
async def test_a_configuration_that_does_not_fit_is_refused(
    ward: Chain, line: Wire, payload: bytes, said: str
) -> None:
    await line.publish(f"wt/1/{HUB}/down/config", payload)
    await ward.line_in_log(ward.edge, said)
    reports = (
        "select count(*) from observations where kind = 'device.fault' and value like '%configuration refused%'"
    )

    async def reported() -> bool:
        return bool(ward.rows(reports)[0][0])

    await ward.until(reported, 10, "the refusal as an observation")


async def test_a_button_with_another_key_is_a_fault_of_the_device(ward: Chain) -> None:
    await ward.home.do("button-bad", "press")
    story = await ward.story("device.fault", within_s=20, device_id="button-bad")
    assert "bad_mic" in story["incident"]["flags"]
    await ward.line_in_log(ward.edge, "button-bad: bad_mic: its last 4 bytes, the MIC, do not fit")


async def test_a_port_that_does_not_exist_is_told_once(ward: Chain) -> None:
    edge = await ward.another_edge(PORTLESS)
    await ward.line_in_log(edge, r"link radio: down: port .*/not-there: No such file or directory", within_s=20)
    assert edge.running
    await edge.stop()


async def test_a_broker_that_refuses_is_told_once(ward: Chain, tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "strict", passwords={"h-0046": "right"})
    await broker.start()
    try:
        way = f'port = {broker.port}\nusername = "h-0046"\npassword = "wrong"'
        edge = await ward.another_edge("h-0046", way)
        await ward.line_in_log(edge, r"mqtt 127.0.0.1:\d+: broker refuses client 'h-0046': ", within_s=20)
        # It asks again and again, and says so once.
        await ward.until(lambda: _refusals(broker, 2), 20, "a second attempt")
        await ward.line_in_log(edge, r"broker refuses client 'h-0046'")
        assert edge.running
        await edge.stop()
    finally:
        broker.kill()


async def _refusals(broker: Mosquitto, count: int) -> bool:
    return broker.log.count("not authorised") >= count
