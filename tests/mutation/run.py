"""Breaks the rules of who is told, one small way after another, and looks whether a test fails: ``make mutants``.

``[tool.mutmut]`` in ``pyproject.toml`` names the modules and the tests. What no test noticed is printed as a diff;
what those mean that are left stands in ``docs/decisions/proof.md``.
"""

import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

_MUTMUT = str(Path(sys.executable).with_name("mutmut"))
_MADE = Path("mutants")
_NOTICED = ("killed", "timeout")
_LEAST = 0.9


def main() -> int:
    """Run from the beginning, and return 1 when too many mutants of a module live."""
    # What it keeps from the last run it would not try anew when only a test has changed.
    shutil.rmtree(_MADE, ignore_errors=True)
    # One after another: beside each other tests may fail for being slow, which would count as noticed.
    subprocess.run([_MUTMUT, "run", "--max-children", "1"], check=True)
    results = _results()
    for _, living in results.values():
        for mutant in living:
            print(_said("show", mutant))
    few = False
    print(f"{'module':<44}{'mutants':>8}{'noticed':>9}")
    for name, (total, living) in results.items():
        share = 1 - len(living) / total
        few |= share < _LEAST
        print(f"{name:<44}{total:>8}{share:>9.1%}")
    return 1 if few else 0


def _results() -> dict[str, tuple[int, list[str]]]:
    """Return for each module how many mutants it has, and those that no test noticed."""
    totals: Counter[str] = Counter()
    living: dict[str, list[str]] = defaultdict(list)
    for line in _said("results", "--all", "true").splitlines():
        mutant, _, verdict = line.strip().partition(": ")
        module = mutant.rpartition(".")[0]
        totals[module] += 1
        if verdict not in _NOTICED:
            living[module].append(mutant)
    return {module: (total, living[module]) for module, total in sorted(totals.items())}


def _said(*words: str) -> str:
    done = subprocess.run([_MUTMUT, *words], check=True, capture_output=True, text=True)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
