"""What was heard, from whom, and how far the long history has been written."""

import sqlalchemy as sa

from hub.central.store.tables.columns import Instant, Name, Number, metadata

observations = sa.Table(
    "observations",
    metadata,
    sa.Column("id", Number, primary_key=True, autoincrement=True),
    sa.Column("hub_id", Name, nullable=False),
    sa.Column("epoch", Name, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("event_id", sa.String(64), nullable=False),
    sa.Column("device_id", Name, nullable=False),
    sa.Column("resident_id", Name),
    sa.Column("kind", Name, nullable=False),
    sa.Column("lane", sa.String(8), nullable=False),
    sa.Column("value", sa.Text),  # JSON
    sa.Column("unit", sa.String(32)),
    sa.Column("battery_pct", sa.Integer),
    sa.Column("rssi_dbm", sa.Integer),
    sa.Column("test", sa.Boolean, nullable=False),
    sa.Column("flags", sa.Text, nullable=False),  # words with a blank between
    sa.Column("raw", sa.Text, nullable=False),
    sa.Column("time", Instant, nullable=False),  # when it happened, as the edge believes
    sa.Column("timequality", sa.String(16), nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.UniqueConstraint("hub_id", "epoch", "seq"),
    # A rescued journal sends its entries again under a new epoch; each keeps its id.
    sa.UniqueConstraint("hub_id", "event_id"),
    sa.Index("ix_observations_resident", "resident_id", "time"),
    sa.Index("ix_observations_device", "device_id", "time"),
)

dead_letters = sa.Table(
    "dead_letters",
    metadata,
    sa.Column("id", Number, primary_key=True, autoincrement=True),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
)

hubs = sa.Table(
    "hubs",
    metadata,
    sa.Column("hub_id", Name, primary_key=True),
    sa.Column("assigned_at", Instant, nullable=False),
    sa.Column("last_seen_at", Instant),
    sa.Column("heard_since", Instant),  # since when it has been heard without a break
    sa.Column("online", sa.Boolean, nullable=False),
    sa.Column("epoch", Name),
    sa.Column("last_seq", sa.BigInteger),
    sa.Column("pending_alarm", sa.Integer),
    sa.Column("pending_reading", sa.Integer),
    sa.Column("evicted", sa.Integer),
    sa.Column("timequality", sa.String(16)),
    sa.Column("version", sa.String(32)),
)

devices = sa.Table(
    "devices",
    metadata,
    sa.Column("device_id", Name, primary_key=True),
    sa.Column("assigned_at", Instant, nullable=False),
    sa.Column("last_seen_at", Instant),
    sa.Column("last_kind", Name),
    sa.Column("battery_pct", sa.Integer),
    sa.Column("rssi_dbm", sa.Integer),
    sa.Column("wiring", sa.String(64)),  # digest of how it is assigned; a change takes it out of service
    sa.Column("in_service_at", Instant),
    sa.Column("in_service_by", sa.String(64)),
    sa.Column("in_service_incident", Number),  # the test that was acknowledged
)

cursors = sa.Table(
    "cursors",
    metadata,
    sa.Column("name", Name, primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
)

history_rejects = sa.Table(
    "history_rejects",
    metadata,
    sa.Column("observation_id", Number, primary_key=True, autoincrement=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
)
