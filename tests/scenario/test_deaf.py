"""A centre that begins while its broker is away tells somebody, and tells when it hears again."""

from pathlib import Path

import pytest

from tests.scenario import layout
from tests.scenario.chain import Chain
from tests.scenario.layout import HUB, TECHNICIAN

SILENT_S = 6
WITHIN_S = 40.0


@pytest.mark.slow
async def test_a_centre_that_begins_without_its_broker_says_that_nothing_is_heard(tmp_path: Path) -> None:
    devices = [layout.pendant("pendant-1", 1, "r-1")]
    site = layout.site({HUB: [layout.stick()]}, devices, hub_silent_s=SILENT_S, alive_s=1)
    async with Chain(tmp_path, home=layout.home(devices), site=site, phones=layout.PHONES) as chain:
        await chain.centre.kill()
        await chain.broker.kill()
        await chain.centre.start()
        story = await chain.story("centre.deaf", WITHIN_S)
        text = await chain.text_about(story["incident"]["id"])
        assert text["to"] == TECHNICIAN
        await chain.broker.start()
        await chain.story("centre.deaf", WITHIN_S, "closed")
