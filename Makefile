# make run and make test are all a newcomer needs; both set up what is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TEST_STAMP := $(VENV)/.installed-dev
DOCS_STAMP := $(VENV)/.installed-docs

export DO_NOT_TRACK := true
export MLFLOW_DISABLE_TELEMETRY := true
export NO_MKDOCS_2_WARNING := 1
export COLUMNS ?= 140

.DEFAULT_GOAL := help
.PHONY: help setup run test lint types contracts bench measurements audit validation soak mutants docs pictures dist viz mlflow lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	  || { echo "Python 3.11, 3.12 or 3.13 is needed; name it: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(STAMP): pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing the packages of constraints.txt into $(VENV) (once, some minutes)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(TEST_STAMP): pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing the packages of constraints.txt into $(VENV) (once, some minutes)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP) $@

setup: $(STAMP) ## create .venv and install

$(DOCS_STAMP): pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing what the documentation is built with (once)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $(STAMP) $@

run: $(STAMP) ## compute the virtual particle from slices to report
	$(BIN)/kedro run --env demo --pipelines demo
	@echo
	@echo "report   $(CURDIR)/data/demo/08_reporting/report.html"
	@echo "tables   $(CURDIR)/data/demo/08_reporting/tables/  (CSV, Markdown, LaTeX)"
	@echo "figures  $(CURDIR)/data/demo/08_reporting/figures/ (PNG, SVG, PDF)"
	@echo "pages    make viz (the flow), make mlflow (the experiments)"

test: $(TEST_STAMP) lint types contracts ## lint, types, import contracts, tests
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart 0

lint: $(TEST_STAMP) ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(TEST_STAMP) ## mypy --strict on the package
	$(BIN)/mypy

contracts: $(TEST_STAMP) ## who may import whom
	$(BIN)/lint-imports

bench: $(TEST_STAMP) ## ratios to peers
	$(BIN)/python -m benchmarks

measurements: $(TEST_STAMP) ## the tables of docs/measurements.md and segmentation.md: rows that are missing or old
	$(BIN)/python -m benchmarks.measurements

docs: $(DOCS_STAMP) ## the documentation as pages in site/, which open from the disk
	$(BIN)/mkdocs build --strict --quiet
	@if grep -rlE '(src|href)="https?://[^"]*\.(js|css)' site --include='*.html'; \
	  then echo "these pages load from the network"; exit 1; fi
	@echo "open $(CURDIR)/site/index.html, or run $(BIN)/mkdocs serve to search in it too"

pictures: $(TEST_STAMP) ## the pictures in README and docs, from the results of make run
	$(BIN)/python -m benchmarks.pictures

dist: $(STAMP) ## a wheel in dist/, which installs anywhere and works as a library
	rm -rf dist build
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	@echo "$(BIN)/python -m pip install $$(ls dist/*.whl), or any other python; then electrode-grains demo particle"

audit: $(TEST_STAMP) ## known vulnerabilities of the pinned packages
	$(BIN)/python -m benchmarks.audit

validation: $(TEST_STAMP) ## the proof of every number, from the tests
	$(BIN)/python -m pytest -n 2 --proofs benchmarks/validation.json tests/unit
	$(BIN)/python -m benchmarks.validation

soak: $(TEST_STAMP) ## a hundred runs in one process
	$(BIN)/python -m benchmarks.soak 100

mutants: $(TEST_STAMP) ## faults put into readers, morphometry and fits: do the tests notice?
	$(BIN)/python -m benchmarks.mutation

viz: $(STAMP) ## the flow in kedro-viz, on 127.0.0.1
	$(BIN)/electrode-grains flow --env demo

mlflow: $(STAMP) ## the experiments in MLflow, on 127.0.0.1
	$(BIN)/electrode-grains experiments --env demo

lock: ## renew constraints.txt from the ranges of pyproject.toml
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet torch==2.13.0
	.venv-lock/bin/python -m pip install --quiet -e '.[dev,docs]'
	.venv-lock/bin/python -m pip freeze --exclude-editable | sed 's/+cpu//' > constraints.txt
	rm -rf .venv-lock

clean: ## remove what can be made again; your own data stay
	rm -rf data/demo data/test .viz site build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
