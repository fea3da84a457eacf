# kamelab: every target does its own set-up, as an ordinary user, with nothing but Python 3.11+ and its venv module.
#
#   make run      open the demo on a terminal; without a terminal play it as text
#   make test     the test suite               (ARGS="-k ndp" goes on to pytest)
#   make check    format, lint, types, the import contract
#   make interop  our captures read by tshark  (needs the Debian package tshark)
#   make fuzz     a million bad packets         (N=50000 SEED=2 JOBS=2)
#   make bench    speed beside scapy and dpkt  (SMOKE=1: only show that it runs)
#   make clean    remove what the others made
#
# PYTHON=python3.12 chooses the interpreter, VENV=DIR the place of the virtual environment.

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=
SMOKE  ?=
N      ?= 1000000
SEED   ?= 1
JOBS   ?= 1

PY  := $(VENV)/bin/python
# Set-up talks on stderr: the standard output of `make run` belongs to the lab.
PIP := $(PY) -m pip --quiet --disable-pip-version-check

.PHONY: run test check interop fuzz bench clean
.DEFAULT_GOAL := run

run: $(VENV)/.run
	@if [ -t 1 ]; then $(PY) -m kamelab open demo; else $(PY) -m kamelab; fi

test: $(VENV)/.dev
	$(PY) -m pytest -m "not interop" -n auto --maxprocesses 8 --dist loadgroup $(ARGS)

check: $(VENV)/.dev
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports

interop: $(VENV)/.dev
	@command -v tshark >/dev/null || { echo "make interop: tshark is missing: apt-get install tshark" >&2; exit 1; }
	$(PY) -m pytest -m interop $(ARGS)

fuzz: $(VENV)/.dev
	$(PY) -m tests.fuzz --count $(N) --seed $(SEED) --jobs $(JOBS) $(ARGS)

bench: $(VENV)/.bench
	$(PY) -m tests.bench $(if $(filter-out 0,$(SMOKE)),--smoke) $(ARGS)

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .grimp_cache
	find kamelab tests -name __pycache__ -type d -prune -exec rm -rf {} +

# A half-made environment (Debian splits ensurepip off) is removed, or the next run would take it for a whole one.
$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "make: $(PYTHON) is not Python 3.11 or later: try make PYTHON=python3.11" >&2; exit 1; }
	@echo "setting up $(VENV) (once)" >&2
	@$(PYTHON) -m venv $(VENV) >&2 \
	  || { rm -rf $(VENV); echo "make: no virtual environment: on Debian, apt-get install python3-venv" >&2; exit 1; }

# Each stamp says which extras are there; a newer pyproject.toml makes it old.
$(VENV)/.run: pyproject.toml $(VENV)/pyvenv.cfg
	@$(PIP) install -e '.[inspect]' >&2
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/pyvenv.cfg
	@$(PIP) install -e '.[inspect,dev]' >&2
	@touch $@ $(VENV)/.run

$(VENV)/.bench: pyproject.toml $(VENV)/pyvenv.cfg
	@$(PIP) install -e '.[inspect,dev,bench]' >&2
	@touch $@ $(VENV)/.dev $(VENV)/.run
