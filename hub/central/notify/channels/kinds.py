"""The kinds of provider there are: what the settings say of each, and what makes it."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Union

from hub.central.notify.channels import elks
from hub.central.notify.channels.base import Account, Provider

# A new provider is one line here; the tag of its settings is the ``kind`` in ``[[providers]]``.
KINDS: Mapping[type[Account], Callable[[Any], Provider]] = {
    elks.Settings: elks.Elks,
}

if TYPE_CHECKING:
    AnyAccount = Account
else:
    AnyAccount = Union[tuple(KINDS)]  # noqa: UP007 - msgspec reads the union of what the table holds


def make(account: Account) -> Provider:
    """Make the provider that an entry of the settings describes."""
    return KINDS[type(account)](account)
