# Two commands do everything on a machine with Python 3.10 or newer, make and git:
#   make bench    set up, run scenarios/hilo.yaml on the best device here, print where the report is
#   make test     set up, run the tests: some eight minutes on two cores; of long tables of cases, one in sixteen
#   make test-all all tests and all their cases, with coverage: what CI runs
SHELL := /bin/bash
PYTHON ?= python3
TORCH ?=
VENV := .venv$(if $(TORCH),-torch-$(TORCH))
BIN := $(VENV)/bin
PIP = $(BIN)/python -m pip install --disable-pip-version-check
SCENARIO ?= scenarios/hilo.yaml
ARGS ?=
PYTEST_ARGS ?=

.PHONY: help setup bench gate-exact test test-all browser vendor test-compile selftest gpu-check gpu-proof check format reports schema clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^#   //p' $(MAKEFILE_LIST)

# An environment is installed again when its dependencies change, and only then. torch comes first and by its
# exact version, since other packages ask for it loosely.
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# Of sympy each torch wants its own.
$(VENV)/constraints.txt: constraints.txt | $(VENV)/bin/python
	sed '$(if $(TORCH),s/^torch==.*/torch==$(TORCH)/;/^sympy==/d)' constraints.txt > $@

$(VENV)/.installed: pyproject.toml $(VENV)/constraints.txt
	@echo "$(VENV), 1 of 3: pip itself"
	$(PIP) --upgrade pip
	@echo "$(VENV), 2 of 3: torch, hundreds of megabytes or more"
	$(PIP) "$$(grep '^torch==' $(VENV)/constraints.txt)"
	@echo "$(VENV), 3 of 3: benchsuite and what it needs"
	$(PIP) --constraint $(VENV)/constraints.txt --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "$(VENV): what tests and checks need"
	$(PIP) --constraint $(VENV)/constraints.txt --editable '.[dev]'
	@touch $@

#   make setup    the environment and the browser that tests and checks need, and nothing else
setup: $(VENV)/.installed-dev .chromium-or-none

bench: $(VENV)/.installed
	$(BIN)/benchsuite run $(SCENARIO) $(ARGS)

test: $(VENV)/.installed-dev .chromium-or-none
	$(BIN)/python -m pytest -n auto --dist loadgroup $(PYTEST_ARGS)

#   make test-all TORCH=2.14.1   on another torch, in an environment of its own; gigabytes
test-all: $(VENV)/.installed-dev .chromium-or-none
	$(BIN)/python -m pytest --all --durations=40 --cov --cov-report=term --cov-fail-under=90 -n auto --dist loadgroup $(PYTEST_ARGS)

#   make browser   what the tests of reports need: Debian's Chromium where apt and root are; then run those tests
# Playwright's own browsers are not fetched. Where Chromium cannot be had, the tests are skipped and say so.
browser: $(VENV)/.installed-dev .chromium-or-none
	$(BIN)/python -m pytest -n 0 -rs tests/browser $(PYTEST_ARGS)

.PHONY: .chromium-or-none
.chromium-or-none:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
	  || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	       && echo "installing Chromium with apt, for the tests of reports" \
	       && apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; } \
	  || echo "no Chromium and no way to install one here: tests/browser will be skipped"

#   make vendor    fetch the charts' library again with npm and compare it with its sums
vendor:
	$(PYTHON) benchmarks/vendor_charts.py

#   make test-compile   torch.compile on every mixer, which `make test-all` leaves out; minutes
test-compile: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m compile -n auto $(PYTEST_ARGS)

#   make selftest  prove the instrument on this machine, and say how noisy the machine is; a minute or two
selftest: $(VENV)/.installed
	$(BIN)/benchsuite selftest $(ARGS)

#   make gpu-check    does everything work on a GPU? probe, gpu tests, selftest, part of the zoo; under eight minutes
#   make gpu-proof    the rest of docs/gpu.md; goes on where it was left, and keeps all output in runs/gpu-proof
# They change nothing of the machine and need no network. They take PYTHON if you name one (PYTHON=python3, on a
# machine to which torch was brought), else the environment's if there is one, else python3. Packages that it lacks
# are taken from the wheels of the folder WHEELS.
OWN_PYTHON = $(if $(filter file,$(origin PYTHON)),$(firstword $(wildcard $(BIN)/python) $(PYTHON)),$(PYTHON))
WHEELS ?=
gpu-check gpu-proof: gpu-%:
	$(OWN_PYTHON) benchmarks/gpu_kit.py $* $(if $(WHEELS),--wheels $(WHEELS)) $(ARGS)

#   make gate-exact   have MACs, parameters or operator counts changed that nobody has accepted? times nothing
gate-exact: $(VENV)/.installed
	$(BIN)/benchsuite gate --baseline baselines/exact.json --missing any $(ARGS)

#   make check    lint, format, types and import contracts; `make -j2 check` side by side
check: .mypy .ruff .imports

.PHONY: .mypy .ruff .imports
.mypy: $(VENV)/.installed-dev
	$(BIN)/mypy
.ruff: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
.imports: $(VENV)/.installed-dev
	$(BIN)/lint-imports

#   make format   apply the formatter and the safe fixes
format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

#   make reports   make the reports of reports/ again from their records, and the table of its README
reports: $(VENV)/.installed
	$(BIN)/python benchmarks/reports.py reports $(ARGS)

#   make schema   write scenarios/schema.json, which editors read
schema: $(VENV)/.installed
	$(BIN)/benchsuite schema --out scenarios/schema.json

#   make clean    remove the environment and the caches
clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage*
