"""What is told of the chain itself goes by another provider than the first."""

import pytest

from hub.central.notify.order import Way, following, turned
from hub.central.watch.kinds import BY_ANOTHER
from hub.domain.clock import UTC
from hub.domain.codes import Kind
from tests.fakes.clock import EVENING

WAYS = (Way("first"), Way("second"), Way("third"))


@pytest.mark.parametrize("kind", sorted(BY_ANOTHER))
def test_the_first_provider_comes_last(kind: Kind) -> None:
    step = following(turned(WAYS, kind), (), EVENING.astimezone(UTC))
    assert getattr(step, "provider", None) == "second"
    assert {way.provider for way in turned(WAYS, kind)} == {"first", "second", "third"}


@pytest.mark.parametrize("kind", [Kind.ALARM_PRESSED, Kind.HUB_LOST, None])
def test_all_else_keeps_the_order(kind: Kind | None) -> None:
    assert turned(WAYS, kind) == WAYS


def test_where_there_is_one_only_it_is_that_one() -> None:
    assert turned(WAYS[:1], Kind.CENTRE_STUCK) == WAYS[:1]
    assert turned((), Kind.CENTRE_STUCK) == ()
