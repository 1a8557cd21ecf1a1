# Everything starts here: `make demo` for the report, `make test` for the proof.
# EXTRAS adds further optional parts of the installation, for example: make demo EXTRAS=benchmark

PYTHON ?= python3
EXTRAS ?=
VENV := .venv
BIN := $(VENV)/bin
comma := ,
PARTS := test,lint,learning,sb3$(if $(EXTRAS),$(comma)$(EXTRAS))

.PHONY: demo test lint format clean

demo: $(VENV)/installed
	$(BIN)/stepwatt demo --out demo/report.html

test: $(VENV)/installed
	$(BIN)/python -m pytest -n 2

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python .ci/typecheck.py

format: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf build dist demo *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# installs again whenever the project's description changes
$(VENV)/installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -e '.[$(PARTS)]'
	touch $@

# measures every target of the solvers, for hours; ARGS=--quick for minutes
.PHONY: bench-solvers
bench-solvers: $(VENV)/installed
	$(BIN)/python -m pip install --quiet -e '.[test,benchmark]'
	$(BIN)/python -m benchmarks.solvers $(ARGS)

# the studies of the learning half, for hours, resumed where they were interrupted; ARGS=--quick for minutes
.PHONY: bench-learning
bench-learning: $(VENV)/installed
	$(BIN)/python -m pip install --quiet -e '.[learning,benchmark]'
	for study in convergence methods volatility heterogeneity sensitivity report; do \
		$(BIN)/python -m benchmarks.learning.$$study $(ARGS) || exit 1; done
