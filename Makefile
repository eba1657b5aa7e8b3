# Needs Python 3.11 or newer and make, and nothing else: everything is installed into .uv and .venv.
# PYTHON names the interpreter, ARGS goes to pytest: make test ARGS="tests/roads -x",
# BENCH names one of benchmarks/README.md; make bench ARGS=--quick has a look at most in minutes.

PYTHON ?= python3
BENCH ?=
UV_VERSION := 0.13.8
# The certificates that the machine trusts: companies with a proxy of their own add theirs there.
UV := UV_SYSTEM_CERTS=1 UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=.venv .uv/bin/uv
IN := .venv/bin/python

define TOO_OLD
import importlib.util, sys
lacking = [name for name in ("venv", "ensurepip") if not importlib.util.find_spec(name)]
if sys.version_info < (3, 11):
    sys.exit(f"AgentPipe needs Python 3.11 or newer, and this is {sys.version.split()[0]}. "
             "Name another one: make PYTHON=/path/to/python3.11 ...")
if lacking:
    sys.exit(f"This Python has no {' and no '.join(lacking)}. "
             "Install it (Debian, Ubuntu: apt install python3-venv) and try again.")
endef
export TOO_OLD

.DEFAULT_GOAL := help
.PHONY: help setup run test faults lint types house check bench

help: ## list what there is
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile

setup: .venv/synced ## install everything into .venv (the others do it when needed)

run: export AGENTPIPE_LOCAL ?= 1
run: .venv/synced ## start the server on http://127.0.0.1:8000/ (PORT=9000 make run for another)
	@exec $(IN) manage.py up

# What was compiled once is not compiled again by each of the processes, whatever the shell says.
test faults: export PYTHONDONTWRITEBYTECODE :=
test: .venv/synced ## run the tests, one more at a time than there are cores (ARGS=-n0 for one after the other)
	$(IN) -m pytest -n auto --maxprocesses 4 --dist worksteal $(ARGS)

lint: .venv/synced ## check the code's style
	$(IN) -m ruff check .
	$(IN) -m ruff format --check .

types: .venv/synced ## check the types
	$(IN) -m mypy .

house: .venv/synced ## check the floor plan: who may import whom, which files there are
	$(IN) .venv/bin/lint-imports
	$(IN) -m pytest -q tests/test_house.py

check: house lint types test ## all of the above, as CI does

faults: .venv/synced ## run the long forms of the fault tests
	AGENTPIPE_FAULTS=long $(IN) -m pytest tests/faults tests/agentpipe/test_nonsense.py \
		tests/agentpipe/test_nonsense_sockets.py tests/conversations/test_export_round_trip.py $(ARGS)

bench: .venv/synced ## measure all and write benchmarks/RESULTS.md (BENCH=fanout for one, ARGS=--quick)
	@$(UV) sync --locked --quiet --group bench --python .uv/bin/python
	$(IN) -m benchmarks.report $(BENCH) $(ARGS)

.venv/synced: pyproject.toml uv.lock .uv/$(UV_VERSION)
	@$(UV) sync --locked --quiet --python .uv/bin/python
	@touch $@

.uv/$(UV_VERSION):
	@$(PYTHON) -c "$$TOO_OLD"
	@echo "Installing the dependencies, once ..."
	@$(PYTHON) -m venv --clear .uv
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@
