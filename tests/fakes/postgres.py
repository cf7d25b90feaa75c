"""A real PostgreSQL in a directory of its own, with its safety off: it never has to survive a power cut."""

import itertools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import sqlalchemy as sa

from hub.central.store import migrate
from tests.fakes.mosquitto import free_port

_COUNT = itertools.count()
_TEMPLATE = "ready"


def _program(name: str) -> str:
    for folder in ("", "/usr/lib/postgresql/17/bin", "/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/15/bin"):
        found = shutil.which(name, path=folder or None)
        if found:
            return found
    raise RuntimeError(f"{name} is not installed: apt-get install postgresql")


class Postgres:
    """One server. PostgreSQL refuses to run as root, so root lends it the account that Debian made for it."""

    def __init__(self) -> None:
        self.port = free_port()
        self._ready = False
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._as = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self._as:
            shutil.chown(self._folder, "postgres")

    def start(self) -> None:
        data = str(self._folder / "data")
        self._run(_program("initdb"), "-D", data, "-U", "hub", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = (
            f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=300"
        )
        log = str(self._folder / "log")
        self._run(_program("pg_ctl"), "-D", data, "-w", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        self._run(_program("pg_ctl"), "-D", str(self._folder / "data"), "-m", "immediate", "stop")
        shutil.rmtree(self._folder, ignore_errors=True)

    def new_database(self) -> str:
        """Make a database with the newest schema, as a copy of one, and return its SQLAlchemy URL."""
        if not self._ready:
            self._create(_TEMPLATE, "")
            engine = sa.create_engine(self._url(_TEMPLATE))
            migrate.upgrade(engine)
            engine.dispose()
            self._ready = True
        name = f"hub{next(_COUNT)}"
        self._create(name, f"TEMPLATE {_TEMPLATE}")
        return self._url(name)

    def bare_database(self) -> str:
        """Make a database without any table and return its SQLAlchemy URL."""
        name = f"bare{next(_COUNT)}"
        self._create(name, "")
        return self._url(name)

    def _create(self, name: str, options: str) -> None:
        engine = sa.create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} {options}")
        engine.dispose()

    def _url(self, database: str) -> str:
        return f"postgresql+psycopg://hub@127.0.0.1:{self.port}/{database}"

    def _run(self, *command: str) -> None:
        done = subprocess.run([*self._as, *command], capture_output=True, text=True, check=False, cwd="/")
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")
