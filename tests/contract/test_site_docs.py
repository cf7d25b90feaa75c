import datetime as dt
import re
from pathlib import Path

import msgspec
import pytest

from hub.central.site.check import errors, findings
from hub.central.site.load import load
from hub.central.site.model import Site, Step
from hub.wire.config import LinkConfig

PAGE = (Path(__file__).parents[2] / "docs" / "site-file.md").read_text(encoding="utf-8")
TABLES: dict[str, type[msgspec.Struct]] = {
    field.encode_name: field.type if isinstance(field.type, type) else field.type.__args__[0]
    for field in msgspec.structs.fields(Site)
} | {"plans.steps": Step, "hubs.links": LinkConfig}


@pytest.mark.parametrize("table", TABLES)
def test_the_page_explains_every_key_with_its_default(table: str) -> None:
    section = re.split(rf"`\[+{re.escape(table)}\]+`", PAGE, maxsplit=1)[1]
    section = re.split(r"\n## |\n`\[\[", section)[0]
    for field in msgspec.structs.fields(TABLES[table]):
        (row,) = [line for line in section.splitlines() if re.match(rf"\|[^|]*`{field.encode_name}`", line)]
        if isinstance(field.default, int | float):
            assert f"| {str(field.default).lower()} |" in row  # TOML writes true and false
        elif isinstance(field.default, str):
            assert f'"{field.default}"' in row
        elif field.required:
            assert "required" in row


def test_the_examples_of_the_page_can_be_read() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)
    assert len(blocks) == 3
    site = load('[site]\nname = "page"\n' + "".join(blocks))
    assert len(site.plans[0].steps) == 2
    assert errors(findings(site, dt.date(2026, 11, 23)))
