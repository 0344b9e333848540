# Every target brings what it needs into .venv, by hash. See CONTRIBUTING.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
export UV_PROJECT_ENVIRONMENT := $(VENV)
export UV_NO_PROGRESS := 1

.PHONY: help demo test test-fast lint format bench soak cluster lock clean

help: ## Shows this list.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

$(VENV)/bootstrapped: requirements-bootstrap.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python >= 3.11 is needed, $(PYTHON) is older: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "$(PYTHON) has no venv module: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  --only-binary :all: --require-hashes -r requirements-bootstrap.lock
	@touch $@

$(VENV)/runtime: $(VENV)/bootstrapped requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps \
	  --only-binary :all: --require-hashes -r requirements.lock
	@touch $@

$(VENV)/development: $(VENV)/bootstrapped uv.lock pyproject.toml
	@$(UV) sync --quiet --frozen --no-install-project --inexact --compile-bytecode --group dev
	@touch $(VENV)/runtime $@

demo: $(VENV)/runtime ## A merge request from mistake to deployment, on this machine (CLUSTER=1: on a cluster).
	@$(BIN)/python examples/demo.py $(if $(CLUSTER),--cluster)

test: $(VENV)/development ## Everything: lint, types, layers, all tests, the real control plane.
	@$(BIN)/python tests/suite.py

test-fast: $(VENV)/development ## Everything without cluster, runners, servers and browser, for the daily loop.
	@$(BIN)/python tests/suite.py --fast

lint: $(VENV)/development ## Lint, format, types and layers only.
	@$(BIN)/python tests/suite.py --lint

format: $(VENV)/development ## Formats the code.
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix --quiet .

bench: $(VENV)/development ## Measures against peers, in one run, as ratios.
	@$(BIN)/python benchmarks/startup.py
	@$(BIN)/python benchmarks/notes.py
	@$(BIN)/python benchmarks/verdicts.py
	@PLOT="$(PLOT)" HELM="$(HELM)" $(BIN)/python benchmarks/deploys.py

soak: $(VENV)/development ## Long campaigns: properties and planted secrets, then faults, kills and races on a cluster.
	@HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest -q -n 3 --dist worksteal tests/property tests/leaks
	@HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest -q -n 3 --dist worksteal tests/campaigns tests/gitea/test_writers.py

cluster: $(VENV)/development ## Starts the tests' control plane to play with.
	@$(BIN)/python tests/cluster/__main__.py

lock: $(VENV)/bootstrapped ## Renews the locked dependencies.
	@$(UV) lock --quiet
	@$(UV) export --quiet --frozen --no-dev --no-emit-project --no-header --no-annotate -o requirements.lock
	@$(UV) export --quiet --frozen --only-group bootstrap --no-emit-project --no-header --no-annotate -o $(VENV)/bootstrap.new
	@cmp -s $(VENV)/bootstrap.new requirements-bootstrap.lock || cp $(VENV)/bootstrap.new requirements-bootstrap.lock

clean: ## Removes what the targets above made.
	@rm -rf $(VENV) .demo .screenshots dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
