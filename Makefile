# `make` lists what there is. Everything lives in .venv and build, inside this folder.

PYTHON ?= python3
# More than the two cores: tests wait a lot, for pages most of all.
JOBS ?= 3

BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: help test demo docs lab lint types contract pytest chromium clean
.NOTPARALLEL:

# Nothing is written outside this folder, pip's cache neither.
export PIP_NO_CACHE_DIR := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help

help:
	@echo "make demo   ask for songs from the simulator, in a real kernel; leaves a page to listen to"
	@echo "make test   lint, types, import contract, tests, notebooks, JupyterLab in Chromium"
	@echo "make docs   build the documentation, notebooks run and all, into build/site"
	@echo "make lab    open JupyterLab on the notebooks"
	@echo "make clean  remove .venv and build"
	@echo
	@echo "PYTHON=python3.12 picks another Python (3.11 or newer)."
	@echo "CI=1 makes a missing Chromium a failure instead of a loud gap."

# One step after the other: the first that fails ends the run (`make -k test` does them all).
test: lint types contract pytest

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(INSTALLED)
	$(BIN)/mypy

contract: $(INSTALLED)
	$(BIN)/lint-imports --no-logo

# One run, so that one summary counts everything. Browser tests are the longest and go first.
pytest: $(INSTALLED) chromium
	$(BIN)/python -m pytest tests notebooks -ra -n $(JOBS) --no-loadscope-reorder \
		--nbval --nbval-current-env --nbval-cell-timeout 120

chromium:
	@scripts/install_chromium

demo: $(INSTALLED)
	@$(BIN)/python scripts/demo.py

# Pages that are kept in git are checked, not written: scripts/engine_pages.py writes them.
docs: $(INSTALLED)
	@$(BIN)/python scripts/engine_pages.py --check
	@$(BIN)/python scripts/notebook_pages.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "build/site/index.html (the search needs a server: python3 -m http.server -d build/site)"

# In a container one is root, and Jupyter wants to be told that this is meant.
lab: AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)
lab: $(INSTALLED)
	$(BIN)/jupyter lab --notebook-dir=notebooks $(AS_ROOT)

clean:
	rm -rf .venv build

# The last command builds matplotlib's font list once, before kernels race to do so.
$(INSTALLED): pyproject.toml
	@command -v $(PYTHON) >/dev/null \
		|| { echo "musicapi_nb needs Python 3.11 or newer; there is no $(PYTHON) here." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "musicapi_nb needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) -V 2>&1`." >&2; \
		     echo "Name another one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Installing into .venv (half a minute to a minute the first time) ..."
	@$(PYTHON) -m venv .venv \
		|| { echo "$(PYTHON) cannot make a virtual environment; Debian has it in python3-venv." >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet -e '.[dev]'
	@MPLCONFIGDIR=build/cache/matplotlib $(BIN)/python -c 'import matplotlib.font_manager'
	@touch $@
