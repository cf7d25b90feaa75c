"""The link over TLS, with a certificate on either side."""

import asyncio
import datetime as dt
import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hub.wire.mqtt import Incoming, MqttLink, MqttSettings
from tests.fakes.mosquitto import Mosquitto

# Long before and after any day on which this runs.
NOT_BEFORE, NOT_AFTER = dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.datetime(2049, 1, 1, tzinfo=dt.UTC)


class Authority:
    """Signs certificates, and writes them and their keys beside its own."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        self.file = str(directory / "ca.pem")
        builder = self._builder(self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), True
        )
        self._write("ca.pem", builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str) -> tuple[str, str]:
        """Return the files of a new certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._builder(subject, key).add_extension(here, False).sign(self._key, hashes.SHA256())
        self._write(f"{name}.pem", certificate.public_bytes(serialization.Encoding.PEM))
        plain = serialization.NoEncryption()
        form = serialization.PrivateFormat.PKCS8
        self._write(f"{name}.key", key.private_bytes(serialization.Encoding.PEM, form, plain))
        return str(self._directory / f"{name}.pem"), str(self._directory / f"{name}.key")

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOT_BEFORE)
            .not_valid_after(NOT_AFTER)
        )

    def _write(self, name: str, content: bytes) -> None:
        (self._directory / name).write_bytes(content)


async def test_tls_with_certificates_on_both_sides(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    server_cert, server_key = ours.issue("broker")
    lines = [f"cafile {ours.file}", f"certfile {server_cert}", f"keyfile {server_key}", "require_certificate true"]
    mosquitto = Mosquitto(tmp_path / "broker", extra="\n".join(lines))
    await mosquitto.start()
    heard: asyncio.Queue[Incoming] = asyncio.Queue()
    up = asyncio.Event()

    def link(name: str, trusted: Authority, issuer: Authority) -> MqttLink:
        cert, key = issuer.issue(name)
        settings = MqttSettings(
            port=mosquitto.port, client_id=name, tls_ca=trusted.file, tls_cert=cert, tls_key=key
        )
        return MqttLink(
            settings, subscriptions=[("a", 1)], on_message=heard.put_nowait, on_connect=lambda _: up.set()
        )

    deceived = link("deceived", theirs, ours)
    stranger = link("stranger", ours, theirs)
    good = link("good", ours, ours)
    tasks = [asyncio.create_task(each.run()) for each in (deceived, stranger, good)]
    async with asyncio.timeout(10):
        await up.wait()
        # Many small messages in few TLS records: what is decrypted already must not wait for the next record.
        await asyncio.gather(*(good.publish("a", b"%d" % number) for number in range(300)))
        assert [int((await heard.get()).payload) for _ in range(100)] == list(range(100))
        await good.publish("b", b"x" * 300_000)
    assert good.generation == 1
    assert not deceived.connected
    assert not stranger.connected
    assert "certificate verify failed" in caplog.text
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    mosquitto.kill()
