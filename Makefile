# The commands of the house. Each works on a fresh machine with Python >= 3.11 and installs what it needs.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --require-hashes -r
OUT := .local/package
export PIP_NO_INPUT := 1

.DEFAULT_GOAL := help
.PHONY: help setup up down run test check types templates bench bench-peers conditions postgres docs package bootstrap deploy claim device-check invoke parking reconcile replay lock chromium stage

help:
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

run: setup ## start the local stack, play the recovery story once, keep serving until Ctrl-C
	@$(BIN)/python -m infra.local.story

up: setup ## start the local stack in the background; .local/stack.json says where everything is
	@$(BIN)/python -m infra.local.stack up

down: .venv/ready ## stop the local stack
	@$(BIN)/python -m infra.local.stack down

check: .venv/ready ## formatter, linter, types, import contracts, templates
	@$(MAKE) --no-print-directory -j2 types templates

types:
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy

templates:
	@$(BIN)/python -m infra.rules
	@$(BIN)/cfn-lint infra/tables.yaml infra/iot.yaml .local/check/sam.yaml

test: setup chromium ## everything CI runs
	@$(BIN)/python -m tests.run

bench: setup ## benchmarks: a table and .local/bench.json (PARTS="hot race": only these)
	@$(BIN)/python -m tests.bench $(PARTS)

conditions: .venv/ready ## is every condition of the money's writes missed by a test? some ten minutes
	@$(BIN)/python -m tests.bench.conditions

bench-peers: setup .venv-peers/ready postgres ## the coupon race beside django-oscar: a table and .local/bench-peers.json
	@$(BIN)/python -m tests.bench.peers

docs: .venv/ready ## openapi.yaml, states.md, facts.yaml, the table in security.md and the table of rooms, from the code
	@$(BIN)/python -m infra.rooms
	@$(BIN)/python -m infra.docs

package: .venv/ready stage ## the CloudFormation artefacts, the same for every stage
	@$(BIN)/python -m infra.package --out $(OUT)

bootstrap: .venv/ready stage ## what an AWS account needs before STAGE= can be deployed
	@$(BIN)/python -m infra.bootstrap $(STAGE)

deploy: .venv/ready stage ## tables, app and IoT stacks of STAGE= to AWS, with ordinary credentials
	@$(BIN)/python -m infra.deploy $(STAGE)

claim: .venv/ready stage ## a claim certificate for a batch of telematics units of STAGE= into FOLDER=
	@$(BIN)/python -m infra.claim $(STAGE) "$(FOLDER)"

device-check: .venv/ready ## does a telematics unit keep the protocol? THING=car_id of the local stack, or a folder (ARGS="--host ...")
	@$(BIN)/python -m infra.device_check "$(THING)" $(ARGS)

invoke: .venv/ready ## one Lambda with one sample event, on the local stack: EVENT=events/...json
	@$(BIN)/python -m infra.local.invoke "$(EVENT)"

parking: .venv/ready stage ## the national data set of car parks into STAGE=: FILE=... (FORCE=1 to shrink what is there)
	@$(BIN)/python -m infra.parking "$(FILE)" $(STAGE) $(if $(FORCE),--force)

reconcile: .venv/ready stage ## do the books of STAGE= agree with checkouts and counters? CAMPAIGN=... reads one book whole
	@$(BIN)/python -m infra.reconcile $(STAGE) $(CAMPAIGN)

replay: .venv/ready stage ## what failed for good in CONTEXT= of STAGE= goes back to where it failed (DRY_RUN=1 only shows it)
	@$(BIN)/python -m infra.replay "$(CONTEXT)" $(STAGE) $(if $(DRY_RUN),--dry-run)

setup: .venv/ready .venv-emulator/ready ## the two virtual environments: ours, and the emulator's own

.venv/ready: requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "handover needs Python 3.11 or newer: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "  installing what handover needs into .venv ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python $(PIP_INSTALL) $<
	@touch $@

.venv-emulator/ready: infra/local/emulator.lock
	@echo "  installing the emulator into .venv-emulator ..."
	@test -x .venv-emulator/bin/python || $(PYTHON) -m venv .venv-emulator
	@.venv-emulator/bin/python $(PIP_INSTALL) $<
	@touch $@

.venv-peers/ready: tests/bench/peers/peers.lock
	@echo "  installing django-oscar into .venv-peers ..."
	@test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	@.venv-peers/bin/python $(PIP_INSTALL) $<
	@touch $@

stage:
	@[[ "$(MAKECMDGOALS)" == *package* || "$(STAGE)" =~ ^[a-z][a-z0-9]{1,15}$$ ]] || { echo "say which stage, in lower case: make $(MAKECMDGOALS) STAGE=prod" >&2; exit 1; }

chromium:
	@if command -v chromium-headless-shell chromium >/dev/null || [ -x "$(CHROMIUM)" ]; then exit 0; fi; \
	if [ -f /etc/debian_version ] && [ "$$(id -u)" = 0 ]; then \
	  export DEBIAN_FRONTEND=noninteractive; apt-get update -qq; \
	  apt-get install -qq -y --no-install-recommends chromium-headless-shell fonts-noto-cjk >/dev/null \
	  || apt-get install -qq -y --no-install-recommends chromium fonts-noto-cjk >/dev/null; \
	else echo "the page tests need Chromium: install it, or set CHROMIUM=/path/to/it" >&2; exit 1; fi

postgres:
	@if command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then exit 0; fi; \
	if [ -f /etc/debian_version ] && [ "$$(id -u)" = 0 ]; then \
	  export DEBIAN_FRONTEND=noninteractive; apt-get update -qq; \
	  apt-get install -qq -y --no-install-recommends postgresql-common >/dev/null \
	  && sed -ri 's/^#?(create_main_cluster).*/\1 = false/' /etc/postgresql-common/createcluster.conf \
	  && apt-get install -qq -y --no-install-recommends postgresql >/dev/null; \
	else echo "the peers need PostgreSQL: install it (Debian: apt-get install postgresql)" >&2; exit 1; fi

LOCK := .venv-lock/bin/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras --no-annotate --no-header \
  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
lock: ## the newest versions that fit requirements-dev.in, infra/local/emulator.in and the peers'
	@test -x .venv-lock/bin/pip-compile || { $(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet pip-tools; }
	@$(LOCK) requirements-dev.in --output-file requirements-dev.lock
	@$(LOCK) infra/local/emulator.in --output-file infra/local/emulator.lock
	@$(LOCK) tests/bench/peers/peers.in --output-file tests/bench/peers/peers.lock
