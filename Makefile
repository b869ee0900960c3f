# Two commands do everything on a machine with Python 3.10 or newer, make and git:
#   make bench    set up, run scenarios/hilo.yaml on the best device here, print where the report is
#   make test     set up, run the tests
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SCENARIO ?= scenarios/hilo.yaml
ARGS ?=
PYTEST_ARGS ?=

.PHONY: help bench test test-compile selftest gpu-check check format reports schema clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^#   //p' $(MAKEFILE_LIST)

# An environment is installed again when its dependencies change, and only then. torch comes first and by its
# exact version, since other packages ask for it loosely.
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet "$$(grep '^torch==' constraints.txt)"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

bench: $(VENV)/.installed
	$(BIN)/benchsuite run $(SCENARIO) $(ARGS)

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest --cov --cov-report=term --cov-fail-under=90 -n auto $(PYTEST_ARGS)

#   make test-compile   torch.compile on every mixer, which `make test` leaves out; minutes
test-compile: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m compile -n auto $(PYTEST_ARGS)

#   make selftest  prove the instrument on this machine, and say how noisy the machine is; a minute or two
selftest: $(VENV)/.installed
	$(BIN)/benchsuite selftest $(ARGS)

#   make gpu-check    all that only a GPU can show: gpu tests, selftest, three scenarios; under eight minutes
# Installs nothing and needs no network. It takes PYTHON if you name one (make gpu-check PYTHON=python3, on a
# machine to which torch and wheels were brought), else the environment's if there is one, else python3.
OWN_PYTHON = $(if $(filter file,$(origin PYTHON)),$(firstword $(wildcard $(BIN)/python) $(PYTHON)),$(PYTHON))
gpu-check:
	$(OWN_PYTHON) benchmarks/gpu_check.py $(ARGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

#   make check    lint, format, types and import contracts
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
