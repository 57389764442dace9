# Everything a developer types. `make` alone lists it.
#
# Set-up is done when something needs it, and again only when what it is made from has changed.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
JARS := build/jars
PACKAGES_DONE := $(VENV)/.packages-done
PROJECT_DONE := $(VENV)/.project-done
REQUIRE_TOOLS = sh infra/require_tools.sh "$(PYTHON)"
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
JARS_DONE := $(JARS)/.jars-done
.DEFAULT_GOAL := help
.PHONY: help setup demo serve ui test test-quick chaos lint format model bench check lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

setup: $(PROJECT_DONE) $(JARS_DONE) ## Install Python packages into .venv and JVM packages into build/jars, once
	@printf '%s\n' "$(CURDIR) is set up."

$(PACKAGES_DONE): requirements.lock
	@$(REQUIRE_TOOLS)
	@echo "setup: Python packages into $(VENV) (about a minute) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install --no-deps -r requirements.lock
	@touch $@

$(PROJECT_DONE): pyproject.toml $(PACKAGES_DONE)
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(JARS_DONE): infra/jars/pom.xml
	@$(REQUIRE_TOOLS)
	@echo "setup: JVM packages into $(JARS) ..."
	@rm -rf $(JARS)
	@mvn -B -q -Dstyle.color=never -f infra/jars/pom.xml package
	@touch $@

demo: setup ## Simulate 50 devices for 2 days, find their faults, compare with the truth
	@$(BIN)/pvfault demo

# What `make demo` has left, unless PVFAULT_HOME names another state folder.
serve: setup ## Show the demo's tables: the fleet page, and answers over HTTP (http://localhost:8000)
	@PVFAULT_HOME="$${PVFAULT_HOME:-.pvfault/demo}" exec $(BIN)/pvfault serve

ui: setup ## Open Dagster: materialise days and backfill ranges by hand (http://localhost:3000)
	@exec $(BIN)/python -m pvfault_assets.page

# In two processes (tests/streams.py): one has the Spark session, the other what starts virtual machines of its own.
test: setup ## Run the tests
	@$(BIN)/python -m pytest -n 2

test-quick: setup ## Run the tests that need no Java virtual machine
	@$(BIN)/python -m pytest -n 2 -m "not spark and not broker"

# Each stage of each job once, and some twice. The seed is told with each trial; the same one draws the same trials.
TRIALS ?= 36
SEED ?= $(shell date +%s)

chaos: setup ## Kill jobs, Spark and the broker with -9 at each stage of each job, and look at the tables (TRIALS, SEED)
	@CHAOS_TRIALS=$(TRIALS) CHAOS_SEED=$(SEED) $(BIN)/python -m pytest tests/chaos

lint: setup ## Check style and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: setup ## Put the code into its format, and mend what can be mended by itself
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

model: setup ## Simulate, train, and write models/lenet5.h5 with its model card
	@$(BIN)/pvfault train

bench: setup ## Measure the way from the topic to the verdicts, and the yardsticks beside it
	@$(BIN)/pvfault bench

check: lint test ## What has to pass before a change is taken

lock: $(PACKAGES_DONE) ## Write requirements.lock anew from pyproject.toml, keeping what still fits
	@$(PIP) install pip-tools
	@$(BIN)/pip-compile --quiet --all-extras --allow-unsafe --strip-extras --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options \
		--output-file requirements.lock pyproject.toml
	@sed '/^#/d; /^$$/d' requirements.lock > requirements.lock.new && mv requirements.lock.new requirements.lock

clean: ## Remove what set-up and tests made; the state folder .pvfault stays
	@rm -rf $(VENV) build dist .pytest_cache .ruff_cache spark-warehouse *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
