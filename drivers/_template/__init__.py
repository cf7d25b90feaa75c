"""A driver to copy: a call box on a serial line that sends ``PRESS 3`` and a line feed.

Copy this folder to ``drivers/<device>/`` (a leading underscore keeps a folder out of the hub), then:

1. describe the device in ``MANIFEST``;
2. put byte layouts into a ``codec.py`` and codes into a table: a new value should be one row;
3. keep frames with what they mean in ``tests/vectors/<device>/*.json``;
4. write ``docs/devices/<device>.md``: how it is connected, what it reports, what can go wrong.

``tests/contract/test_every_driver.py`` then finds the folder by itself and says what is missing.
"""

from drivers.base import NOTHING, Answer, Device, Heard, LinkType, Manifest, Setup
from drivers.registry import only_device
from hub.domain.clock import Now
from hub.domain.codes import Kind
from hub.domain.observation import Observation

__all__ = ["MANIFEST", "open_driver"]

MANIFEST = Manifest(
    name="_template",  # the folder's name
    title="Call box with a serial line",
    links=("serial",),  # "advert", "serial", "gatt"
    address="",  # a regular expression; empty where the line has one device
    supervision_s=3600,  # longest silence of a healthy device, at most 24 h where an alarm depends on it
    baud=9600,
)

# What is longer than any frame is noise; without a ceiling, noise would fill the memory.
MAX_LINE_BYTES = 64


class TemplateDriver:
    """Reads one call box. Pure: bytes and the time come in, observations go out, nothing raises."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._buffer = b""

    def opened(self, now: Now) -> Answer:  # noqa: ARG002 - part of the protocol
        """Forget what was half received; there is nothing to send."""
        self._buffer = b""
        return NOTHING

    def received(self, data: bytes, now: Now) -> Answer:
        """Take bytes, cut anywhere: only whole lines are read."""
        *lines, rest = (self._buffer + data).split(b"\n")
        self._buffer = rest[-MAX_LINE_BYTES:]
        heard: list[Heard] = []
        bad: list[str] = []
        for line in lines:
            word, _, number = line.partition(b" ")
            if word == b"PRESS" and number.isdigit():
                # An alarm says what, the hub adds who and where. `raw` is what a technician looks at.
                value = {"button": int(number[:4])}
                seen = Observation(kind=Kind.ALARM_PRESSED, time=now.utc, value=value, raw=line.hex())
                heard.append(Heard(self._device.id, seen))
            else:
                bad.append(f"{self._device.id}: byte 0: not a press: {line[:MAX_LINE_BYTES].hex()}")
        return Answer(observations=tuple(heard), bad=tuple(bad))

    def tick(self, now: Now) -> Answer:  # noqa: ARG002 - part of the protocol
        """Nothing here depends on time passing."""
        return NOTHING


def open_driver(link: LinkType, setup: Setup) -> TemplateDriver:
    """Open the driver.

    Raises:
        MalformedError: The link or the device does not fit; the sentence names the field.
    """
    return TemplateDriver(only_device(MANIFEST, link, setup))
