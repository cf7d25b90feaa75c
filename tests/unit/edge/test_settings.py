"""The settings file: every error names table and key, and says what to do."""

from pathlib import Path

import pytest

from hub.domain.errors import MalformedError
from hub.edge.settings import load

_GOOD = """
hub_id = "h-0042"
data_dir = "/var/lib/hub"
[mqtt]
host = "broker.example"
port = 8883
tls_ca = "/etc/hub/ca.pem"
[ble]
backend = "bumble:usb:0"
[journal]
max_readings = 1000
"""


def test_a_good_file(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(_GOOD)
    settings = load(path)
    assert (settings.hub_id, settings.mqtt.port, settings.ble.backend) == ("h-0042", 8883, "bumble:usb:0")
    assert settings.journal.reserve_bytes == 1 << 20


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('hub_id = "h-0042"', "", 'key "hub_id": is missing; write it'),
        ('hub_id = "h-0042"', 'hub_id = "H 42"', "hub_id 'H 42': use 1 to 48 small letters"),
        ("port = 8883", "prot = 8883", '[mqtt], key "prot": unknown key; did you mean "port"?'),
        ("port = 8883", 'port = "8883"', "[mqtt], key \"port\": '8883' is text in quotes; write a whole number"),
        ("port = 8883", "port = 99999", "[mqtt] port 99999: use 1 to 65535"),
        ("[ble]", "[blue]", '[blue]: unknown key; did you mean "ble"?'),
        ("bumble:usb:0", "windows", "[ble] backend 'windows': use bluez, none, or bumble:"),
        ('"/var/lib/hub"', '"data"', "data_dir 'data': write the whole path"),
        ("tls_ca", 'tls_key = "k"\ntls_ca', "[mqtt] tls_cert and tls_key: give both or neither"),
        ("max_readings = 1000", "max_readings = 0", "[journal] max_readings: use 1 or more"),
        ("max_readings = 1000", "size = 1", '[journal], key "size": unknown key; there are max_readings'),
        ("[ble]", "[ble", "no TOML"),
    ],
)
def test_a_bad_file(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(_GOOD.replace(old, new))
    with pytest.raises(MalformedError) as caught:
        load(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(MalformedError, match="make the file"):
        load(tmp_path / "none.toml")
