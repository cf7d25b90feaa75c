"""The centre's own settings: where its store, broker, providers and history are. One TOML file."""

from pathlib import Path
from typing import Literal

import msgspec

from hub.central.notify.channels import fyi_apprise
from hub.central.notify.channels.kinds import Account, kind_of
from hub.central.watch.settings import Metrics, Watch
from hub.document import read_file
from hub.domain.errors import MalformedError
from hub.domain.ids import checked_name
from hub.wire.logs import Log
from hub.wire.mqtt import MqttSettings

# A name for who is alone: of several centres that were set up alike, each would have it.
_ALONE = "centre"


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Http(_Table, frozen=True, kw_only=True):
    """Where the console and the providers' webhooks are served.

    Attributes:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        public_url: How the providers reach this centre, without a slash at the end.
        secure_cookies: Whether browsers reach it by https only, as in production.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str = "http://127.0.0.1:8080"
    secure_cookies: bool = True


class Influx(_Table, frozen=True, kw_only=True):
    """The long history. ``token`` and ``org`` are for ``/api/v2/write``, ``username`` and ``password`` for 1.x."""

    url: str
    database: str = "welfare"
    api: Literal["auto", "v1", "v2"] = "auto"
    username: str | None = None
    password: str | None = None
    token: str | None = None
    org: str | None = None


class Settings(_Table, frozen=True, kw_only=True):
    """Everything.

    Attributes:
        owner: Name of this centre, which no other on its store bears; keep it over restarts, so that it takes up
            its own leases again.
        store: SQLAlchemy URL.
        share: Name of the group of centres that share what the hubs send; without it, this centre hears all.
        watch: The rounds; without it, none are made.
        metrics: Who may read them.
        log: How the log is written.
        hook_secret: At least 32 characters that only the providers are told; part of the webhooks' address.
        providers: Who carries messages, on each channel in the order in which they are tried.
    """

    owner: str = _ALONE
    store: str = "sqlite:///central.db"
    share: str | None = None
    hook_secret: str
    mqtt: MqttSettings
    http: Http = Http()
    providers: tuple[Account, ...]
    influx: Influx | None = None
    watch: Watch | None = None
    metrics: Metrics = Metrics()
    log: Log = Log()


_SECRET_CHARS = 32  # 128 bits in hexadecimal


def load(path: Path) -> Settings:
    """Read the settings.

    Raises:
        MalformedError: The file is missing or wrong; the sentence names table and key.
    """
    settings = read_file(path, Settings)
    if len(settings.hook_secret) < _SECRET_CHARS:
        raise MalformedError(
            f'{path}: key "hook_secret": write at least {_SECRET_CHARS} characters that nobody can guess'
        )
    _check_share(path, settings)
    kinds = [kind_of(account) for account in settings.providers]
    if not set(kinds) - {fyi_apprise.NAME}:
        raise MalformedError(
            f'{path}: key "providers": write at least one that reaches phones, or nobody is told of anything'
        )
    for kind in kinds:
        if kinds.count(kind) > 1:
            raise MalformedError(f'{path}: key "providers": kind "{kind}" is there twice')
    return settings


def _check_share(path: Path, settings: Settings) -> None:
    if settings.share is None:
        return
    try:
        checked_name(settings.share, "group")
    except MalformedError as error:
        raise MalformedError(f'{path}: key "share": {error}') from error
    if settings.store.startswith("sqlite"):
        raise MalformedError(f'{path}: key "share": several centres need one PostgreSQL, key "store" names SQLite')
    if settings.owner == _ALONE:
        raise MalformedError(
            f'{path}: key "owner": write a name that no other of the centres bears, such as owner = "centre-1"'
        )
