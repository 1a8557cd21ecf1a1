# Everything starts here: `make demo` for the report, `make test` for the proof.
# EXTRAS adds further optional parts of the installation, for example: make test EXTRAS=benchmark

PYTHON ?= python3
EXTRAS ?=
VENV := .venv
BIN := $(VENV)/bin
comma := ,
PARTS := test,lint,learning,sb3,dask,ray,weather$(if $(EXTRAS),$(comma)$(EXTRAS))

.PHONY: demo test test-long lint format clean

# needs no more than the solvers and planners: no torch
demo: $(VENV)/planners
	$(BIN)/stepwatt demo --out demo/report.html

test: $(VENV)/everything
	$(BIN)/python -m pytest -n 2

# the same claims on many more drawn examples, for an hour
test-long: $(VENV)/everything
	STEPWATT_HYPOTHESIS=long $(BIN)/python -m pytest -n 2

lint: $(VENV)/everything
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python .ci/assembled.py mypy
	$(BIN)/python .ci/assembled.py imports

format: $(VENV)/everything
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf build dist demo *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# both install again whenever the project's description changes
$(VENV)/planners: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile -c .ci/small.txt -e '.[planners]'
	touch $@

$(VENV)/everything: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c .ci/small.txt -e '.[$(PARTS)]'
	touch $@ $(VENV)/planners

# measures every target of the solvers, for hours; ARGS=--quick for minutes
.PHONY: bench-solvers
bench-solvers: $(VENV)/everything
	$(BIN)/python -m pip install --quiet -e '.[benchmark]'
	$(BIN)/python -m benchmarks.solvers $(ARGS)

# the studies of the learning half, for hours, resumed where they were interrupted; ARGS=--quick for minutes
.PHONY: bench-learning
bench-learning: $(VENV)/everything
	$(BIN)/python -m pip install --quiet -e '.[benchmark]'
	for study in convergence methods volatility heterogeneity sensitivity report; do \
		$(BIN)/python -m benchmarks.learning.$$study $(ARGS) || exit 1; done
