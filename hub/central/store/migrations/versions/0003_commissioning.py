"""Which devices are in service, and their test modes."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# SQLite counts only in a column that is called INTEGER.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table of test modes; no device that there is has been commissioned yet."""
    op.create_table(
        "device_tests",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.Column("running", sa.String(length=64), nullable=True),
        sa.Column("phone", sa.String(length=64), nullable=False),
        sa.Column("wiring", sa.String(length=64), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("started_by", sa.String(length=64), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_tests")),
        sa.UniqueConstraint("running", name=op.f("uq_device_tests_running")),
    )
    op.add_column("incidents", sa.Column("test_id", NUMBER, nullable=True))
    op.add_column("incidents", sa.Column("test_phone", sa.String(length=64), nullable=True))
    op.add_column("devices", sa.Column("wiring", sa.String(length=64), nullable=True))
    op.add_column("devices", sa.Column("in_service_at", sa.BigInteger(), nullable=True))
    op.add_column("devices", sa.Column("in_service_by", sa.String(length=64), nullable=True))
    op.add_column("devices", sa.Column("in_service_incident", NUMBER, nullable=True))
