"""Fuzzes every codec in turn and keeps what broke one: ``make fuzz``, ``make fuzz ARGS='--seconds 5 bthome'``.

Inputs that break a driver are appended to ``tests/fuzz/corpus/<driver>-<link>.hex``, which the contract tests
try on every run; ``--keep`` also keeps a small set of those that reach all code that was reached.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from drivers.base import LinkType
from tests.fakes.drivers import links
from tests.fuzz.target import CORPUS, seeds

_DONE = re.compile(r"Done (\d+) runs in (\d+) second")
_MOST_KEPT = 40
_LONGEST_KEPT = 256


def main() -> int:
    """Run, and return 1 when a driver broke."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("drivers", nargs="*", metavar="DRIVER", help="default: all")
    parser.add_argument("--seconds", type=int, default=60, help="for each codec; default: 60")
    parser.add_argument("--keep", action="store_true", help="keep a small corpus of what was reached")
    given = parser.parse_args()
    chosen = [(name, link) for name, link in links() if not given.drivers or name in given.drivers]
    broken = 0
    for number, (name, link) in enumerate(chosen, start=1):
        print(f"[{number}/{len(chosen)}] {name} ({link}): ", end="", flush=True)
        said, ok = _fuzz(name, link, given.seconds, keep=given.keep)
        print(said)
        broken += not ok
    return 1 if broken else 0


def _fuzz(name: str, link: LinkType, seconds: int, *, keep: bool) -> tuple[str, bool]:
    with tempfile.TemporaryDirectory() as made:
        corpus, crashes = Path(made) / "corpus", Path(made) / "crashes"
        corpus.mkdir()
        crashes.mkdir()
        for number, seed in enumerate(seeds(name, link)):
            (corpus / f"seed-{number}").write_bytes(seed)
        options = [f"-max_total_time={seconds}", "-timeout=10", "-max_len=4096", f"-artifact_prefix={crashes}/"]
        done = _libfuzzer(name, link, [*options, str(corpus)])
        found = [data for path in sorted(crashes.iterdir()) if (data := path.read_bytes())]
        _append(name, link, found)
        if done.returncode or found:
            tail = "\n".join(done.stderr.splitlines()[-25:])
            return f"BROKEN by {[item.hex() for item in found]}\n{tail}", False
        if keep:
            _keep(name, link, corpus)
        match = _DONE.search(done.stderr)
        return (f"{int(match[1]):,} inputs in {match[2]} s, nothing broke" if match else "nothing broke"), True


def _libfuzzer(name: str, link: LinkType, options: list[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.fuzz.one", name, link, *options]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)


def _keep(name: str, link: LinkType, corpus: Path) -> None:
    """Keep the shortest of what libFuzzer found worth keeping: each reached code that nothing before it had."""
    known = set(seeds(name, link))
    every = sorted({path.read_bytes() for path in corpus.iterdir()} - known, key=lambda item: (len(item), item))
    _append(name, link, [item for item in every if 0 < len(item) <= _LONGEST_KEPT][:_MOST_KEPT])


def _append(name: str, link: LinkType, inputs: list[bytes]) -> None:
    path = CORPUS / f"{name}-{link}.hex"
    kept = path.read_text(encoding="ascii").split() if path.exists() else []
    path.write_text("".join(f"{line}\n" for line in dict.fromkeys([*kept, *(item.hex() for item in inputs)])))


if __name__ == "__main__":
    sys.exit(main())
