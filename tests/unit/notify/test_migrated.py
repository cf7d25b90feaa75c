"""A site that was running before attempts were kept: what was under way then goes on, and its reports count."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from hub.central.notify import receipts
from hub.central.notify.channels.base import ReceiptStatus, Report
from hub.central.notify.pipeline import Sender
from hub.central.notify.ways import Ways
from hub.central.settings import load
from hub.central.store import migrate
from hub.domain.errors import MalformedError
from tests.fakes.ward import START, HandClock, ObedientProvider, open_centre

_MESSAGE = sa.text(
    "INSERT INTO messages (zone, role, phone, number, channel, text, plan_round, plan_step, state, reason,"
    " attempts, provider_ref, created_at) VALUES ('nord-1', 'duty', 'p-duty', '+4700000012', 'sms', '47',"
    " 0, 0, :state, '', 1, :ref, 0)"
)


def old_store(folder: Path) -> None:
    """A database as the version before left it: one message sent, one to send."""
    engine = sa.create_engine(f"sqlite:///{folder}/central.db")
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
        connection.execute(_MESSAGE, [{"state": "sent", "ref": "s17"}, {"state": "queued", "ref": None}])
        connection.execute(
            sa.text(
                "INSERT INTO replies (channel, provider_ref, sender, text, received_at, answer)"
                " VALUES ('sms', 'in-1', '+4700000012', 'OK', 0, 'answered')"
            )
        )
        connection.commit()
    engine.dispose()


async def test_what_was_under_way_goes_on(tmp_path: Path, clock: HandClock) -> None:
    old_store(tmp_path)
    centre, elks = open_centre(tmp_path, clock), ObedientProvider("46elks")
    ways = Ways([elks])
    report = Report(provider_ref="s17", status=ReceiptStatus.DELIVERED, at=START)
    await centre.transact(lambda tx: receipts.reported(tx, elks, report, ways))
    await Sender(centre, ways, lambda provider: f"http://127.0.0.1/hooks/{provider}/secret").send(2)
    states = await centre.store.read(lambda c: c.execute(sa.text("SELECT state FROM messages ORDER BY id")).all())
    assert [row.state for row in states] == ["delivered", "sent"]
    assert [outgoing.message_id for outgoing in elks.sent] == [2]
    names = await centre.store.read(lambda c: c.execute(sa.text("SELECT channel FROM replies")).scalars().all())
    assert names == ["46elks"]
    centre.store.close()


_SETTINGS = """
hook_secret = "0123456789abcdef0123456789abcdef"
[mqtt]
host = "127.0.0.1"
client_id = "centre"
"""
_ELKS = """
[[providers]]
kind = "46elks"
username = "u"
password = "p"
sender = "+4700000001"
"""


@pytest.mark.parametrize(
    ("providers", "said"),
    [
        ("", "providers"),
        (_ELKS + _ELKS, "twice"),
        (_ELKS.replace("46elks", "pigeon"), "pigeon"),
        (_ELKS.replace('username = "u"\n', ""), "username"),
    ],
)
def test_settings_that_name_no_clear_way_out_are_refused(tmp_path: Path, providers: str, said: str) -> None:
    path = tmp_path / "central.toml"
    path.write_text(_SETTINGS + providers)
    with pytest.raises(MalformedError, match=said):
        load(path)
    path.write_text(_SETTINGS + _ELKS)
    assert len(load(path).providers) == 1


def test_the_settings_that_are_shipped_can_be_read() -> None:
    assert load(Path(__file__).parents[3] / "deploy" / "central.toml").providers
