"""The edge's settings: one TOML file on the box. Devices are not in it; they come from the centre."""

import re
from pathlib import Path

import msgspec

from hub.document import read_file
from hub.domain.errors import MalformedError
from hub.domain.ids import checked_name
from hub.edge.journal import Limits
from hub.wire.logs import Log

_BACKEND = re.compile(r"bluez|none|bumble:.+")
_PORTS = range(1, 65536)


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file; a key that is misspelt is refused."""


class MqttTable(_Table, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[mqtt]``: where the broker is, and as whom.

    Attributes:
        host: Name or address.
        port: 8883 with TLS, 1883 without.
        username: Where the broker asks for one.
        password: With it.
        tls_ca: File of the authority that signed the broker; its presence switches TLS on.
        tls_cert: Our certificate.
        tls_key: Its key.
        keepalive_s: Seconds after which a silent connection is asked whether it lives.
    """

    host: str = "127.0.0.1"
    port: int = 1883
    username: str | None = None
    password: str | None = None
    tls_ca: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    keepalive_s: int = 10


class HomeBrokerTable(_Table, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[home_broker]``: the MQTT broker in the home itself, on which gateways publish.

    Attributes:
        host: Name or address.
        port: TCP port.
        username: Where the broker asks for one.
        password: With it.
    """

    host: str = "127.0.0.1"
    port: int = 1883
    username: str | None = None
    password: str | None = None


class BleTable(_Table, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[ble]``: where the radio is.

    Attributes:
        backend: ``bluez``, ``bumble:<transport>``, or ``none``.
    """

    backend: str = "bluez"


class Settings(_Table, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of the file.

    Attributes:
        hub_id: Which hub this is.
        data_dir: Where the journal lives: a real disk, not a RAM disk.
        mqtt: The broker.
        home_broker: Where gateways publish.
        ble: The radio.
        journal: How much the journal may hold.
        log: How the log is written.
    """

    hub_id: str
    data_dir: str
    mqtt: MqttTable = MqttTable()
    home_broker: HomeBrokerTable = HomeBrokerTable()
    ble: BleTable = BleTable()
    journal: Limits = Limits()
    log: Log = Log()


def load(path: Path) -> Settings:
    """Read a settings file.

    Raises:
        MalformedError: It cannot be read or used; the sentence names table and key, and what to do.
    """
    settings = read_file(path, Settings)
    try:
        _check(settings)
    except MalformedError as error:
        raise MalformedError(f"{path}: {error}") from error
    return settings


def _check(settings: Settings) -> None:
    checked_name(settings.hub_id, "hub_id")
    if not Path(settings.data_dir).is_absolute():
        raise MalformedError(f"data_dir {settings.data_dir!r}: write the whole path, from /")
    if settings.mqtt.port not in _PORTS:
        raise MalformedError(f"[mqtt] port {settings.mqtt.port}: use 1 to 65535")
    if settings.home_broker.port not in _PORTS:
        raise MalformedError(f"[home_broker] port {settings.home_broker.port}: use 1 to 65535")
    if settings.mqtt.keepalive_s < 1:
        raise MalformedError(f"[mqtt] keepalive_s {settings.mqtt.keepalive_s}: use 1 or more, best 10")
    if (settings.mqtt.tls_cert is None) != (settings.mqtt.tls_key is None):
        raise MalformedError("[mqtt] tls_cert and tls_key: give both or neither")
    if not _BACKEND.fullmatch(settings.ble.backend):
        raise MalformedError(
            f"[ble] backend {settings.ble.backend!r}: use bluez, none, or bumble:<transport> such as bumble:usb:0"
        )
    if settings.journal.max_readings < 1:
        raise MalformedError("[journal] max_readings: use 1 or more")
    if settings.journal.reserve_bytes < 0:
        raise MalformedError("[journal] reserve_bytes: use 0 or more, best 1048576")
