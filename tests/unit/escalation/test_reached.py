"""Whom a whole round of a plan reaches, were it one moment all the time."""

import datetime as dt

from hub.central.escalation.plan import reached
from hub.central.site.directory import Directory
from hub.central.site.load import load
from hub.domain.clock import UTC
from hub.domain.codes import Severity
from tests.fakes.site import DUTY, LEADER, NEIGHBOUR, SITE, TECHNICIAN

NOON = dt.datetime(2026, 11, 24, 11, tzinfo=UTC)
NIGHT = dt.datetime(2026, 11, 24, 23, tzinfo=UTC)
DESK = '[[phones]]\nid = "desk"\nnumber = "+4700000033"\nkind = "landline"\nemail = "desk@nord.example"\n'
STEP = '{ roles = ["duty"], wait_s = 180 }'
CRITICAL = Severity.CRITICAL


def directory(old: str = "", new: str = "") -> Directory:
    assert old in SITE
    return Directory(load(SITE.replace(old, new, 1) + DESK), 1)


def with_desk(step: str) -> Directory:
    text = SITE.replace('phone = "nord-1-duty"\n', 'phones = ["desk", "nord-1-duty"]\n', 1).replace(STEP, step, 1)
    return Directory(load(text + DESK), 1)


def test_every_step_and_the_last_resort_are_reached() -> None:
    assert reached(directory(), "nord-1", "care", CRITICAL, NOON) == {DUTY, NEIGHBOUR, LEADER}
    assert reached(directory(), "nord-2", "care", CRITICAL, NOON) == {NEIGHBOUR, LEADER}
    assert reached(directory(), "nord-1", "technical", CRITICAL, NOON) == {TECHNICIAN, LEADER}


def test_a_step_reaches_nobody_outside_its_hours() -> None:
    by_night = directory("wait_s = 120", 'hours = "22:00-07:00"')
    assert reached(by_night, "nord-1", "care", CRITICAL, NOON) == {DUTY, LEADER}
    assert reached(by_night, "nord-1", "care", CRITICAL, NIGHT) == {DUTY, NEIGHBOUR, LEADER}


def test_a_plan_that_waits_for_its_hours_reaches_nobody() -> None:
    resting = directory('class = "technical"\n', 'class = "technical"\nhours = "07:00-22:00"\n')
    assert reached(resting, "nord-1", "technical", Severity.MODERATE, NOON) == {TECHNICIAN, LEADER}
    assert reached(resting, "nord-1", "technical", Severity.MODERATE, NIGHT) == frozenset()
    assert reached(resting, "nord-1", "technical", Severity.SERIOUS, NIGHT) == {TECHNICIAN, LEADER}


def test_each_of_several_phones_is_reached_if_the_step_can() -> None:
    every = {DUTY, NEIGHBOUR, LEADER}
    assert reached(with_desk(STEP), "nord-1", "care", CRITICAL, NOON) == every
    calling = STEP.replace("wait_s = 180", 'channels = ["voice"], order = "one-by-one"')
    assert reached(with_desk(calling), "nord-1", "care", CRITICAL, NOON) == {"+4700000033", *every}


def test_a_mail_alone_reaches_nobody_for_certain() -> None:
    mailed = STEP.replace("wait_s = 180", 'channels = ["sms", "email"]')
    assert reached(with_desk(mailed), "nord-1", "care", CRITICAL, NOON) == {DUTY, NEIGHBOUR, LEADER}


def test_the_plan_of_the_zone_goes_before_that_of_all() -> None:
    care = '[[plans]]\nclass = "care"\n'
    own = care + 'zone = "nord-1"\nsteps = [{ roles = ["technician"] }]\n'
    here = directory(care, own + care)
    assert reached(here, "nord-1", "care", CRITICAL, NOON) == {TECHNICIAN, LEADER}
    assert reached(here, "nord-2", "care", CRITICAL, NOON) == {NEIGHBOUR, LEADER}
