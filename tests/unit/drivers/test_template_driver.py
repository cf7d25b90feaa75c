"""The driver to copy must itself do what it teaches."""

import datetime as dt

from drivers import _template
from drivers.base import Device, Package, Setup
from drivers.registry import packages
from hub.domain.clock import UTC, Now

NOW = Now(dt.datetime(2026, 11, 21, tzinfo=UTC), 1.0)


def test_it_is_a_driver_that_the_hub_does_not_offer() -> None:
    assert isinstance(_template, Package)
    assert "_template" not in packages()


def test_presses_are_heard_however_the_line_is_cut() -> None:
    driver = _template.open_driver("serial", Setup(devices=(Device(id="d-1"),)))
    driver.opened(NOW)
    answers = [driver.received(bytes([byte]), NOW) for byte in b"PRESS 3\nnoise\xff\nPRESS 4\n"]
    heard = [each.observation.value for answer in answers for each in answer.observations]
    assert heard == [{"button": 3}, {"button": 4}]
    assert len([line for answer in answers for line in answer.bad]) == 1
    assert driver.tick(NOW).observations == ()
