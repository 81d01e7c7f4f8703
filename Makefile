# The two commands that matter: `make demo` and `make test`. Both set everything up by themselves.

BIN := .venv/bin

.PHONY: demo test setup lint types fresh wheel bench clean

demo: setup
	$(BIN)/python -m wirelaw.tools.demo

test: setup
	$(BIN)/pytest -q

setup: .venv/.ready

.venv/.ready: pyproject.toml tools/setup.sh
	sh tools/setup.sh

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/wirelaw fmt --check

types: setup
	$(BIN)/mypy

# What is emitted from the law is what is committed; the law is sound.
fresh: setup
	$(BIN)/wirelaw generate --check
	$(BIN)/wirelaw check --no-cache

wheel: setup
	sh tools/wheel_check.sh

bench: setup
	$(BIN)/wirelaw bench tcp

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist report *.egg-info
