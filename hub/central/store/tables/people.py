"""Sites, accounts, the browsers that take pushes, and the audit trail."""

import sqlalchemy as sa

from hub.central.store.tables.columns import Instant, Name, Number, metadata

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

# A browser on a phone that takes pushes, from when its code was sent to that phone.
push_subscriptions = sa.Table(
    "push_subscriptions",
    metadata,
    sa.Column("id", Number, primary_key=True, autoincrement=True),
    sa.Column("phone", Name, nullable=False),  # the phone's id in the site
    sa.Column("number", sa.String(32), nullable=False),  # to which the code was sent; with another one it ends
    sa.Column("endpoint_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("endpoint", sa.Text, nullable=False),
    sa.Column("p256dh", sa.String(96), nullable=False),
    sa.Column("auth", sa.String(32), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_by", sa.String(64), nullable=False),
    sa.Column("code_hash", sa.String(64)),  # while the code is awaited
    sa.Column("tries", sa.Integer, nullable=False),  # of a wrong code
    sa.Column("confirmed_at", Instant),
    sa.Index("ix_push_subscriptions_phone", "phone", "number"),
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
