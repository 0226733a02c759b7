# `make` lists the targets. Everything is written to .venv and build, inside this folder.

PYTHON ?= $(or $(wildcard .venv/bin/python),python3)
# Twice as many workers as cores, because tests wait for browsers, kernels and the simulator: three
# workers kept two cores busy for only 60 % of the time.
JOBS ?= 4

BIN := .venv/bin
# A stamp file for each dependency group in .venv; `make .venv/.bench` installs the group `bench`.
DEMO := .venv/.demo$(if $(NEWEST),-newest)
DEV := .venv/.dev$(if $(NEWEST),-newest)
HOOKS := .venv/.hooks$(if $(NEWEST),-newest)
RELEASE := .venv/.release$(if $(NEWEST),-newest)
COMPILED := .venv/.compiled

.PHONY: help test quick checks coverage demo docs pictures lab lock lint types js contract pytest
.PHONY: chromium clean floors hooks types-windows wheel
# Targets run one after the other, except those of `checks`.
ifndef PARALLEL
.NOTPARALLEL:
endif

# Nothing is written outside this folder, not even pip's cache.
export PIP_NO_CACHE_DIR := 1
# uv does not compile modules. With this variable, no process would store its compiled modules.
unexport PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help

help:
	@echo "make demo      generate songs with the simulator in a real kernel, and write a page that plays them"
	@echo "make test      check lint, types and imports; test Python, JavaScript, notebooks and Chromium"
	@echo "make quick     check lint, types and imports, and run unit tests, in less than a minute"
	@echo "make checks    make test without the tests of Python, notebooks and Chromium"
	@echo "make hooks     run the pre-commit hooks on all files"
	@echo "make coverage  run the tests and print the line coverage of the package"
	@echo "make floors    run most tests with the lowest versions that pyproject.toml allows"
	@echo "make docs      build the documentation, with executed notebooks, into build/site"
	@echo "make wheel     build the wheel and the sdist into build/dist, install and check them"
	@echo "make pictures  take the pictures of the README and the docs again, in Chromium"
	@echo "make lab       open the notebooks in JupyterLab"
	@echo "make lock      write the newest versions of all packages into requirements/dev.txt"
	@echo "make clean     remove .venv, node_modules and build"
	@echo
	@echo "PYTHON=python3.12 uses another Python (3.11 or newer) for .venv; run make clean first."
	@echo "NEWEST=1 installs the newest versions instead of those in requirements/dev.txt."
	@echo "CI=1 fails if Chromium or Node.js is missing; otherwise there is a warning."

# The first failure stops the run; `make -k test` runs all steps.
test: checks pytest

# mypy takes as long as all other checks together, and uses one core. Each check prints its output when
# it ends, if this version of make can do so (the make of macOS cannot).
checks: OUTPUT := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
checks: $(DEV)
	@$(MAKE) --no-print-directory --jobs=2 $(OUTPUT) PARALLEL=1 types js lint contract $(COMPILED)

lint: $(DEV)
	$(BIN)/ruff check
	@# open() without encoding=: on Windows, the encoding would depend on the country
	$(BIN)/ruff check --quiet --preview --config lint.explicit-preview-rules=true --select PLW1514
	$(BIN)/ruff format --check

types: $(DEV)
	$(BIN)/mypy

# Check types as on Windows: functions that only Unix has are errors, except in a branch of
# `if sys.platform == "win32"`.
types-windows: $(DEV)
	$(BIN)/mypy --platform win32 --no-warn-unreachable --cache-dir .mypy_cache/windows

# After `.venv/bin/pre-commit install`, they run at each commit.
hooks: $(DEV) $(HOOKS)
	PRE_COMMIT_HOME=build/cache/pre-commit $(BIN)/pre-commit run --all-files

js:
	@scripts/check_javascript

contract: $(DEV)
	$(BIN)/lint-imports --no-logo

# One run with one summary. Browser tests take the longest and are scheduled first.
TESTS ?= tests notebooks
PYTEST := pytest $(TESTS) -ra -n $(JOBS) \
	--nbval --nbval-current-env --nbval-cell-timeout 600

pytest: $(DEV) $(COMPILED) chromium
	$(BIN)/python -m $(PYTEST)

# The tests of money, requests, replies, tables and names: the most important ones that need no kernel,
# browser or audio.
SLOW := $(patsubst %,tests/library/test_%.py,adoption lost_purchases processes)
QUICK := $(filter-out $(SLOW),$(wildcard tests/library/test_*.py)) \
	$(wildcard tests/test_client_*.py tests/test_poll*.py) \
	tests/simulator/test_replies.py tests/simulator/test_validation.py \
	$(patsubst %,tests/test_%.py,arguments engine_pages engines errors filenames frames install \
		markup names network paths plan public requested_tags tasks wire)

quick: checks
	$(BIN)/python -m pytest $(QUICK) -q -n 2

# Compile the modules that the tests import. Otherwise each worker does so, in 13 CPU seconds. The first
# command builds matplotlib's font list, which kernels would otherwise build at the same time.
$(COMPILED): $(DEV)
	@MPLCONFIGDIR=build/cache/matplotlib $(BIN)/python -c 'import matplotlib.font_manager'
	@$(BIN)/python -m pytest tests notebooks --nbval --nbval-current-env --collect-only -qq \
		>/dev/null 2>&1 || true  # the tests will report any error
	@touch $@

coverage: $(DEV) $(COMPILED) chromium
	$(BIN)/coverage erase
	$(BIN)/coverage run -m $(PYTEST)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered --fail-under=95

# uv is on PATH or in the environment of the demo.
floors: $(DEMO)
	@$(BIN)/python scripts/test_floors.py

chromium:
	@scripts/install_chromium

demo: $(DEMO)
	@$(BIN)/python scripts/demo.py

# docs/engines is in git. scripts/engine_pages.py writes it; here it is only checked.
docs: $(DEV)
	@$(BIN)/python scripts/engine_pages.py --check
	@$(BIN)/python scripts/notebook_pages.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "build/site/index.html (its search needs a server: python3 -m http.server -d build/site)"

# Afterwards, `scripts/test_wheel.py 3.12` runs the tests with the wheel on Python 3.12.
wheel: $(DEV) $(RELEASE)
	@$(BIN)/python scripts/check_wheel.py
	@$(BIN)/python scripts/check_extras.py build/dist/*.whl

pictures: $(DEV) chromium
	@$(BIN)/python scripts/pictures.py

# Jupyter needs this flag to run as root, the usual user of a container.
lab: AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)
lab: $(DEV)
	$(BIN)/jupyter lab --notebook-dir=notebooks $(AS_ROOT)

clean:
	rm -rf .venv build node_modules

lock:
	@$(PYTHON) scripts/lock_packages.py

.venv/.%: pyproject.toml requirements/dev.txt
	@command -v $(PYTHON) >/dev/null \
		|| { echo "musicapi_nb needs Python 3.11 or newer; there is no $(PYTHON) here." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "musicapi_nb needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) -V 2>&1`." >&2; \
		     echo "Name another one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) scripts/install_packages.py $(patsubst %-newest,% --newest,$*)
