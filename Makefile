# Needs Python 3.11 or later and make; everything else comes into .venv.
PYTHON ?= python3
BIN := .venv/bin
INSTALL = $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-input --require-hashes
COMPILE = $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-annotate --no-header \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links
# The stamps carry the content of the requirements: what is installed already costs nothing, what changed is seen.
RUNTIME := .venv/.runtime-$(shell cat requirements.txt | cksum | tr ' ' -)
TOOLS := .venv/.tools-$(shell cat requirements.txt requirements-dev.txt | cksum | tr ' ' -)

.PHONY: help run test check bench standby faults states screenshots requirements release-check sbom secrets clean
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

run: $(RUNTIME) ## the whole product on this machine; PORT, VAR_DIR, DEMO=0 and every other setting are heard
	@exec $(BIN)/python -m guitaronline.local

test: $(TOOLS) ## all tests, on servers of their own; those in a browser where there is one or it can be installed (CHROMIUM)
	@$(BIN)/python -m tests.browser.chromium
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

check: $(TOOLS) ## format, lint, types, import contracts, rules of the house, scanners, migrations, generated pages
	@$(BIN)/ruff format --check --quiet . || { echo "not formatted: ruff format ."; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m tests.architecture.rules
	@$(BIN)/python -m tests.architecture.secrets
	@$(BIN)/bandit --quiet --severity-level high --recursive --configfile pyproject.toml guitaronline jobs migrations config.py wsgi.py
	@$(BIN)/python -m guitaronline.local exec -- sh -ec ' \
		heads=$$(flask --app wsgi db heads | wc -l); test $$heads = 1 || { echo "$$heads newest migrations, must be one"; exit 1; }; \
		python migrations/lint.py; \
		flask --app wsgi db check; \
		flask --app wsgi docs check'

bench: $(TOOLS) ## how fast it is here; CONSOLE=1: the console's pages, beside two other admin consoles; HORIZON=1: hours into slots; EXPIRY=1: packages that expire; MESSAGES=1: mails
	@$(BIN)/python bench/$(if $(MESSAGES),messages,$(if $(EXPIRY),expiry,$(if $(HORIZON),horizon,$(if $(CONSOLE),console,run)))).py

standby: $(TOOLS) ## the database's machine is lost under load: a standby takes over, and a moment is restored from the log
	@$(BIN)/python bench/standby.py

release-check: $(TOOLS) ## from the last release to this tree and back, with people at work; FROM=tag, STUDENTS=4, PAUSE=5
	@$(BIN)/python bench/release.py

sbom: $(TOOLS) ## bill of materials of what is installed to run it: var/sbom.json (CycloneDX)
	@mkdir -p var
	@$(BIN)/cyclonedx-py requirements requirements.txt --pyproject pyproject.toml --output-reproducible --validate --output-file var/sbom.json

secrets: $(TOOLS) ## after a look at what `make check` found: what is no secret, by file, in .ci/no-secrets.json
	@$(BIN)/python -m tests.architecture.secrets --keep

faults: $(TOOLS) ## everything that can go wrong, under load, and what must hold after it; FULL=1: 200 kills of each and a million operations; CANARIES=1: each guard taken away
	@$(BIN)/python -m bench.faults

states: $(RUNTIME) ## write docs/states.md from the state tables
	@$(BIN)/flask --app wsgi docs states

screenshots: $(TOOLS) ## docs/screenshots/*.png, from a fresh demo school
	@$(BIN)/python -m tests.browser.chromium
	@$(BIN)/python -m tests.browser.screenshots

requirements: $(TOOLS) ## compile requirements*.txt from requirements*.in
	@$(COMPILE) --output-file requirements.txt requirements.in
	@$(COMPILE) --output-file requirements-dev.txt requirements-dev.in
	@$(COMPILE) --output-file bench/requirements.txt bench/requirements.in

clean: ## start over: removes the local data in VAR_DIR, and caches
	@if test -x $(BIN)/python; then $(BIN)/python -m guitaronline.local wipe; fi
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

$(RUNTIME): | .venv
	@echo "installing requirements (first time, or they changed)"
	@$(INSTALL) -r requirements.txt
	@rm -f .venv/.runtime-* && touch $@

$(TOOLS): | .venv
	@echo "installing requirements of tests and checks (first time, or they changed)"
	@$(INSTALL) -r requirements.txt -r requirements-dev.txt
	@rm -f .venv/.tools-* .venv/.runtime-* && touch $@ $(RUNTIME)

.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed, $(PYTHON) is older: make PYTHON=python3.13 …"; exit 1; }
	@$(PYTHON) -m venv .venv
