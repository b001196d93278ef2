# Two commands: `make run` shows what memwarden does, `make test` proves it.
# Everything is installed into .venv. Only the laboratory needs more: packages of Debian (QEMU above all), which
# `make lab` installs when it runs as root, and without which it is skipped.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# MEMWARDEN_LAB=required: a machine that cannot boot the lab's kernels fails the tests instead of skipping them.
MEMWARDEN_LAB ?=

.PHONY: help run test lint types imports unit lab faults lab-required arena fidelity truth bench fuzz docs venv clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | sort | expand -t 16

venv: $(STAMP) ## make .venv and install memwarden and its tools into it

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "memwarden needs Python 3.11 or newer, and $(PYTHON) is not; try: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv"; exit 1; }
	@echo "setting up $(VENV), once; this takes about a minute ..."
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install -qq --editable '.[zstd]' --group dev
	@touch $@

run: $(STAMP) ## explain the sample incidents, then report on this machine
	@$(BIN)/memwarden demo

test: $(STAMP) ## everything that must hold, each part with its time
	@$(BIN)/python tests/parts.py lint types imports unit lab faults

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
	@test "$$(id -u)" != 0 || $(BIN)/python -m lab install || true
	$(BIN)/python -m lab run $(if $(filter required,$(MEMWARDEN_LAB)),--require-all)

faults: $(STAMP) ## what the guard does to a machine, and when it or its victim goes wrong, on real kernels
	$(BIN)/python -m lab faults $(if $(filter required,$(MEMWARDEN_LAB)),--require-all)

lab-required: ## the same, and a kernel that does not boot is a failure
	@$(MAKE) --no-print-directory lab MEMWARDEN_LAB=required

fidelity: $(STAMP) ## the simulator beside real kernels; boots only what was not measured yet
	$(BIN)/python -m lab fidelity

arena: $(STAMP) ## memwarden beside the other daemons; hours, but only what is missing or was made with something else
	$(BIN)/python -m lab arena run

truth: $(STAMP) ## what is said about memory limits, tried on real kernels; writes docs/explanation/what-is-true.md
	$(BIN)/python -m lab truth

bench: $(STAMP) ## measured claims, as ratios
	$(BIN)/python -m bench

fuzz: $(STAMP) ## coverage-guided fuzzing of the parsers for a minute
	@$(BIN)/python -m pip install -qq --group fuzz
	$(BIN)/python tests/fuzz/fuzz_parsers.py -max_total_time=60

docs: $(STAMP) ## regenerate the CLI reference and the JSON schemas
	$(BIN)/python docs/generate.py

clean: ## remove what was built here
	rm -rf $(VENV) lab/.cache bench/.cache .coverage htmlcov
