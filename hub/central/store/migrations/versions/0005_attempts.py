"""Each attempt at a message is a row, with its provider."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# SQLite counts only in a column that is called INTEGER.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# The only provider there was, on the only channel.
PROVIDER = "46elks"
CHANNEL = "sms"


def upgrade() -> None:
    """Create the table; what is under way goes on, and its reports are understood."""
    attempts = op.create_table(
        "attempts",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("message_id", NUMBER, nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.Column("provider_ref", sa.String(length=96), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.Column("read_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_attempts_message_id_messages")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
    )
    op.create_index("ix_attempts_message", "attempts", ["message_id", "id"])
    op.create_index("ix_attempts_provider_ref", "attempts", ["provider", "provider_ref"])
    kept = ("state", "reason", "provider_ref", "created_at", "sent_at", "delivered_at")
    messages = sa.table("messages", *(sa.column(name) for name in ("id", "channel", *kept)))
    who = sa.case((messages.c.state == "queued", sa.null()), else_=PROVIDER)
    were = sa.select(messages.c.id, who, sa.false(), *(messages.c[name] for name in kept))
    op.execute(
        attempts.insert().from_select(["message_id", "provider", "final", *kept], were.order_by(messages.c.id))
    )
    replies = sa.table("replies", sa.column("channel"))
    op.execute(replies.update().where(replies.c.channel == CHANNEL).values(channel=PROVIDER))
