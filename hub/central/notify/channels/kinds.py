"""The kinds of provider there are: what the settings say of each, and what makes it."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Union

import msgspec

from hub.central.notify.channels import (
    elks,
    elks_voice,
    email_smtp,
    fyi_apprise,
    link,
    modem,
    sveve,
    twilio,
    twilio_voice,
    webpush,
)
from hub.central.notify.channels.base import Provider

# A new provider is one line here: the settings that its entry in ``[[providers]]`` has, whose tag is its ``kind``,
# and what makes the provider of them and of the address of its hooks.
KINDS: Mapping[type[msgspec.Struct], Callable[[Any, str], Provider]] = {
    elks.Settings: elks.make,
    elks_voice.Settings: elks_voice.make,
    sveve.Settings: sveve.make,
    email_smtp.Settings: email_smtp.make,
    fyi_apprise.Settings: fyi_apprise.make,
    link.Settings: link.make,
    modem.Settings: modem.make,
    twilio.Settings: twilio.make,
    twilio_voice.Settings: twilio_voice.make,
    webpush.Settings: webpush.make,
}

if TYPE_CHECKING:
    Account = msgspec.Struct
else:
    Account = Union[tuple(KINDS)]  # noqa: UP007 - the union of what the table holds


def kind_of(account: Account) -> str:
    """Return the kind of an entry; it is the provider's name, too."""
    return str(account.__struct_config__.tag)


def make(account: Account, hooks: str) -> Provider:
    """Make a provider.

    Args:
        account: Its entry in the settings.
        hooks: The address of its hooks as it sees them, without a slash at the end.
    """
    return KINDS[type(account)](account, hooks)
