"""The audit trail becomes a chain; it and the incidents' history are only ever added to."""

import sqlalchemy as sa
from alembic import op

from hub.central.audit.chain import GENESIS, Entry, hash_of

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CHAINED = ("audit", "incident_events")
# What becomes a chain now was not one when it was written: a row says so.
MARK = ("migration", "audit.chained", "audit")


def upgrade() -> None:
    """Chain the rows that there are, once, and let no row be changed from now on.

    SQLite keeps no transaction over a migration: whatever a power cut left half done is taken up again.
    """
    there = sa.inspect(op.get_bind())
    columns = {column["name"] for column in there.get_columns("audit")}
    for name in ("previous", "hash"):
        if name not in columns:
            op.add_column("audit", sa.Column(name, sa.String(length=64), nullable=True))
    op.create_index("ix_audit_subject", "audit", ["subject", "id"], if_not_exists=True)
    op.create_index("ix_incidents_opened", "incidents", ["opened_at", "id"], if_not_exists=True)
    op.create_table(
        "audit_head",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_audit_head")),
        if_not_exists=True,
    )
    _chain(op.get_bind())
    for table in CHAINED:
        _only_add(table)


def _chain(connection: sa.Connection) -> None:
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("LOCK TABLE audit IN EXCLUSIVE MODE")
    if connection.scalar(sa.text("SELECT count(*) FROM audit_head")) == 0:
        _chain_all(connection)
    if sqlite:
        connection.exec_driver_sql("COMMIT")


def _chain_all(connection: sa.Connection) -> None:
    rows = connection.execute(
        sa.text("SELECT id, at, actor, action, subject, detail FROM audit ORDER BY id")
    ).all()
    length, last_id, last = 0, 0, GENESIS
    update = sa.text("UPDATE audit SET previous = :previous, hash = :hash WHERE id = :id")
    for row in rows:
        digest = hash_of(Entry(*row[1:]), last)
        connection.execute(update, {"id": row.id, "previous": last, "hash": digest})
        length, last_id, last = length + 1, row.id, digest
    if rows:
        actor, action, subject = MARK
        entry = Entry(rows[-1].at, actor, action, subject, f"{length} rows were chained afterwards")
        insert = sa.text(
            "INSERT INTO audit (at, actor, action, subject, detail, previous, hash)"
            " VALUES (:at, :actor, :action, :subject, :detail, :previous, :hash) RETURNING id"
        )
        digest = hash_of(entry, last)
        last_id = connection.execute(insert, {**entry._asdict(), "previous": last, "hash": digest}).scalar_one()
        length, last = length + 1, digest
    head = sa.text(
        "INSERT INTO audit_head (name, length, last_id, hash) VALUES ('audit', :length, :last_id, :hash)"
    )
    connection.execute(head, {"length": length, "last_id": last_id, "hash": last})


def _only_add(table: str) -> None:
    """Refuse every change and removal, also by hand."""
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER IF NOT EXISTS {table}_no_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is only ever added to'); END"
            )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME; END $$"
    )
    op.execute(
        f"CREATE OR REPLACE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        f"CREATE OR REPLACE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
