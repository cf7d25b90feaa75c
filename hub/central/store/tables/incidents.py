"""Incidents, what is due, and what was said to phones and by them."""

import sqlalchemy as sa

from hub.central.store.tables.columns import Instant, Name, Number, metadata

incidents = sa.Table(
    "incidents",
    metadata,
    sa.Column("id", Number, primary_key=True, autoincrement=True),  # the number in texts: OK 47
    sa.Column("incident_class", sa.String(16), nullable=False),
    sa.Column("kind", Name, nullable=False),
    sa.Column("also", sa.Text, nullable=False),  # other kinds, as severe, that were reported before it
    sa.Column("severity", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("zone", Name, nullable=False),
    sa.Column("resident_id", Name),
    sa.Column("device_id", Name),
    sa.Column("hub_id", Name),
    sa.Column("room", sa.String(64)),
    sa.Column("unprotected", sa.Text, nullable=False),  # residents without a way to be heard, blank between
    sa.Column("test", sa.Boolean, nullable=False),
    sa.Column("flags", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),  # why it was raised
    sa.Column("occurred_at", Instant, nullable=False),
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("presses", sa.Integer, nullable=False),  # observations that belong to it
    sa.Column("need", sa.String(160), nullable=False),  # what belongs together as one incident
    sa.Column("open_key", sa.String(160), unique=True),  # the need while it is open: one incident each
    sa.Column("plan_round", sa.Integer, nullable=False),
    sa.Column("plan_step", sa.Integer, nullable=False),
    sa.Column("taken_by", sa.String(64)),
    sa.Column("taken_at", Instant),
    sa.Column("closed_at", Instant),
    sa.Column("closed_by", sa.String(64)),
    sa.Column("outcome", sa.String(32)),
    sa.Column("cause", sa.String(32)),
    sa.Column("test_id", Number),  # the test mode it came up in
    sa.Column("test_phone", Name),  # who is told of a test, instead of the plan
    sa.Index("ix_incidents_state", "state", "id"),
    sa.Index("ix_incidents_need", "need"),
    sa.Index("ix_incidents_opened", "opened_at", "id"),
)

incident_events = sa.Table(
    "incident_events",
    metadata,
    sa.Column("id", Number, primary_key=True, autoincrement=True),
    sa.Column("incident_id", Number, sa.ForeignKey("incidents.id"), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("event", sa.String(32), nullable=False),
    sa.Column("actor", sa.String(64), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Index("ix_incident_events_incident", "incident_id", "id"),
)

incident_observations = sa.Table(
    "incident_observations",
    metadata,
    sa.Column("incident_id", Number, sa.ForeignKey("incidents.id"), primary_key=True),
    sa.Column("observation_id", Number, sa.ForeignKey("observations.id"), primary_key=True),
)

due = sa.Table(
    "due",
    metadata,
    sa.Column("id", Number, primary_key=True, autoincrement=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("subject", sa.String(96), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("leased_by", sa.String(64)),
    sa.Column("leased_until", Instant),
    sa.UniqueConstraint("kind", "subject"),
    sa.Index("ix_due_at", "at"),
)

messages = sa.Table(
    "messages",
    metadata,
    sa.Column("id", Number, primary_key=True, autoincrement=True),
    sa.Column("incident_id", Number, sa.ForeignKey("incidents.id")),  # NULL: an answer to a reply
    sa.Column("zone", Name, nullable=False),
    sa.Column("role", Name, nullable=False),
    sa.Column("phone", Name, nullable=False),  # the phone's id in the site
    sa.Column("number", sa.String(32), nullable=False),
    sa.Column("channel", sa.String(16), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("plan_round", sa.Integer, nullable=False),
    sa.Column("plan_step", sa.Integer, nullable=False),
    sa.Column("state", sa.String(24), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("provider_ref", sa.String(96)),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("sent_at", Instant),
    sa.Column("delivered_at", Instant),
    sa.Index("ix_messages_incident", "incident_id", "id"),
    sa.Index("ix_messages_number", "number", "created_at"),
    sa.Index("ix_messages_provider_ref", "channel", "provider_ref"),
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("id", Number, primary_key=True, autoincrement=True),
    sa.Column("message_id", Number, sa.ForeignKey("messages.id"), nullable=False),
    sa.Column("provider", Name),  # NULL: it has yet to be chosen
    sa.Column("state", sa.String(24), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("final", sa.Boolean, nullable=False),  # the provider will never carry this message
    sa.Column("provider_ref", sa.String(96)),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("sent_at", Instant),
    sa.Column("delivered_at", Instant),
    sa.Column("read_at", Instant),
    sa.Column("ended_at", Instant),  # failed, cancelled or answered
    sa.Index("ix_attempts_message", "message_id", "id"),
    sa.Index("ix_attempts_provider_ref", "provider", "provider_ref"),
)

replies = sa.Table(
    "replies",
    metadata,
    sa.Column("id", Number, primary_key=True, autoincrement=True),
    # Two providers may use one name for two texts. The column is older than providers.
    sa.Column("channel", sa.String(16), key="provider", nullable=False),
    sa.Column("provider_ref", sa.String(96), nullable=False),
    sa.Column("sender", sa.String(32), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("incident_id", Number, sa.ForeignKey("incidents.id")),
    sa.Column("answer", sa.Text, nullable=False),
    sa.UniqueConstraint("provider", "provider_ref", name="uq_replies_channel_provider_ref"),
)

links = sa.Table(
    "links",
    metadata,
    sa.Column("token_hash", sa.String(64), primary_key=True),  # SHA-256; the token is in no table
    sa.Column("incident_id", Number, sa.ForeignKey("incidents.id"), nullable=False),
    sa.Column("phone", Name, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Index("ix_links_expires_at", "expires_at"),
)
