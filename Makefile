# `make run` and `make test` each set up what they need; nothing else is needed than Python 3.11+ and make.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help run test test-stack quick lint check bench bench-loop bench-drift soak screenshots lock clean

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 13

# Once made it is left alone until the lock changes.
.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Rebento needs Python 3.11 or newer; set PYTHON=" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	test -x $(BIN)/uv || $(BIN)/pip install --quiet "$$(grep -o '^uv==[0-9.]*' requirements.lock)"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

run: .venv/ready  ## train a first model where there is none, serve it, say what runs where
	$(BIN)/rebento up

test: .venv/ready  ## every test, the slow journeys too; those in containers are test-stack's
	$(BIN)/pytest -n auto --dist loadgroup -p no:cacheprovider -m "not docker"

# One process: one engine, and images that are built once. It fails where no engine can be had.
test-stack: .venv/ready  ## docker-compose.yml and a Bento's own image on a real Docker engine
	$(BIN)/pytest -p no:cacheprovider -v -rP -m docker tests/stack tests/journeys/test_container.py

quick: .venv/ready  ## the tests that take seconds
	$(BIN)/pytest -n auto --dist loadgroup -m "not slow and not docker"

lint: .venv/ready  ## formatter, linter, strict types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint test  ## lint, and every test (import directions among them)

bench: .venv/ready  ## measure the serving path against servers made by hand; prints a table
	$(BIN)/python -m benchmarks.serving
	$(BIN)/python -m benchmarks.swap
	$(BIN)/python -m benchmarks.scrape
	$(BIN)/python -m benchmarks.pages
	$(BIN)/python -m benchmarks.reporting

bench-loop: .venv/ready  ## replay real streams through the loop; fails where a promise is not kept
	$(BIN)/python -m benchmarks.loop
	$(BIN)/python -m benchmarks.closing

soak: .venv/ready  ## five minutes of calls while anything happens; fails where a promise is not kept
	$(BIN)/python -m benchmarks.soak

bench-drift: .venv/ready  ## how far the drift alarm can be trusted; fails where a promise is not kept
	$(BIN)/python -m benchmarks.drift
	$(BIN)/python -m benchmarks.estimation

screenshots: .venv/ready  ## pictures of every page of a made-up installation, in docs/screenshots
	$(BIN)/python scripts/screenshots.py docs/screenshots

COMPILE := $(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --no-annotate
EXTRAS := --extra training --extra reporting --extra web --extra grafana

lock: .venv/ready  ## resolve the lock files anew
	$(COMPILE) $(EXTRAS) --extra dev pyproject.toml -o requirements.lock
	grep -E '^[a-z0-9]' requirements.lock | sed 's/ *\\$$//' > .venv/constraints.txt
	$(COMPILE) -c .venv/constraints.txt pyproject.toml -o requirements-serving.lock
	$(COMPILE) -c .venv/constraints.txt --extra cli pyproject.toml -o requirements-service.lock
	$(COMPILE) -c .venv/constraints.txt $(EXTRAS) pyproject.toml -o requirements-full.lock
	echo 'setuptools>=80' | $(COMPILE) -c .venv/constraints.txt - -o deploy/build.lock

clean:  ## remove the environment and caches, never var/
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache
