# Every target makes the environment that it needs: .venv, from the hashed lock file,
# with uv if it is there and else with pip. PYTHON=python3.13 chooses an interpreter.

VENV ?= .venv
PY := $(VENV)/bin/python
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then echo $$p; break; fi; done)
RUN_READY := $(VENV)/.ready-run
DEV_READY := $(VENV)/.ready-dev
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test check bench bench-notifications bench-peers bench-toolkit bench-checkpoints bench-pipelines bench-store bench-history bench-incremental bench-looking-back torture lock format docs clean bench-messages bench-triggers

help: ## say what the targets do
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(RUN_READY) ## check real flight data and write a report
	@$(PY) examples/demo.py

test: $(DEV_READY) ## run the tests, with the code of the documentation
	$(PY) -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

check: $(DEV_READY) ## format, lint, layers, types, dependencies
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(VENV)/bin/lint-imports
	$(PY) -m mypy
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(PY) -m pyright --verifytypes truthound --ignoreexternal
	$(VENV)/bin/deptry src

bench: $(DEV_READY) ## compare with the hand-written query
	$(PY) benchmarks/run.py $(ARGS)

bench-toolkit: $(DEV_READY) ## compare the asyncio toolkit with the bare way and other libraries
	$(PY) benchmarks/streams.py
	$(PY) benchmarks/runner.py --peers
	$(PY) benchmarks/http_client.py --peers
	$(PY) benchmarks/files.py

bench-checkpoints: $(DEV_READY) ## compare many checkpoints with a bare loop and the original
	$(PY) benchmarks/checkpoints.py --peers

bench-pipelines: $(DEV_READY) ## compare pipelines of sites with xargs and one by one
	$(PY) benchmarks/pipelines.py

bench-store: $(DEV_READY) ## compare a store with none, and with bare sqlite3
	$(PY) benchmarks/store.py

bench-looking-back: $(DEV_READY) ## faults found in real series, and false alarms
	$(PY) benchmarks/looking_back.py

bench-messages: $(DEV_READY) ## compare messages through trigger and checkpoint with the bare client
	$(PY) benchmarks/messages.py

bench-triggers: $(DEV_READY) ## from a file that arrives to its run, also among 100,000 files
	$(PY) benchmarks/triggers.py $(ARGS)

bench-incremental: $(DEV_READY) ## compare a new file in a folder of 50 with that file alone
	$(PY) benchmarks/incremental.py $(ARGS)

bench-history: $(DEV_READY) ## ask a store with a million runs
	$(PY) benchmarks/history.py $(ARGS)

bench-notifications: $(DEV_READY) ## compare notifications with the ideal and apprise
	$(PY) benchmarks/notifications.py

bench-peers: $(DEV_READY) ## compare with other libraries, each in its own environment
	$(PY) benchmarks/peers/run.py $(ARGS)

torture: $(DEV_READY) ## the tests again, with many more generated cases
	TRUTHOUND_TEST_PROFILE=torture $(PY) -m pytest -n $(WORKERS) --dist loadfile --timeout 3000 $(ARGS)

format: $(DEV_READY) ## write the code in its form
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

lock: ## resolve the lock files anew (needs uv)
	sh scripts/lock.sh

clean: ## remove what the targets made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist

# The stamps are written last: what was interrupted is made again. The environment for
# development holds all that the one for running does.
$(RUN_READY): requirements.lock pyproject.toml scripts/environment.sh scripts/metadata.py
	@if [ -f $(DEV_READY) ] && [ ! requirements-dev.lock -nt $(DEV_READY) ]; \
	then touch $@; \
	else sh scripts/environment.sh "$(PYTHON)" $(VENV) requirements.lock; touch $@; fi

$(DEV_READY): requirements-dev.lock pyproject.toml scripts/environment.sh scripts/metadata.py
	@sh scripts/environment.sh "$(PYTHON)" $(VENV) requirements-dev.lock
	@touch $(RUN_READY) $@
