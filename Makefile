# `make study` and `make test` are all that a fresh machine needs: Python 3.11 or later, git, make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# For `make bench`: a script that does the work by hand, and folders mnist/ and cifar10-jpeg/.
PEER ?= ../shared/peers/tutorial.py
DATA ?= ../shared/data
PEER_SEEDS ?= 1

.PHONY: study test test-faults bench clean

study: $(READY) ## run the default study, write its report, print its verdicts
	$(BIN)/ptq-vs-qat run digits --out results/my-digits

test: $(READY) ## linters, types, doors, tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n auto --maxprocesses 4 --no-loadscope-reorder

test-faults: $(READY) ## the long tests of faults: 45 minutes at most
	$(BIN)/pytest -m faults

bench: $(READY) ## all figures of docs/performance.md; 75 minutes on 2 cores with nothing else running
	$(BIN)/python docs/benchmarks/speed.py --peer $(PEER) --data $(DATA) --peer-seeds $(PEER_SEEDS)
	$(BIN)/python docs/benchmarks/limits.py
	$(BIN)/python docs/benchmarks/cluster_shape.py
	$(BIN)/python docs/benchmarks/scale.py

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; make PYTHON=python3.12 names one")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
