# One command each; every target does its own set-up. Needs Python 3.11 to 3.14, make and, the first time, a network.
#   make demo    replay a recorded dial-in call            make test    the whole test suite
#   make check   ruff, mypy, import contracts, tests       make help    everything else

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# The first interpreter that really runs, is 3.11 to 3.14 and can make virtual environments.
# Override with: make test PYTHON=/path/to/python3
PYTHON ?= $(shell for each in python3.12 python3.13 python3.11 python3.14 python3 python; do \
	"$$each" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' \
	>/dev/null 2>&1 && { echo "$$each"; break; }; done)

WORKERS ?= auto

.PHONY: help setup demo test check lint types imports template page wheel bench build resources web runtime docs events clean

help:  ## show this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

# Makes the environment unless it is there and works; half of one, left by an interruption, is made again.
define environment
	@if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		if [ -z "$(PYTHON)" ]; then \
			echo "No Python 3.11 to 3.14 with the modules venv and ensurepip was found." >&2; \
			echo "Install one (Debian, Ubuntu: apt install python3 python3-venv), or name it: make PYTHON=..." >&2; \
			exit 1; \
		fi; \
		echo "Making $(VENV) with $$($(PYTHON) --version)"; \
		$(PYTHON) -m venv --clear $(VENV); \
	fi
endef

# Two stamps: trying flows needs less than testing them.
$(VENV)/.installed: pyproject.toml
	$(environment)
	@echo "Installing sma-flows into $(VENV)"
	@$(PIP) install --quiet --editable '.[all]'
	@touch $@

$(VENV)/.developer: pyproject.toml
	$(environment)
	@echo "Installing sma-flows and its test tools into $(VENV)"
	@$(PIP) install --quiet --upgrade 'pip>=25.1'  # the first that knows --group
	@$(PIP) install --quiet --editable '.[all]' --group dev
	@touch $(VENV)/.installed $@

setup: $(VENV)/.developer  ## make .venv with everything a developer needs

demo: $(VENV)/.installed  ## replay a recorded dial-in call, event by event
	@$(BIN)/sma-flows replay flows/dial-in.yaml events/dial-in/*.json

test: $(VENV)/.developer  ## run all tests
	@$(BIN)/python -m pytest -n $(WORKERS)

check: lint types imports test template  ## all that a change must pass

lint: $(VENV)/.developer  ## ruff: style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.developer  ## mypy --strict on the package and the benchmarks
	@$(BIN)/mypy --strict

imports: $(VENV)/.developer  ## the import contracts of pyproject.toml
	@$(BIN)/lint-imports

# SAM, cfn-lint and the reference of IAM are heavy and have an environment of their own.
$(VENV)-template/.installed: pyproject.toml $(VENV)/.developer
	@echo "Installing aws-sam-cli, cfn-lint and policy-sentry into $(VENV)-template"
	@$(BIN)/python -m venv --clear $(VENV)-template
	@$(VENV)-template/bin/python -m pip --disable-pip-version-check install --quiet --upgrade 'pip>=25.1'
	@$(VENV)-template/bin/python -m pip --disable-pip-version-check install --quiet --group template
	@touch $@

template: $(VENV)-template/.installed  ## check template.yaml with cfn-lint and SAM, and build with SAM
	@SMA_FLOWS_TEMPLATE_TOOLS="$(abspath $(VENV))-template" $(BIN)/python -m pytest tests/deploy/template

# The page of click-to-call, in the Chromium of this machine: npm packages in build/page, Playwright beside the tests.
CLIENT := src/sma_flows/web/page/client
CHROMIUM ?= $(shell for each in chromium chromium-browser google-chrome; do command -v "$$each" && break; done)

$(VENV)/.page: pyproject.toml $(VENV)/.developer
	@$(PIP) install --quiet --group page
	@touch $@

build/page/.installed: $(CLIENT)/package.json $(CLIENT)/package-lock.json
	@for each in node npm; do command -v "$$each" >/dev/null || { \
		echo "The page is built with Node.js 20 or later and npm, and there is no $$each here." >&2; exit 1; }; done
	@mkdir -p build/page && cp $(CLIENT)/package.json $(CLIENT)/package-lock.json $(CLIENT)/.npmrc build/page
	@echo "Installing amazon-chime-sdk-js, esbuild, TypeScript and axe-core into build/page"
	@cd build/page && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

page: $(VENV)/.page build/page/.installed  ## test the page of click-to-call in headless Chromium
	@[ -n "$(CHROMIUM)" ] || { echo "The page is tested in Chromium, and there is none here (Debian, Ubuntu: apt \
	install chromium). Or name it: make page CHROMIUM=/path" >&2; exit 1; }
	@cp $(CLIENT)/*.ts $(CLIENT)/tsconfig.json build/page && cd build/page && node node_modules/typescript/bin/tsc
	@XDG_CACHE_HOME="$(abspath build)/cache" SMA_FLOWS_PAGE_TOOLS="$(abspath build/page)" CHROMIUM="$(CHROMIUM)" \
		$(BIN)/python -m pytest -n 2 tests/web/page

wheel: $(VENV)/.developer  ## build the wheel into dist/, with the page in it
	@$(BIN)/python -m sma_flows.web.page.bundle src/sma_flows/web/page/built
	@$(PIP) wheel --quiet --no-deps --wheel-dir dist .; made=$$?; rm -rf src/sma_flows/web/page/built; exit $$made

bench: $(VENV)/.developer  ## measure, and write docs/benchmarks.md
	@$(BIN)/python -m benchmarks

# `sam build` calls this with a folder of its own, see flows/Makefile. PREVIOUS: plans whose calls may still run.
# HOLD=yes: new calls stay with them until `sma-flows rollout` gives the new revisions a share.
OUTPUT ?= build/function

build: $(VENV)/.installed  ## build the Lambda function into build/function
	@$(BIN)/sma-flows build flows -o "$(OUTPUT)" $(addprefix --previous ,$(PREVIOUS)) $(if $(HOLD),--hold)

resources: $(VENV)/.installed
	@$(BIN)/sma-flows build --resources -o "$(or $(filter-out build/function,$(OUTPUT)),build/resources)"

web: $(VENV)/.installed
	@$(BIN)/sma-flows build flows --web -o "$(or $(filter-out build/function,$(OUTPUT)),build/web)" $(addprefix --previous ,$(PREVIOUS)) $(if $(HOLD),--hold)

runtime: $(VENV)/.developer  ## run the flows in the real Lambda runtime on this machine (Linux)
	@$(BIN)/sma-flows runtime flows

docs: $(VENV)/.developer  ## write the generated pages of docs/ and the generated blocks of README.md
	@$(BIN)/python docs/generate.py

events: $(VENV)/.developer  ## play tests/flows/stories into events/ again; read the difference before you commit it
	@$(BIN)/python -m tests.flows.make_events

clean:  ## remove what was built, and the environment
	@rm -rf $(VENV) $(VENV)-template .aws-sam build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
