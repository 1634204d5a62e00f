# Everything runs in .venv, which make creates. Only Python 3.11 or newer, with venv and pip, must be there before.

# The first of these that is new enough; `make PYTHON=...` overrides.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
WORKERS ?= 2
ARGS ?=
# The revision with whose schemas `make schemas` compares the code.
BASE ?= HEAD

VENV := .venv
BIN := $(VENV)/bin
INTEROP_VENV := .venv-interop
PEERS_VENV := .venv-peers
QUEUES_VENV := .venv-peers-queues
OMNIQ_VERSION := 4.0.0

PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile
WITH_OMNIQ = OMNIQ_REQUIRE_INTEROP=1 OMNIQ_INTEROP_PYTHON="$(CURDIR)/$(INTEROP_VENV)/bin/python"

CHECK_PYTHON = @"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3" >&2; exit 1; }

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-long test-all interop types lint format schemas bench chaos soak clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.demo ## Real GitHub webhooks over a typed bus, on an embedded server
	$(BIN)/python -m examples.github_webhooks

test: $(VENV)/.dev ## The tests that take seconds
	$(PYTEST) -m "not slow and not interop" $(ARGS)

test-long: $(VENV)/.dev $(INTEROP_VENV)/.omniq ## The tests that `make test` leaves out: slow and interop
	$(WITH_OMNIQ) $(PYTEST) -m "slow or interop" $(ARGS)

test-all: $(VENV)/.dev $(INTEROP_VENV)/.omniq ## All tests in one run
	$(WITH_OMNIQ) $(PYTEST) $(ARGS)

interop: $(VENV)/.dev $(INTEROP_VENV)/.omniq ## The tests against OmniQ 4, started as a process of its own
	$(WITH_OMNIQ) $(PYTEST) -m interop $(ARGS)

types: $(VENV)/.dev ## mypy in strict mode, and pyright
	$(BIN)/python -m mypy
	$(BIN)/python -m pyright --pythonpath $(BIN)/python

lint: $(VENV)/.dev ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.dev ## Mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schemas: $(VENV)/.dev ## Is schemas/ current, and compatible with that at the revision BASE?
	$(BIN)/omniq-typed schema export examples.all_messages --check
	$(BIN)/omniq-typed schema check examples.all_messages --against git:$(BASE)

bench: $(VENV)/.bench ## Beside other queues, with chart: about 25 minutes; then what operations, jobs and checks cost
	$(BIN)/python -m benchmarks.peers --home $(QUEUES_VENV) $(ARGS)
	$(BIN)/python -m benchmarks.profile_job --write
	$(BIN)/python -m benchmarks.operation_cost
	$(BIN)/python -m benchmarks.checking_cost
	$(BIN)/python -m benchmarks.schema_check_cost
	$(BIN)/python -m benchmarks.payload_strategies --venv $(PEERS_VENV)

chaos: $(VENV)/.dev ## 20,000 jobs through hundreds of faults, judged; the report goes to docs/chaos.md
	$(BIN)/python -m tests.chaos.storm --long --report docs/chaos.md $(ARGS)

soak: $(VENV)/.dev ## Half an hour at half load: does memory grow?
	$(BIN)/python -m tests.chaos.storm.soak --report docs/soak.md $(ARGS)

clean: ## Remove environments, builds and caches
	rm -rf $(VENV) $(INTEROP_VENV) $(PEERS_VENV) $(QUEUES_VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp per extra; touched last, so that an install cut short is done again. .dev comes after .demo: two pips at
# once in one environment would fight.
$(VENV)/.made:
	$(CHECK_PYTHON)
	"$(PYTHON)" -m venv $(VENV)
	@touch $@

$(VENV)/.demo: pyproject.toml $(VENV)/.made
	$(BIN)/python -m pip install --quiet --editable '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

$(VENV)/.bench: pyproject.toml $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	@touch $@

$(INTEROP_VENV)/.omniq: Makefile
	$(CHECK_PYTHON)
	"$(PYTHON)" -m venv $(INTEROP_VENV)
	$(INTEROP_VENV)/bin/python -m pip install --quiet 'omniq==$(OMNIQ_VERSION)'
	@touch $@
