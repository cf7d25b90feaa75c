"""``hub-sim broker``: an MQTT 5 broker that pip brings (iotcore, which is rumqttd).

Where it differs from Mosquitto, measured with iotcore 0.4.0 and Mosquitto 2.0.11:

- a session outlives its connection only when *that* connection said ``clean_start=False``; a client
  that first cleans and asks for a session expiry loses its queue at the first cut;
- such sessions then never expire, whatever the session expiry interval says, and live in memory;
- messages sent again carry no DUP flag and new packet ids, counted from 1;
- a retained message is not sent again to a resumed session that subscribes once more;
- PUBACK never says "no matching subscribers"; the client's receive maximum is ignored (up to 100 in
  flight), so is noLocal; CONNACK names no limits; there is no per-client queue limit of 1000;
- a payload over the limit ends the connection without a reason;
- MQTT 3.1.1 clients get no answer.

Alike: QoS 1 and 2, retained messages and their clearing, last will (also on silence), message expiry with
the rest of the time, properties, shared subscriptions, take-over of a session, unsent and unacknowledged
messages sent again in order.
"""

import argparse
import asyncio
import socket
import sys
import tempfile
from pathlib import Path

from iotcore import IotCoreBroker

from firmware_sim.process import free_port, port_number, say_ready, until_stopped

_CONFIG = """\
id = 0

[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10

[v5.1]
name = "v5"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = 2097152
max_inflight_count = 100
dynamic_filters = true
"""
_READY_WITHIN_S = 10.0


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``broker`` to the commands."""
    parser = commands.add_parser(
        "broker",
        help="an MQTT 5 broker for demos",
        description="Run an MQTT 5 broker on 127.0.0.1 until Ctrl-C. It keeps everything in memory. When it "
        'listens it prints {"ready": true, "port": …}.',
    )
    parser.add_argument("--port", type=port_number, default=0, help="TCP port (0: any free)")
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> int:
    try:
        asyncio.run(_live(given.port or free_port()))
    except (OSError, TimeoutError) as error:
        print(f"hub-sim broker: {error}", file=sys.stderr)  # noqa: T201 -- a command's answer
        return 1
    return 0


async def _live(port: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "broker.toml"
        config.write_text(_CONFIG.format(port=port))
        broker = IotCoreBroker(config_path=str(config))
        broker.check_ports()
        broker.start()
    await asyncio.wait_for(_until_listening(port), _READY_WITHIN_S)
    say_ready(port=port)
    await until_stopped()


async def _until_listening(port: int) -> None:
    loop = asyncio.get_running_loop()
    while True:
        with socket.socket() as probe:
            probe.setblocking(False)  # noqa: FBT003 -- its only form
            try:
                await loop.sock_connect(probe, ("127.0.0.1", port))
            except ConnectionError:
                await asyncio.sleep(0.02)
            else:
                return
