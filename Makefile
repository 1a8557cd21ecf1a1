# Everything starts here: `make demo` for the report, `make test` for the proof.
# EXTRAS adds further optional parts of the installation, for example: make test EXTRAS=benchmark
# LOCKED=1 works in an environment of its own, of exactly the releases in .ci/locked, whose hashes are checked
# (Linux x86_64, Python 3.11; torch with what CUDA needs, some gigabytes)

PYTHON ?= python3
EXTRAS ?=
LOCKED ?=
VENV := .venv$(if $(LOCKED),-locked)
BIN := $(VENV)/bin
comma := ,
PARTS := test,lint,learning,sb3,dask,ray,weather$(if $(EXTRAS),$(comma)$(EXTRAS))

PIP := $(BIN)/python -m pip install --quiet

# the releases of a lock file, then the checkout, which asks for nothing more
define locked
	$(PIP) --no-compile --require-hashes -r .ci/locked/$(1).txt
	$(PIP) --no-deps --no-build-isolation -e .
endef

.PHONY: demo test test-long lint docs format clean lock audit

# needs no more than the solvers and planners: no torch
demo: $(VENV)/planners
	$(BIN)/stepwatt demo --out demo/report.html

# dozens of processes of the tests import the same files: each is compiled once
unexport PYTHONDONTWRITEBYTECODE

# a file's tests share what they set up: they go to one of the two processes
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile

test: $(VENV)/everything
	$(PYTEST)

# the same claims on many more drawn examples and with threads, for an hour
test-long: $(VENV)/everything
	STEPWATT_HYPOTHESIS=long OMP_NUM_THREADS=2 $(PYTEST)

lint: $(VENV)/everything
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python .ci/assembled.py mypy
	$(BIN)/python .ci/assembled.py imports

# the pages of docs/ as a site in build/site; a warning is an error
docs: $(VENV)/everything
	$(if $(LOCKED),,$(BIN)/python -m pip install --quiet -c .ci/small.txt -e '.[docs]')
	$(BIN)/python .ci/assembled.py docs
	@echo "open build/site/index.html in a browser"

format: $(VENV)/everything
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf build dist demo *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# both install again whenever the project's description changes
$(VENV)/planners: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(if $(LOCKED),$(call locked,demo),$(PIP) --no-compile -c .ci/small.txt -e '.[planners]')
	touch $@

$(VENV)/everything: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(if $(LOCKED),$(call locked,test),$(PIP) -c .ci/small.txt -e '.[$(PARTS)]')
	touch $@ $(VENV)/planners

# the newest releases that fit, with their hashes; needs uv
lock:
	.ci/lock

# whether a release of the lock has known holes, as PyPI tells; one it does not know fails, too; needs pip-audit
audit:
	pip-audit --strict --disable-pip --require-hashes -r .ci/locked/test.txt

# measures every target of the solvers, for hours; ARGS=--quick for minutes
.PHONY: bench-solvers
bench-solvers: $(VENV)/everything
	$(BIN)/python -m pip install --quiet -e '.[benchmark]'
	$(BIN)/python -m benchmarks.solvers $(ARGS)

# the studies of the learning half, for hours, resumed where they were interrupted; ARGS=--quick for minutes
.PHONY: bench-learning
bench-learning: $(VENV)/everything
	$(BIN)/python -m pip install --quiet -e '.[benchmark]'
	for study in regimes from_clone recent_past sites shipped convergence methods volatility heterogeneity sensitivity report; do \
		$(BIN)/python -m benchmarks.learning.$$study $(ARGS) || exit 1; done
