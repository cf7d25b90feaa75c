"""What passes over an MQTT link, and what a link must be told."""

from typing import NamedTuple

import msgspec


class Incoming(NamedTuple):
    """One message from the broker. Acknowledge this very object: its packet id alone would be ambiguous.

    Attributes:
        topic: Where it was published.
        payload: The bytes as they came.
        retain: The broker had kept it; it is not news.
        mid: Packet id, used again and again by the broker.
        qos: 0 or 1.
        generation: The connection it came by.
    """

    topic: str
    payload: bytes
    retain: bool
    mid: int
    qos: int
    generation: int


class Will(NamedTuple):
    """What the broker publishes when this client is gone."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = True


class MqttSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach the broker.

    Attributes:
        host: Name or address.
        port: TCP port; with ``tls_ca`` usually 8883.
        client_id: Must be unique at the broker: a second client with it takes the connection over.
        username: Name to log in with, or ``None``.
        password: Its password.
        tls_ca: File with the authority's certificate; ``None`` speaks without TLS.
        tls_cert: Own certificate, where the broker asks for one.
        tls_key: Its key.
        keepalive_s: A ping is due after this silence; at 10 s a half-open link is noticed within 20 s.
        session_expiry_s: How long the broker keeps subscriptions and messages; 0 keeps nothing.
        receive_maximum: Messages that may wait for their acknowledgement; more stay at the broker.
    """

    host: str = "127.0.0.1"
    port: int = 1883
    client_id: str
    username: str | None = None
    password: str | None = None
    tls_ca: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    keepalive_s: int = 10
    session_expiry_s: int = 0
    receive_maximum: int = 100
