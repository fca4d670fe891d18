# `make demo` and `make test` do all the set-up. Both may be run again; the second time is quick.

PYTHON ?= python3
ARGS ?=
WORKERS ?= --numprocesses $(shell expr 2 \* $$(nproc 2>/dev/null || echo 2) + 1) --dist loadscope --no-loadscope-reorder

VENV := .venv
PY := $(VENV)/bin/python
# An environment belongs to the folder it was made in: a moved or copied one is installed again.
HERE := $(shell printf '%s' '$(CURDIR)' | cksum | cut -d ' ' -f 1)
DEMO_READY := $(VENV)/.demo-$(HERE)
TEST_READY := $(VENV)/.test-$(HERE)
LOWEST := .venv-lowest
LOWEST_PY := $(LOWEST)/bin/python
LOWEST_INSTALL := $(LOWEST)/bin/uv pip install --quiet --python $(LOWEST_PY) --resolution lowest-direct
# What the emulated account needs without a full MLflow, and what runs tests.
EMULATOR := 'moto[s3]>=5.2.5,<5.3' 'flask>=3,<4' 'flask-cors>=4,<7' 'werkzeug>=3,<4'
RUNNERS := 'pytest>=8.2,<10' 'pytest-xdist>=3.6,<4' 'hypothesis>=6.100,<7'
# Tests of a server, and of SageMaker's plugin for MLflow, need what the lowest mlflow-skinny has not.
SKINNY_TESTS := tests/unit tests/stores tests/sync --ignore=tests/stores/test_rest_server.py \
  --ignore=tests/stores/test_sagemaker_mlflow.py --deselect=tests/stores/test_lineage.py::test_lineage_over_rest
FULL_TESTS := tests/stores/test_rest_server.py tests/overlay tests/server tests/cli

METADATA := setup.py pyproject.toml mlflow_smwatch/_version.py
PIP_INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.PHONY: all demo test test-all bounds coverage lint fmt type walls bench docs build clean

all: lint type walls test ## everything that must be clean before a commit

demo: $(DEMO_READY) ## an emulated account, mirrored and shown: make demo ARGS=--no-serve
	@exec $(VENV)/bin/smwatch demo $(ARGS)

test: $(TEST_READY) ## the tests, except the slow ones
	@exec $(PY) -m pytest -m "not slow" $(WORKERS) $(ARGS)

test-all: $(TEST_READY) ## all tests
	@exec $(PY) -m pytest $(WORKERS) $(ARGS)

bounds: ## tests with the lowest versions that setup.py allows, without and with a full MLflow
	@$(PYTHON) -m venv --clear $(LOWEST)
	@$(LOWEST_PY) -m pip install --quiet --disable-pip-version-check uv
	@$(LOWEST_INSTALL) --editable '.[dask,postgresql]' $(EMULATOR) $(RUNNERS)
	@$(LOWEST_PY) -m pytest -m "not slow" $(WORKERS) $(SKINNY_TESTS) $(ARGS)
	@$(LOWEST_INSTALL) --editable '.[demo,dask,postgresql]' 'sagemaker-mlflow>=0.1' $(RUNNERS)
	@$(LOWEST_PY) -m pytest -m "not slow" $(WORKERS) $(FULL_TESTS) $(ARGS)

faults: $(TEST_READY) ## both sides fail in every way: all faults, many seeds (SMWATCH_TEST_SEEDS=40)
	@exec $(PY) -m pytest tests/faults $(WORKERS) $(ARGS)

coverage: $(TEST_READY) ## all tests, with branch coverage
	@$(PY) -m coverage erase
	@$(PY) -m coverage run -m pytest $(ARGS)
	@$(PY) -m coverage combine --quiet
	@$(PY) -m coverage report

lint: $(TEST_READY) ## rules and format, nothing changed
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

fmt: $(TEST_READY) ## format and mend what can be mended
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

type: $(TEST_READY) ## strict types
	@$(PY) -m mypy

walls: $(TEST_READY) ## which room may import which
	@$(PY) -c "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_logo=True))"

bench: $(TEST_READY) ## benchmarks; see benchmarks/
	@exec $(PY) -m benchmarks $(ARGS)

docs: $(TEST_READY) ## the pages of docs/ as HTML in build/docs
	@$(PIP_INSTALL) --editable '.[docs]' 1>&2
	@$(PY) -m sphinx --quiet -C -D extensions=myst_parser \
	  -D root_doc=architecture -D suppress_warnings=toc.not_included docs build/docs

build: $(TEST_READY) ## sdist and wheel in dist/
	@$(PY) -m build --outdir dist .

clean: ## remove what these targets made, the demo's database excepted
	rm -rf $(VENV) $(LOWEST) build dist *.egg-info .coverage .coverage.* htmlcov
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "smwatch needs Python 3.10 or newer: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) 1>&2 || { rm -rf $(VENV); \
	  echo "no virtual environment can be made; on Debian: apt-get install python3-venv" >&2; \
	  exit 1; }

$(DEMO_READY): $(METADATA) | $(PY)
	@echo "installing into $(VENV) (a minute or two, once)" >&2
	@$(PIP_INSTALL) --editable '.[demo]' 1>&2
	@touch $@

$(TEST_READY): $(METADATA) | $(PY)
	@echo "installing into $(VENV) (a minute or two, once)" >&2
	@$(PIP_INSTALL) --editable '.[demo,test]' 1>&2
	@touch $(DEMO_READY) $@
