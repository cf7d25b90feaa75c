"""What else an incident is about, besides its kind."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, empty."""
    op.add_column("incidents", sa.Column("also", sa.Text(), nullable=False, server_default=""))
