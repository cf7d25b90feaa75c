import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.errors import MalformedError
from hub.wire import receipt, topics
from hub.wire.topics import Channel


@given(st.lists(st.integers(1, 60), max_size=40))
def test_ranges_say_exactly_what_was_stored(seqs: list[int]) -> None:
    item = receipt.decode(receipt.encode(receipt.receipt("aa", seqs)))
    told = [seq for first, last in item.stored for seq in range(first, last + 1)]
    assert told == sorted(set(seqs))
    assert all(b[0] > a[1] + 1 for a, b in zip(item.stored, item.stored[1:], strict=False))


@pytest.mark.parametrize(
    "payload",
    [b"", b"{}", b'{"epoch":"a","stored":[[5,4]]}', b'{"epoch":"a","stored":[[0,4]]}', b'{"epoch":1,"stored":[]}'],
)
def test_a_doubtful_receipt_is_refused(payload: bytes) -> None:
    with pytest.raises(MalformedError, match="receipt"):
        receipt.decode(payload)


@pytest.mark.parametrize("channel", list(Channel))
def test_topics_are_read_as_written(channel: Channel) -> None:
    assert topics.parse(topics.topic("h-1", channel)) == ("h-1", channel)


@pytest.mark.parametrize(
    "text", ["", "wt/1", "wt/2/h-1/up/alarm", "wt/1/H/up/alarm", "wt/1/h-1/up", "wt/1/h-1/up/alarm/x"]
)
def test_an_unknown_topic_is_named(text: str) -> None:
    with pytest.raises(MalformedError):
        topics.parse(text)
