"""The simulated phone with OwnTracks and its driver, over a real broker."""

from pathlib import Path

from hub.domain.codes import Kind
from tests.fakes.gateway import ear, home_of
from tests.fakes.mosquitto import Mosquitto

_PHONE = {"name": "phone", "kind": "owntracks.phone", "address": "u-1001/phone"}


async def test_what_the_phone_says_is_what_is_heard(tmp_path: Path, broker: Mosquitto) -> None:
    async with (
        ear("owntracks", "owntracks", broker.port, {"d-phone": "u-1001/phone"}) as heard,
        home_of(tmp_path, broker.port, _PHONE) as home,
    ):
        for action in ("ping", "twice", "leave", "inaccurate", "late", "no_fix", "garbage", "encrypted"):
            await home.do("phone", action, {})
        await home.do("phone", "battery", {"percent": 7})
        await heard.until(lambda: Kind.BATTERY_LOW in heard.kinds())
        fixes = [one.observation for one in heard.heard if one.observation.kind is Kind.LOCATION_FIX]
        assert [fix.flags for fix in fixes[:5]] == [
            (),
            (),
            ("inaccurate",),
            ("late",),
            ("no_fix", "last_known"),
        ]
        crossing = fixes[1].value
        assert isinstance(crossing, dict)
        assert (crossing["event"], crossing["region"]) == ("leave", "1425042603")
        assert "Home" not in bytes.fromhex(fixes[0].raw + fixes[1].raw).decode()
        assert len(heard.bad) == 2
        await home.do("phone", "crash", {})
        await heard.until(lambda: Kind.DEVICE_FAULT in heard.kinds())


async def test_where_it_was_is_told_to_who_comes_later(tmp_path: Path, broker: Mosquitto) -> None:
    async with home_of(tmp_path, broker.port, _PHONE) as home:
        async with ear("owntracks", "owntracks", broker.port, {"d-phone": "u-1001/phone"}) as first:
            await home.do("phone", "ping", {})
            await first.until(lambda: bool(first.heard))
        async with ear("owntracks", "owntracks", broker.port, {"d-phone": "u-1001/phone"}) as second:
            await second.until(lambda: bool(second.heard))
            assert second.heard[0].observation.flags == ("retained",)
