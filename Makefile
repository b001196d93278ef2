# Two commands: `make run` shows what memwarden does, `make test` proves it.
# Everything is installed into .venv; nothing outside this folder is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help run test lint types imports unit lab lab-required bench docs fixtures venv clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | sort | expand -t 16

venv: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "memwarden needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing; on Debian: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable '.[zstd]' --group dev
	@touch $@

run: $(STAMP) ## explain the sample incidents, then report on this machine
	@$(BIN)/memwarden demo

test: lint types imports unit lab ## everything that must hold

lint: $(STAMP) ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## mypy --strict
	$(BIN)/mypy

imports: $(STAMP) ## the layers of the design
	$(BIN)/lint-imports

unit: $(STAMP) ## unit, property, golden and repository tests, with the coverage gate
	$(BIN)/coverage erase
	$(BIN)/python -m pytest --cov --cov-branch --cov-report=
	$(BIN)/python tests/coverage_gate.py

lab: $(STAMP) ## real kernels in virtual machines, when this machine can boot them
	$(BIN)/python -m lab run

lab-required: $(STAMP) ## the same, and a kernel that does not boot is a failure
	$(BIN)/python -m lab run --require-all

bench: $(STAMP) ## measured claims, as ratios
	$(BIN)/python -m bench

docs: $(STAMP) ## regenerate the CLI reference and the JSON schemas
	$(BIN)/python docs/generate.py

clean: ## remove what was built here
	rm -rf $(VENV) lab/.cache bench/.cache .coverage htmlcov
