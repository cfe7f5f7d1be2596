# Two commands matter to a newcomer: `make run` and `make test`. The rest is for those who change the code.
SHELL := /bin/bash
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3

.PHONY: run test fmt lint type bench storm tour test-real install lock messages clean

run: $(VENV)/.run
	@$(BIN)/gongkai --config config.toml run --port $(PORT)

test: $(VENV)/.dev
	@$(BIN)/python -m tests.needs
	$(BIN)/pytest -q -n 2 --dist loadgroup

fmt: $(VENV)/.dev
	$(BIN)/ruff format bot tests
	$(BIN)/ruff check --fix bot tests

lint: $(VENV)/.dev
	$(BIN)/ruff format --check bot tests
	$(BIN)/ruff check bot tests

type: $(VENV)/.dev
	$(BIN)/mypy

bench: $(VENV)/.dev
	$(BIN)/python -m tests.bench

storm: $(VENV)/.dev
	$(BIN)/python -m tests.storm --long

tour: $(VENV)/.dev
	$(BIN)/python -m tests.tour

test-real: $(VENV)/.dev
	$(BIN)/pytest -q -m real -rs --run-real

install: $(VENV)/.dev

# uv where present; else the registry's uv, kept inside the project's own environment.
$(BIN)/python:
	@if command -v uv >/dev/null; then uv venv -q --python "$$(command -v $(PYTHON))" $(VENV); \
	else $(PYTHON) -m venv $(VENV) && $(BIN)/pip install -q --disable-pip-version-check uv; fi

$(VENV)/.run: requirements.lock pyproject.toml | $(BIN)/python
	@UV=$$(command -v uv || echo $(BIN)/uv); \
	$$UV pip install -q --python $(BIN)/python --require-hashes -r requirements.lock && \
	$$UV pip install -q --python $(BIN)/python --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	@UV=$$(command -v uv || echo $(BIN)/uv); \
	$$UV pip install -q --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@touch $@

lock:
	uv pip compile -q --universal --generate-hashes --no-header --no-emit-index-url pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-header --no-emit-index-url --extra postgres --extra dev pyproject.toml -o requirements-dev.lock

messages: $(VENV)/.dev
	$(BIN)/pybabel -q extract -F babel.cfg -k Say -k _ --no-location --sort-output -o bot/locale/gongkai.pot bot
	$(BIN)/pybabel -q update -D gongkai -i bot/locale/gongkai.pot -d bot/locale --no-fuzzy-matching --ignore-obsolete
	$(BIN)/pybabel -q compile -D gongkai -d bot/locale
	$(BIN)/pybabel -q compile -D click -d bot/locale

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
