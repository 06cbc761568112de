# Needs Linux, git, make and Python 3.11 or later, nothing else. Everything it installs stays in this checkout:
# .venv (Python packages, hashes checked) and .sandbox (Apache Kafka's jars, test data, the tool that writes the locks).

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
LOCKER := .sandbox/locker
UV_VERSION := 0.13.9

.DEFAULT_GOAL := help
.PHONY: help install jars tools prometheus demo test lint format docs chart chaos short bench observe lock clean

help: ## Show what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

install: $(INSTALLED) ## Install the locked packages and this project into .venv (done once per lock file)

# --no-compile: Python compiles the few modules that are used when they are used, which takes a third off this step.
$(INSTALLED): requirements-dev.lock pyproject.toml | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "There is no $(PYTHON): install Python 3.11 or later, or name one: make PYTHON=/path/to/python3.11 install" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is $$($(PYTHON) -V 2>&1); the bridge needs 3.11 or later: make PYTHON=/path/to/python3.11 install" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments: install its venv package (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

jars: install # Apache Kafka for the demo and the tests; checked at each run, downloaded once
	@$(BIN)/python -m bridge.sandbox jars

tools: install # helm, kubeconform and hadolint for the tests of chart and image; got once
	@$(BIN)/python -m tests.tools

prometheus: install # promtool for the rules' tests, Prometheus for `make observe`; downloaded once, unless they are on the PATH
	@$(BIN)/python -m bridge.sandbox prometheus

demo: jars ## Run the whole bridge on fault tickets from a file; STAY=1 leaves it running, CRASH=1 kills the dispatcher
	@$(BIN)/bridge demo $(if $(STAY),--stay) $(if $(CRASH),--crash) $(ARGS)

# Two at a time, a file to each: most of the tests wait for processes, and each side has a Kafka of its own.
test: jars tools prometheus ## Run all tests but chaos and bench; ARGS="-k word" goes to pytest
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS) 2>&1

short: jars ## Run the short forms of the chaos suite and of the benchmark, some minutes
	@$(BIN)/python -m pytest -m short $(ARGS) 2>&1

lint: install ## Check formatting, rules, types and layers
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy --strict bridge tests
	@$(BIN)/lint-imports

format: install ## Format the code and apply the safe fixes
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

chart: install ## Write what helm/ has from the program: facts, allowed settings, the table of values
	@$(BIN)/python -m tests.chart.generated

chaos: jars ## Run the chaos suite in its long form, hours; ARGS="-k word" chooses scenarios
	@$(BIN)/python -m pytest -m chaos -s tests/chaos/test_chaos.py $(ARGS)

docs: install ## Make the pages anew that are made from the code (tests tell when one is old)
	@$(BIN)/bridge config table > docs/settings.md
	@$(BIN)/bridge topics docs > docs/topics.md
	@$(BIN)/bridge topics asyncapi > docs/asyncapi.yaml
	@$(BIN)/bridge webhook openapi > docs/webhook.openapi.yaml
	@$(BIN)/bridge commands > docs/cli.md
	@$(BIN)/bridge metrics docs
	@$(BIN)/bridge lifecycles draw
	@$(BIN)/bridge journey-tables draw

bench: jars ## Measure the bridge beside its rivals; CASE=deliver measures one case, ARGS="--seconds 10" goes to the command
	@$(BIN)/python -m tests.bench $(CASE) $(ARGS)

observe: jars prometheus ## Force each alert by a real outage under a real Prometheus, and ask every panel; some 15 minutes
	@$(BIN)/python -m tests.observe $(ARGS)

# Asks api.osv.dev; pip-audit is installed beside the project, not into it.
AUDITOR := .sandbox/auditor
PIP_AUDIT_VERSION := 2.10.1
.PHONY: audit
audit: $(AUDITOR) ## Ask for known vulnerabilities of the locked packages (needs the internet)
	@$(BIN)/python .ci/audit.py $(AUDITOR)/bin/pip-audit requirements.lock requirements-dev.lock

$(AUDITOR): | $(BIN)/python
	@$(PYTHON) -m venv $@ && $@/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==$(PIP_AUDIT_VERSION) || { rm -rf $@; exit 1; }

lock: install $(LOCKER) ## Resolve all dependencies anew within pyproject.toml and write the lock files
	@$(LOCKER)/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 \
	  --custom-compile-command "make lock" --output-file requirements.lock pyproject.toml
	@$(LOCKER)/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 \
	  --custom-compile-command "make lock" --output-file requirements-dev.lock --extra sandbox --group dev pyproject.toml
	@$(BIN)/python -m bridge.sandbox lock

$(LOCKER): | $(BIN)/python
	@$(PYTHON) -m venv $@ && $@/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) || { rm -rf $@; exit 1; }

clean: ## Remove everything that was installed, downloaded or built
	@rm -rf $(VENV) .sandbox build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find bridge tests -name __pycache__ -type d -prune -exec rm -rf {} +
