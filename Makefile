# make demo              the whole chain on this machine, with a story   (ARGS=--once: played once and judged)
# make test              lint, types, contracts between modules, and all tests that take seconds
# make prove             what takes longer: kills, freezes, two centres, benchmarks, scenarios of hours and days
# make simulate          seeded runs of escalation in virtual time, each looked at after every step   (SEEDS=10000)
# make mutants           each rule of who is told broken in every small way: which breaks no test notices (minutes)
# make bench             the figures, as JSON
# make fuzz              hostile bytes for every codec, a minute each
# make lint              ruff, mypy and import-linter alone
# make lock              pin the packages anew after pyproject.toml has changed

SHELL := /bin/bash
BIN := .venv/bin
ARGS ?=
SEEDS ?= 10000
# Both start many processes; without bytecode on the disk each would compile everything anew.
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test prove simulate mutants bench fuzz lint lock clean

demo:
	@scripts/install demo
	@$(BIN)/hub-sim demo $(ARGS)

test:
	@scripts/install-servers
	@scripts/install test
	@$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not slow" $(ARGS)

prove:
	@scripts/install-servers
	@scripts/install test
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m slow $(ARGS)

simulate:
	@scripts/install test
	@$(BIN)/python -m tests.simulation.run --seeds $(SEEDS) $(ARGS)

mutants:
	@scripts/install test
	@$(BIN)/python -m tests.mutation.run

bench:
	@scripts/install-servers
	@scripts/install test
	@$(BIN)/hub bench $(ARGS)

fuzz:
	@scripts/install test
	@$(BIN)/python -m tests.fuzz.run $(ARGS)

lint:
	@scripts/install test
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --no-error-summary
	$(BIN)/lint-imports --no-cache > .venv/lint-imports.log || { cat .venv/lint-imports.log; exit 1; }

lock:
	@scripts/install test
	@$(BIN)/python -m pip install --quiet uv
	@scripts/lock

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build mutants
