# `make` lists the targets. Everything is written to .venv and build, inside this folder.

PYTHON ?= $(or $(wildcard .venv/bin/python),python3)
# Twice as many workers as cores: with three, two idle cores were busy for 60 % of the time only,
# because tests wait for browsers, kernels and the simulator.
JOBS ?= 4

BIN := .venv/bin
# A stamp for each dependency group in .venv; `make .venv/.bench` installs another one.
DEMO := .venv/.demo$(if $(NEWEST),-newest)
DEV := .venv/.dev$(if $(NEWEST),-newest)
HOOKS := .venv/.hooks$(if $(NEWEST),-newest)
RELEASE := .venv/.release$(if $(NEWEST),-newest)
COMPILED := .venv/.compiled

.PHONY: help test quick checks coverage demo docs pictures lab lock lint types js contract pytest
.PHONY: chromium clean floors hooks types-windows wheel
# One after the other, except below `checks`.
ifndef PARALLEL
.NOTPARALLEL:
endif

# Nothing is written outside this folder, not even pip's cache.
export PIP_NO_CACHE_DIR := 1
# uv leaves compiling to the first import; without its files each process would compile again.
unexport PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help

help:
	@echo "make demo      generate songs with the simulator in a real kernel; writes a page with players"
	@echo "make test      lint, types, import contract, tests (Python, JavaScript, notebooks, Chromium)"
	@echo "make quick     lint, types, import contract and unit tests, in under a minute: before a commit"
	@echo "make checks    the same as test, without the tests of Python, notebooks and Chromium"
	@echo "make hooks     what a commit is checked for, on all files"
	@echo "make coverage  run the tests and print the line coverage of the package"
	@echo "make floors    run most tests with the lowest versions that pyproject.toml allows"
	@echo "make docs      build the documentation, with notebooks as run, into build/site"
	@echo "make wheel     build wheel and sdist into build/dist, and check them as users get them"
	@echo "make pictures  take the pictures of README and docs again, in Chromium"
	@echo "make lab       open JupyterLab on the notebooks"
	@echo "make lock      write requirements/dev.txt with the newest versions of all packages"
	@echo "make clean     remove .venv, node_modules and build"
	@echo
	@echo "PYTHON=python3.12 makes .venv with another Python (3.11 or newer); make clean first."
	@echo "NEWEST=1 installs the newest versions instead of those in requirements/dev.txt."
	@echo "CI=1 makes a missing Chromium or Node.js a failure instead of a warning."

# The first step that fails ends the run; `make -k test` runs all of them.
test: checks pytest

# mypy takes as long as the others together, and uses one processor. Each shows its output when it
# ends, where make can do so (not in the one of macOS).
checks: OUTPUT := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
checks: $(DEV)
	@$(MAKE) --no-print-directory --jobs=2 $(OUTPUT) PARALLEL=1 types js lint contract $(COMPILED)

lint: $(DEV)
	$(BIN)/ruff check
	@# text files without encoding=: Windows would use that of the country
	$(BIN)/ruff check --quiet --preview --config lint.explicit-preview-rules=true --select PLW1514
	$(BIN)/ruff format --check

types: $(DEV)
	$(BIN)/mypy

# As mypy would see the code on Windows: calls that only Unix has are errors, unless they follow
# `if sys.platform == "win32"`.
types-windows: $(DEV)
	$(BIN)/mypy --platform win32 --no-warn-unreachable --cache-dir .mypy_cache/windows

# `.venv/bin/pre-commit install` runs them at each commit.
hooks: $(DEV) $(HOOKS)
	PRE_COMMIT_HOME=build/cache/pre-commit $(BIN)/pre-commit run --all-files

js:
	@scripts/check_javascript

contract: $(DEV)
	$(BIN)/lint-imports --no-logo

# One run with one summary. Browser tests take longest and are scheduled first.
TESTS ?= tests notebooks
PYTEST := pytest $(TESTS) -ra -n $(JOBS) --no-loadscope-reorder \
	--nbval --nbval-current-env --nbval-cell-timeout 600

pytest: $(DEV) $(COMPILED) chromium
	$(BIN)/python -m $(PYTEST)

# Money, requests, replies, tables and names: what matters most, and is tested without a kernel, a
# browser or sound.
SLOW := $(patsubst %,tests/library/test_%.py,adoption lost_purchases processes)
QUICK := $(filter-out $(SLOW),$(wildcard tests/library/test_*.py)) \
	$(wildcard tests/test_client_*.py tests/test_poll*.py) \
	tests/simulator/test_replies.py tests/simulator/test_validation.py \
	$(patsubst %,tests/test_%.py,arguments engine_pages engines errors filenames frames install \
		markup names network paths plan public requested_tags tasks wire)

quick: checks
	$(BIN)/python -m pytest $(QUICK) -q -n 2 --no-loadscope-reorder

# Compiles what the tests import: else each worker does so, 13 CPU seconds each. The first command
# builds matplotlib's font list, so that kernels do not do it at the same time.
$(COMPILED): $(DEV)
	@MPLCONFIGDIR=build/cache/matplotlib $(BIN)/python -c 'import matplotlib.font_manager'
	@$(BIN)/python -m pytest tests notebooks --nbval --nbval-current-env --collect-only -qq \
		>/dev/null 2>&1 || true  # the tests will say what is wrong
	@touch $@

coverage: $(DEV) $(COMPILED) chromium
	$(BIN)/coverage erase
	$(BIN)/coverage run -m $(PYTEST)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered --fail-under=95

# The demo's environment has uv, if it is not on PATH.
floors: $(DEMO)
	@$(BIN)/python scripts/test_floors.py

chromium:
	@scripts/install_chromium

demo: $(DEMO)
	@$(BIN)/python scripts/demo.py

# docs/engines is in git: it is checked here, and written by scripts/engine_pages.py.
docs: $(DEV)
	@$(BIN)/python scripts/engine_pages.py --check
	@$(BIN)/python scripts/notebook_pages.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "build/site/index.html (its search needs a server: python3 -m http.server -d build/site)"

# `scripts/test_wheel.py 3.12` then runs the tests against the wheel, on that Python.
wheel: $(DEV) $(RELEASE)
	@$(BIN)/python scripts/check_wheel.py

pictures: $(DEV) chromium
	@$(BIN)/python scripts/pictures.py

# Jupyter refuses to run as root without this flag; in a container one is root.
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
