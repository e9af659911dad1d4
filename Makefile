PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint format clean

demo: .venv/demo
	$(BIN)/python benchmarks/demo.py --picture label_efficiency.png

# As many processes as cores, of one thread each: more would wait for one another.
test: .venv/test lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: .venv/test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# An environment is made anew when what it installs from has changed.
.venv/python:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	touch $@

.venv/demo: .venv/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[demo]"
	touch $@

.venv/test: .venv/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[demo,test]"
	touch $@

clean:
	rm -rf .venv build dist .pytest_cache .ruff_cache
