# `make book` and `make test` need Python >= 3.11 and nothing else: the environment is made in .venv, as requirements.lock says.
# Another Python: make book PYTHON=python3.13

.DEFAULT_GOAL := help
.PHONY: help book test test-fast lab publish lock check bench clean
SHELL := /bin/bash
UV := 0.13.8

# the first Python that is new enough
PYTHON ?= $(firstword $(foreach p,python3 python3.11 python3.12 python3.13 python3.14 python,\
	$(shell $(p) -c 'import sys; print("$(p)" if sys.version_info >= (3, 11) else "")' 2>/dev/null)))
BIN := .venv/bin
READY := .venv/.ready
# files that a kill could leave half-made are not kept
.DELETE_ON_ERROR:

help:
	@echo 'make book       execute the chapters that changed and build the site'
	@echo 'make test       all tests, checks of style and types not included; under 20 minutes'
	@echo 'make test-fast  the tests that take seconds'
	@echo 'make check      style, types, and that both halves of each chapter agree'
	@echo 'make lab        open the chapters in JupyterLab'
	@echo 'make publish    execute at the quick profile and write the notebooks that are committed'
	@echo 'make lock       resolve the dependencies again: requirements.lock and environment.yml'
	@echo 'make bench      speed against peers'
	@echo 'make clean      delete the built book; trained runs and data stay'

$(READY): requirements.lock pyproject.toml
	@test -n '$(PYTHON)' || { echo 'posenb needs Python 3.11 or newer and found none: install it, or say make PYTHON=/path/to/python'; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo 'posenb needs Python 3.11 or newer; $(PYTHON) is older or missing: say make PYTHON=/path/to/python'; exit 1; }
	@test -x $(BIN)/python || '$(PYTHON)' -m venv .venv \
		|| { echo '$(PYTHON) cannot make virtual environments: install its venv module (on Debian and Ubuntu: python3-venv)'; rm -rf .venv; exit 1; }
	@echo 'Installing what requirements.lock lists into .venv (once; some minutes, a few GB on Linux)'
	@{ $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV) \
		&& $(BIN)/uv pip install --python $(BIN)/python --quiet --require-hashes -r requirements.lock \
		&& $(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --no-build-isolation -e . ; } \
		|| { echo 'The packages could not be installed: the lines above say why. Is there a connection to a package index, and room on the disk?'; exit 1; }
	@touch $@

book: $(READY)
	@$(BIN)/posenb reproduce

# one thread a worker: two processes with two threads each are ten times slower than with one
PYTEST := env OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

test: $(READY)
	@$(PYTEST) && echo 'make test: all tests passed' || { echo 'make test: FAILED, see above'; exit 1; }

test-fast: $(READY)
	@$(PYTEST) -m 'not slow and not browser' && echo 'make test-fast: passed' || { echo 'make test-fast: FAILED, see above'; exit 1; }

check: $(READY)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/python -m posenb.publish --check \
		&& echo 'make check: passed' || { echo 'make check: FAILED, see above'; exit 1; }

# a click on a chapter, either half, opens it as a notebook with its outputs
LAB_SETTINGS := .venv/share/jupyter/lab/settings/overrides.json

$(LAB_SETTINGS): $(READY)
	@mkdir -p $(@D)
	@echo '{"@jupyterlab/docmanager-extension:plugin": {"defaultViewers": {"markdown": "Jupytext Notebook", "myst": "Jupytext Notebook"}}}' > $@

lab: $(READY) $(LAB_SETTINGS)
	@JUPYTER_PREFER_ENV_PATH=1 $(BIN)/jupyter lab --notebook-dir=. --LabApp.default_url=/lab/tree/book

publish: $(READY)
	@$(BIN)/posenb reproduce --no-site && $(BIN)/python -m posenb.publish \
		&& echo 'make publish: review the notebooks with git diff, then commit them' || { echo 'make publish: FAILED, see above'; exit 1; }

lock: $(READY)
	@$(BIN)/uv pip compile pyproject.toml --quiet --all-extras --universal --python-version 3.11 --generate-hashes -o requirements.lock
	@$(MAKE) --no-print-directory --always-make environment.yml
	@echo 'make lock: requirements.lock and environment.yml are written; run make test'

# the same versions for conda users: each pin of the lock, without its hashes
environment.yml: requirements.lock
	@{ printf '%s\n' '# Made from requirements.lock by make lock. Use: conda env create -f environment.yml' \
		'name: posenb' 'channels: [conda-forge]' 'dependencies:' '  - python=3.11' '  - pip' '  - pip:'; \
	  sed -nE 's/^([a-z0-9].*[^ \\]) *\\?$$/      - "\1"/p' requirements.lock; \
	  echo '      - -e .'; } > $@

bench: $(READY)
	@$(BIN)/python benchmarks/run.py

clean:
	@rm -rf _build && echo 'make clean: _build is gone; runs/ and data/ stay'
