# All set-up is in here: `make demo` and `make test` work in a fresh clone. Nothing is installed outside .venv.

PYTHON := $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv --quiet
INSTALL := VIRTUAL_ENV=$(VENV) $(UV) pip install --no-deps --require-hashes --compile-bytecode
ROOMS := ingest detect classify storage api infra
ALONE := bench camera_bench camera_commands compose_run demo endurance job_chaos killed_aggregator live outages preview_api scale_out substream watch workers
MODELS := $(VENV)/share/maskwatch/models
CONSOLE := $(VENV)/share/maskwatch/console
SCRIPTS := $(VENV)/share/maskwatch/npm
# The lock names no registry: npm asks the one that it is set up for.
NPM = cd $(SCRIPTS) && PATH="$$PATH:$(abspath $(BIN))" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error

# Without, each of the many processes compiles everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup setup-demo setup-dev setup-train demo test test-slow proof check fmt bench lock clean

help:
	@echo "make demo        set up, run the whole system with two demo cameras (make demo DURATION=60 ends by itself)"
	@echo "make test        set up, run the tests (under 6 minutes)"
	@echo "make check       ruff, mypy --strict, import directions"
	@echo "make test-slow   the long tests, training included"
	@echo "make proof       the full counts behind the figures in docs/"
	@echo "make bench       speed on this machine"

$(VENV)/.installer: requirements-setup.lock
	@test -n "$(PYTHON)" || { echo "set-up: Python 3.11 or 3.12 is needed: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' \
	  || { echo "set-up: Python 3.11 or 3.12 is needed, $(PYTHON) is another version; name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "set-up: no virtual environment can be made: apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements-setup.lock
	@touch $@

$(VENV)/.runtime: $(VENV)/.installer requirements.lock requirements-models.lock detect/models.py pyproject.toml
	$(INSTALL) -r requirements.lock
	VIRTUAL_ENV=$(VENV) $(UV) pip install --no-deps --no-build-isolation --editable .
	$(BIN)/python -m detect.fetch $(MODELS)
	@# Every process of the system would compile what it imports, where the environment forbids keeping the result.
	$(BIN)/python -m compileall -q $(ROOMS)
	@touch $@

$(VENV)/.console: $(VENV)/.installer requirements-console.lock api/console/package.json api/console/package-lock.json
	command -v npm > /dev/null || $(INSTALL) -r requirements-console.lock
	rm -rf $(CONSOLE) $(SCRIPTS)
	mkdir -p $(CONSOLE) $(SCRIPTS)
	cp api/console/package.json api/console/package-lock.json $(SCRIPTS)
	$(NPM) --omit=dev > /dev/null
	@# Only what the console asks for is served.
	cp $(SCRIPTS)/node_modules/preact/dist/preact.mjs $(CONSOLE)/preact.js
	cp $(SCRIPTS)/node_modules/preact/hooks/dist/hooks.mjs $(CONSOLE)/hooks.js
	cp $(SCRIPTS)/node_modules/htm/dist/htm.module.js $(CONSOLE)/htm.js
	cp $(SCRIPTS)/node_modules/uplot/dist/uPlot.esm.js $(CONSOLE)/uplot.js
	cp $(SCRIPTS)/node_modules/uplot/dist/uPlot.min.css $(CONSOLE)/uplot.css
	@touch $@

$(VENV)/.demo: $(VENV)/.runtime $(VENV)/.console requirements-demo.lock
	$(INSTALL) -r requirements-demo.lock
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime $(VENV)/.console requirements-dev.lock
	$(INSTALL) -r requirements-dev.lock
	@# What looks at the console's pages in its tests.
	$(NPM) > /dev/null
	@touch $@

$(VENV)/.train: $(VENV)/.runtime requirements-train.lock
	$(INSTALL) -r requirements-train.lock
	@touch $@

setup: $(VENV)/.runtime $(VENV)/.console
setup-demo: $(VENV)/.demo
setup-dev: $(VENV)/.dev
setup-train: $(VENV)/.train

demo: $(VENV)/.demo
	$(BIN)/maskwatch demo $(if $(DURATION),--duration $(DURATION))

# Many tests wait rather than compute.
test: $(VENV)/.dev
	$(BIN)/pytest -n 3 --dist loadfile

# What lives by the clock, or measures, has the machine to itself.
test-slow: $(VENV)/.dev $(VENV)/.train
	$(BIN)/pytest -m slow -n 2 --dist loadfile $(ALONE:%=--ignore=tests/test_%.py)
	$(BIN)/pytest -m slow $(ALONE:%=tests/test_%.py)

proof: $(VENV)/.dev $(VENV)/.train
	MASKWATCH_PROOF=1 $(BIN)/pytest -m "slow or not slow"

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.demo
	$(BIN)/maskwatch bench kernels
	$(BIN)/maskwatch bench pipeline

# Locks name no index; every set has the same versions, since all are made within one common resolution.
COMPILE = VIRTUAL_ENV=$(VENV) $(UV) pip compile --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header --no-annotate
lock: $(VENV)/.installer
	$(COMPILE) pyproject.toml --all-extras -o $(VENV)/all.lock
	$(COMPILE) pyproject.toml -c $(VENV)/all.lock -o requirements.lock
	$(COMPILE) pyproject.toml --extra demo -c $(VENV)/all.lock -o requirements-demo.lock
	$(COMPILE) pyproject.toml --extra demo --extra dev -c $(VENV)/all.lock -o requirements-dev.lock
	$(COMPILE) pyproject.toml --extra train -c $(VENV)/all.lock -o requirements-train.lock
	$(COMPILE) requirements-setup.in -o requirements-setup.lock
	$(COMPILE) requirements-console.in -o requirements-console.lock
	cd api/console && PATH="$$PATH:$(abspath $(BIN))" npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund

clean:
	rm -rf $(VENV) maskwatch-data .pytest_cache .mypy_cache .ruff_cache .hypothesis
