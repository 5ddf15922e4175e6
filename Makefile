# The front door for people and for CI: every target works from any directory (`make -C path target`).
MAKEFLAGS += --no-print-directory
ROOT := $(abspath $(dir $(lastword $(MAKEFILE_LIST))))
PYTHON ?= python3.11
VENV := $(ROOT)/.venv
BIN := $(VENV)/bin
DATA ?= $(ROOT)/.data
STAMP := $(VENV)/.installed

# Tools that would phone home are told not to; a person can still override these.
export DO_NOT_TRACK ?= 1
export GX_ANALYTICS_ENABLED ?= false
export DBT_SEND_ANONYMOUS_USAGE_STATS ?= false
export DAGSTER_DISABLE_TELEMETRY ?= true

.DEFAULT_GOAL := help
.PHONY: help install browser run test test-fast lint format bench docs questions lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(lastword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

install: $(STAMP) ## make the environment from the lock file

$(STAMP): $(ROOT)/requirements.lock $(ROOT)/pyproject.toml
	@echo "Installing the locked packages into $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $(ROOT)/requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable $(ROOT)
	@touch $(STAMP)

browser: ## see to it that Chromium and its driver are there: the report is tested in them
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Chromium" && apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends chromium chromium-driver fonts-liberation >/dev/null; \
	else \
		echo "The report is tested in a browser: install the Debian packages chromium and chromium-driver." >&2; \
		exit 1; \
	fi

run: $(STAMP) ## land a real grocer's 2017, run its night, print what came of it
	@cd $(ROOT) && $(BIN)/engagement land complete-journey --raw $(DATA)/complete-journey/raw
	@cd $(ROOT) && $(BIN)/engagement nightly --raw $(DATA)/complete-journey/raw \
		--warehouse $(DATA)/complete-journey/warehouse --as-of 2017-12-31 --timezone America/New_York

test: $(STAMP) browser lint ## all tests
	@cd $(ROOT) && $(BIN)/python -m pytest -n 2 --no-loadscope-reorder

test-fast: $(STAMP) ## the tests that take seconds
	@cd $(ROOT) && $(BIN)/python -m pytest -m "not slow"

# The linter's own path is for its stand-ins of dbt: without it an error in one of them cannot be read from the process that
# met it, and the linter waits for ever.
lint: $(STAMP) ## formatters in check mode, linters, type checker
	@cd $(ROOT) && $(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy \
		&& $(BIN)/sqlfmt --check --no-progressbar models macros tests/dbt \
		&& PYTHONPATH=tests $(BIN)/sqlfluff lint --processes 2 --disable-progress-bar models tests/dbt

format: $(STAMP) ## format Python and SQL in place
	@cd $(ROOT) && $(BIN)/ruff format . && $(BIN)/ruff check --fix . && $(BIN)/sqlfmt --no-progressbar models macros tests/dbt

bench: $(STAMP) ## measure speed and memory against hand-written SQL
	@cd $(ROOT) && $(BIN)/python -m benchmarks

docs: $(STAMP) ## dbt's documentation as one static page
	@cd $(ROOT) && $(BIN)/engagement docs --warehouse $(DATA)/complete-journey/warehouse

questions: $(STAMP) ## answer the ready questions of docs/questions.md anew
	@cd $(ROOT) && REWRITE_QUESTIONS=1 $(BIN)/python -m pytest -q tests/integration/test_questions.py

lock: ## resolve the lock file again (needs uv)
	@cd $(ROOT) && uv pip compile --quiet --python-version 3.11 --no-emit-index-url --no-header --no-annotate \
		--generate-hashes --extra dev --extra metrics --upgrade pyproject.toml -o requirements.lock

clean: ## remove everything that can be made again
	@rm -rf $(ROOT)/.venv $(ROOT)/.data $(ROOT)/target $(ROOT)/logs
