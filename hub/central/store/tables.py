"""Every table of the centre. Instants are microseconds since 1970 in UTC: both databases sort them alike."""

import datetime as dt
from typing import Any

import sqlalchemy as sa

from hub.domain.clock import UTC

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def microseconds(at: dt.datetime) -> int:
    """Return an instant as it is kept."""
    return (at - _EPOCH) // _MICROSECOND


class Instant(sa.types.TypeDecorator[dt.datetime]):
    """A timezone-aware UTC datetime, kept as a 64-bit integer of microseconds."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: sa.Dialect) -> int | None:
        """Turn an instant into microseconds; refuses a datetime without a zone."""
        del dialect
        return None if value is None else microseconds(value)

    def process_result_value(self, value: Any | None, dialect: sa.Dialect) -> dt.datetime | None:  # noqa: ANN401 - the base class says so
        """Turn microseconds into an instant."""
        del dialect
        return None if value is None else _EPOCH + dt.timedelta(microseconds=int(value))


# SQLite counts only in a column that is called INTEGER.
Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Name = sa.String(64)

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

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

incidents = sa.Table(
    "incidents",
    metadata,
    sa.Column("id", Number, primary_key=True, autoincrement=True),  # the number in texts: OK 47
    sa.Column("incident_class", sa.String(16), nullable=False),
    sa.Column("kind", Name, nullable=False),
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

links = sa.Table(
    "links",
    metadata,
    sa.Column("token_hash", sa.String(64), primary_key=True),  # SHA-256; the token is in the text only
    sa.Column("incident_id", Number, sa.ForeignKey("incidents.id"), nullable=False),
    sa.Column("phone", Name, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Index("ix_links_expires_at", "expires_at"),
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

sites = sa.Table(
    "sites",
    metadata,
    sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("applied_at", Instant, nullable=False),
    sa.Column("applied_by", sa.String(64), nullable=False),
    sa.Column("document", sa.Text, nullable=False),  # the TOML as it was given
)

users = sa.Table(
    "users",
    metadata,
    sa.Column("username", sa.String(64), primary_key=True),
    sa.Column("password_hash", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("token_hash", sa.String(64), primary_key=True),
    sa.Column("username", sa.String(64), sa.ForeignKey("users.username", ondelete="CASCADE"), nullable=False),
    sa.Column("csrf", sa.String(64), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", Number, primary_key=True, autoincrement=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("actor", sa.String(64), nullable=False),
    sa.Column("action", sa.String(48), nullable=False),
    sa.Column("subject", sa.String(96), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    # NULL: written past the chain, by hand or by an older version; `hub audit verify` names it
    sa.Column("previous", sa.String(64)),
    sa.Column("hash", sa.String(64)),
    sa.Index("ix_audit_subject", "subject", "id"),
)

audit_head = sa.Table(  # where the trail's chain ends; the row that its writers lock
    "audit_head",
    metadata,
    sa.Column("name", Name, primary_key=True),
    sa.Column("length", sa.BigInteger, nullable=False),
    sa.Column("last_id", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
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
