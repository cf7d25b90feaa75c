"""Tests, outages, maintenance, commands, shifts and rounds."""

import sqlalchemy as sa

from hub.central.store.tables.columns import Instant, Name, Number, metadata

device_tests = sa.Table(
    "device_tests",
    metadata,
    sa.Column("id", Number, primary_key=True, autoincrement=True),
    sa.Column("device_id", Name, nullable=False),
    sa.Column("running", Name, unique=True),  # the device while its test mode lasts: one each
    sa.Column("phone", Name, nullable=False),
    sa.Column("wiring", sa.String(64), nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("started_by", sa.String(64), nullable=False),
    sa.Column("ends_at", Instant, nullable=False),
    sa.Column("ended_at", Instant),
    sa.Column("ended_by", sa.String(64)),
)

# Hubs whose silence one incident of the network speaks for.
outages = sa.Table(
    "outages",
    metadata,
    sa.Column("hub_id", Name, primary_key=True),
    sa.Column("incident_id", Number, sa.ForeignKey("incidents.id"), nullable=False),
    sa.Column("since", Instant, nullable=False),  # when it was last heard
)

maintenances = sa.Table(
    "maintenances",
    metadata,
    sa.Column("id", Number, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.String(16), nullable=False),  # hub, device or zone
    sa.Column("subject", Name, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_by", sa.String(64), nullable=False),
    sa.Column("starts_at", Instant, nullable=False),
    sa.Column("ends_at", Instant, nullable=False),
    sa.Column("ended_at", Instant),
    sa.Column("ended_by", sa.String(64)),
    sa.Column("held", sa.Integer, nullable=False),  # findings that were not raised because of it
    sa.Index("ix_maintenances_ended_at", "ended_at", "ends_at"),
)

held_findings = sa.Table(
    "held_findings",
    metadata,
    sa.Column("id", Number, primary_key=True, autoincrement=True),
    sa.Column("maintenance_id", Number, sa.ForeignKey("maintenances.id"), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("need", sa.String(160), nullable=False),
    sa.Column("finding", sa.Text, nullable=False),  # JSON; the first of this need
    sa.UniqueConstraint("maintenance_id", "need"),
)

commands = sa.Table(
    "commands",
    metadata,
    sa.Column("id", Name, primary_key=True),
    sa.Column("hub_id", Name, nullable=False),
    sa.Column("device_id", Name, nullable=False),
    sa.Column("name", Name, nullable=False),
    sa.Column("arguments", sa.Text, nullable=False),  # JSON
    sa.Column("asked_by", sa.String(64), nullable=False),
    sa.Column("asked_at", Instant, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("answered_at", Instant),
    sa.Index("ix_commands_device", "device_id", "asked_at"),
)

# One phone on duty in one role of one zone, from when it was asked to confirm that until another takes over.
shifts = sa.Table(
    "shifts",
    metadata,
    sa.Column("id", Number, primary_key=True, autoincrement=True),
    sa.Column("zone", Name, nullable=False),
    sa.Column("role", Name, nullable=False),
    sa.Column("phone", Name, nullable=False),  # the phone's id in the site
    sa.Column("number", sa.String(32), nullable=False),
    sa.Column("open_key", sa.String(96), unique=True),  # zone and role while it lasts: one each
    sa.Column("asked_at", Instant, nullable=False),
    sa.Column("until", Instant),  # as the rota had it then
    sa.Column("confirmed_at", Instant),
    sa.Column("confirmed_by", sa.String(64)),
    sa.Column("ended_at", Instant),
    sa.Column("leader_told", sa.Integer, nullable=False),  # how many times
)

shift_messages = sa.Table(
    "shift_messages",
    metadata,
    sa.Column("shift_id", Number, sa.ForeignKey("shifts.id"), primary_key=True),
    sa.Column("message_id", Number, sa.ForeignKey("messages.id"), primary_key=True),
)

rounds = sa.Table(
    "rounds",
    metadata,
    sa.Column("id", Name, primary_key=True),  # the command's that begins it
    sa.Column("owner", Name, nullable=False),
    sa.Column("hub_id", Name, nullable=False),
    sa.Column("phone", Name, nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("observed_at", Instant),  # by the hub's clock
    sa.Column("received_at", Instant),
    sa.Column("sent_at", Instant),
    sa.Column("delivered_at", Instant),  # by the provider's clock
    sa.Column("ended_at", Instant),
    sa.Column("outcome", sa.String(16)),
    sa.Column("reason", sa.Text),
    sa.Column("incident_id", Number),
    sa.Column("pinged_at", Instant),
    sa.Index("ix_rounds_owner", "owner", "started_at"),
)
