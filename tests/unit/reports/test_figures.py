"""Figures add up over any grouping, and agree with a slow model."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.central.incidents.lifecycle import Cause, Outcome
from hub.central.reports.figures import GROUPS, LEGS, NONE, By, Figures, Sums, figures_of, percentile
from hub.central.reports.followup import BREACHES, EPOCH, Breach, FollowUp, Taking

SECONDS = st.none() | st.floats(0, 1e6, allow_nan=False)
NAMES = st.none() | st.sampled_from(["a", "b", "c"])
PASSED = st.lists(st.sampled_from(BREACHES), unique=True)
TAKINGS = st.lists(st.sampled_from(["expire", "pass_on", "closed", None]), max_size=3)
INCIDENTS = st.lists(
    st.builds(
        FollowUp,
        number=st.integers(1, 9),
        incident_class=st.sampled_from(["care", "technical"]),
        kind=st.sampled_from(["alarm.pressed", "dose.not_dispensed"]),
        severity=st.sampled_from([0, 40]),
        zone=st.sampled_from(["nord-1", "sor"]),
        resident=NAMES,
        device=NAMES,
        raised_at=st.just(EPOCH),
        **{f"{leg}_s": SECONDS for leg in LEGS},
        takings=TAKINGS.map(lambda ends: tuple(Taking("sms:a", 1.0, 2.0, end) for end in ends)),
        closed_by=st.none(),
        outcome=st.none() | st.sampled_from([*map(str, Outcome)]),
        cause=st.none() | st.sampled_from([*map(str, Cause)]),
        presses=st.just(1),
        repeats=st.integers(0, 3),
        limits_s=st.sampled_from([{}, {"close": 1}]),
        breaches=PASSED.map(lambda names: tuple(Breach(name, 1, 1.0, False) for name in names)),
        shift=st.sampled_from(["", "night", "day"]),
    ),
    max_size=30,
)


def test_every_way_to_group_is_known() -> None:
    assert set(GROUPS) == set(get_args(By))


@given(incidents=INCIDENTS, by=st.sampled_from(get_args(By)))
def test_the_groups_add_up_to_the_total(incidents: list[FollowUp], by: By) -> None:
    sums = Sums(by)
    for one in incidents:
        sums.add(one)
    total, groups = sums.total(), sums.groups().values()
    assert total == figures_of(incidents)
    assert total.within + total.late + total.unlimited == total.raised
    assert total.raised == len(incidents) == sum(group.raised for group in groups)
    for name in ("undelivered", "false_alarms", "silent", "within", "late", "unlimited", "led_nowhere", "repeats"):
        assert getattr(total, name) == sum(getattr(group, name) for group in groups)
    for leg in LEGS:
        assert total.legs[leg].count == sum(group.legs[leg].count for group in groups)
    for name in ("breaches", "outcomes", "causes"):
        for code, count in getattr(total, name).items():
            assert count == sum(getattr(group, name).get(code, 0) for group in groups)
    assert all(group.raised for group in groups)
    assert total.led_nowhere == sum(any(one.end == "expire" for one in taken.takings) for taken in incidents)


@given(incidents=INCIDENTS, by=st.sampled_from(get_args(By)))
def test_a_group_has_the_figures_of_its_incidents_alone(incidents: list[FollowUp], by: By) -> None:
    sums = Sums(by)
    for one in incidents:
        sums.add(one)
    for name, figures in sums.groups().items():
        assert figures == figures_of(one for one in incidents if (GROUPS[by](one) or NONE) == name)


def slow_percentile(values: list[float], share: float) -> float | None:
    """The definition itself: the smallest value that at least this share of all does not exceed."""
    fit = [value for value in values if sum(other <= value for other in values) >= share * len(values)]
    return min(fit) if fit else None


@given(values=st.lists(st.integers(0, 50).map(float), max_size=60), share=st.sampled_from([0.5, 0.95, 1.0]))
def test_a_percentile_is_the_nearest_rank(values: list[float], share: float) -> None:
    assert percentile(sorted(values), share) == slow_percentile(values, share)


@pytest.mark.parametrize(
    ("count", "median", "p95"), [(1, 1, 1), (2, 1, 2), (20, 10, 19), (21, 11, 20), (100, 50, 95)]
)
def test_the_rank_of_known_numbers(count: int, median: int, p95: int) -> None:
    values = [float(number) for number in range(1, count + 1)]
    assert (percentile(values, 0.5), percentile(values, 0.95)) == (median, p95)


def test_nothing_has_figures_too() -> None:
    empty: Figures = figures_of([])
    assert (empty.raised, empty.late, empty.legs["closed"].median_s) == (0, 0, None)
