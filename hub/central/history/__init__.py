"""The long history of a resident's observations: read from SQL, or from InfluxDB which an outbox feeds."""

from hub.central.history.base import History, HistoryRow
from hub.central.history.influx import InfluxHistory, InfluxServer
from hub.central.history.outbox import Outbox
from hub.central.history.sql import SqlHistory
from hub.central.settings import Influx

__all__ = ["History", "HistoryRow", "InfluxHistory", "InfluxServer", "Outbox", "SqlHistory", "influx_history"]


def influx_history(settings: Influx) -> tuple[InfluxServer, InfluxHistory]:
    """Return the writer for the outbox and the reader, both on one server."""
    server = InfluxServer(settings)
    return server, InfluxHistory(server)
