"""Brings a database to the newest schema. A new migration may add, never take away what N-1 still reads."""

from pathlib import Path

import sqlalchemy as sa

_SCRIPTS = Path(__file__).parent / "migrations"
_DIGITS = 4  # of the number that a migration's file begins with


def upgrade(engine: sa.Engine) -> None:
    """Run what migrations are missing, each in its own transaction."""
    if _schema(engine) == _newest():
        return
    # Alembic takes a third of a second to import; most starts find nothing to do.
    from alembic import command  # noqa: PLC0415 - as just said
    from alembic.config import Config  # noqa: PLC0415 - as just said

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _newest() -> str:
    return max(path.name[:_DIGITS] for path in (_SCRIPTS / "versions").glob("[0-9]*.py"))


def _schema(engine: sa.Engine) -> str | None:
    """Return the number of the schema that the database has, ``None`` for an empty one."""
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        version: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        return version
