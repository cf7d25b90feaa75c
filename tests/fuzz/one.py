"""Fuzzes one codec until its time is over: ``python -m tests.fuzz.one DRIVER LINK [libFuzzer's options]``."""

import sys
from typing import cast

import atheris

with atheris.instrument_imports(include=["drivers"]):
    from drivers.base import LinkType
    from tests.fuzz.target import target

if __name__ == "__main__":
    name, link, *options = sys.argv[1:]
    atheris.Setup([sys.argv[0], *options], target(name, cast("LinkType", link)))
    atheris.Fuzz()
