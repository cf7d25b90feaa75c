"""Killed at every step between claim and note, on every channel: at least one accepted send, nothing stuck.

A kill is an exception that nobody catches, raised in the process at the step; what is left is the store. Another
centre takes over from that alone.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hub.central import clockwork
from hub.central.centre import Centre, Tx
from hub.central.escalation.plan import Position, Target
from hub.central.notify import outbox
from hub.central.notify.channels.base import Accepted, Outgoing
from hub.central.notify.pipeline import Sender
from hub.central.notify.ways import Ways
from hub.central.store.tables import attempts, messages
from hub.domain.errors import TransientError
from tests.fakes.ward import HandClock, ObedientProvider, carry_out, open_centre, raised

CHANNELS = ("sms", "voice", "push", "email", "fyi")


class KilledError(BaseException):
    """The process is gone: no handler of ours sees it."""


class Post(ObedientProvider):
    """A provider that may be at the other end of a process that dies, before or after it accepted."""

    def __init__(self, name: str, channel: str) -> None:
        super().__init__(name, channel)
        self.accepted = 0
        self.dies: str | None = None

    async def send(self, outgoing: Outgoing) -> Accepted:
        if self.dies == "before":
            raise KilledError
        accepted = await super().send(outgoing)
        self.accepted += 1
        if self.dies == "after":
            raise KilledError
        return accepted


def before_the_claim_is_read(patch: pytest.MonkeyPatch, centre: Centre, _posts: list[Post]) -> None:
    patch.setattr(centre.store, "read", killed)


def before_the_provider_has_it(_patch: pytest.MonkeyPatch, _centre: Centre, posts: list[Post]) -> None:
    posts[0].dies = "before"


def after_the_provider_has_it(_patch: pytest.MonkeyPatch, _centre: Centre, posts: list[Post]) -> None:
    posts[0].dies = "after"


def before_the_note(patch: pytest.MonkeyPatch, centre: Centre, _posts: list[Post]) -> None:
    patch.setattr(centre, "transact", killed)


def within_the_note(patch: pytest.MonkeyPatch, centre: Centre, _posts: list[Post]) -> None:
    """The power goes when all is written and nothing is committed."""
    real = centre.store.write_now

    def write(work: Callable[[sa.Connection], Any]) -> Any:
        def torn(connection: sa.Connection) -> None:
            work(connection)
            raise KilledError

        return real(torn)

    patch.setattr(centre.store, "write_now", write)


def after_the_note(patch: pytest.MonkeyPatch, centre: Centre, _posts: list[Post]) -> None:
    real = centre.transact

    async def note(work: Callable[[Tx], Any], *, urgent: bool = False) -> Any:
        await real(work, urgent=urgent)
        raise KilledError

    patch.setattr(centre, "transact", note)


def before_a_failure_is_noted(patch: pytest.MonkeyPatch, centre: Centre, posts: list[Post]) -> None:
    posts[0].errors = [TransientError("down")]
    patch.setattr(centre, "transact", killed)


def after_a_failure_is_noted(patch: pytest.MonkeyPatch, centre: Centre, posts: list[Post]) -> None:
    posts[0].errors = [TransientError("down")]
    after_the_note(patch, centre, posts)


def before_the_next_has_it(_patch: pytest.MonkeyPatch, _centre: Centre, posts: list[Post]) -> None:
    posts[0].errors = [TransientError("down")]
    posts[1].dies = "before"


def after_the_next_has_it(_patch: pytest.MonkeyPatch, _centre: Centre, posts: list[Post]) -> None:
    posts[0].errors = [TransientError("down")]
    posts[1].dies = "after"


STEPS = (
    before_the_claim_is_read,
    before_the_provider_has_it,
    after_the_provider_has_it,
    before_the_note,
    within_the_note,
    after_the_note,
    before_a_failure_is_noted,
    after_a_failure_is_noted,
    before_the_next_has_it,
    after_the_next_has_it,
)


def killed(*_: object, **__: object) -> None:
    raise KilledError


async def queued(centre: Centre, channel: str) -> int:
    """A message on a channel, as a step of a plan writes it, about an incident of its own."""
    number = await raised(centre, f"r-{channel}")
    phone = centre.site.phones["p-duty"]

    def write(tx: Tx) -> int:
        outbox.cancel(tx, number, "the test writes its own")
        return outbox.queue(tx, number, Target("nord-1", "duty", phone, channel), "47", Position(0, 0))

    return await centre.transact(write)


def sender_of(centre: Centre, posts: Sequence[Post]) -> Sender:
    return Sender(centre, Ways(posts), lambda provider: f"http://127.0.0.1/hooks/{provider}/secret")


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
async def test_killed(
    tmp_path: Path,
    clock: HandClock,
    monkeypatch: pytest.MonkeyPatch,
    step: Callable[[pytest.MonkeyPatch, Centre, list[Post]], None],
) -> None:
    centre = open_centre(tmp_path, clock)
    posts = {channel: [Post(f"{channel}-{n}", channel) for n in (1, 2)] for channel in CHANNELS}
    ids = {channel: await queued(centre, channel) for channel in CHANNELS}
    alive = [post for both in posts.values() for post in both]
    sender = sender_of(centre, alive)
    for channel in CHANNELS:
        with monkeypatch.context() as patch:
            step(patch, centre, posts[channel])
            with pytest.raises(KilledError):
                await sender.send(ids[channel])
    centre.store.close()

    for post in alive:
        post.dies = None
    clock.move(clockwork.LEASE.total_seconds() + 1)
    centre = open_centre(tmp_path, clock)
    centre.owner = "centre-2"
    await carry_out(centre, sender_of(centre, alive))
    made = await centre.store.read(
        lambda c: c.execute(
            sa.select(messages.c.id, messages.c.state, attempts.c.state.label("attempt"))
            .join(attempts)
            .where(messages.c.id.in_(ids.values()))
        ).all()
    )
    for channel in CHANNELS:
        assert sum(post.accepted for post in posts[channel]) >= 1
        of_this = [row for row in made if row.id == ids[channel]]
        assert {row.state for row in of_this} == {"sent"}
        assert "queued" not in {row.attempt for row in of_this}
    centre.store.close()
