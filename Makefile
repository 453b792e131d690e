# Every target works from a fresh clone with python3.11 and make. VENV=path uses another environment.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
LOCK := constraints/dev.txt

# The environment is up to date while a stamp of this name is in it: the lock, the project's
# metadata, and the checkout that the editable installation points to.
STAMP := $(VENV)/.nasoa-$(shell printf '%s' '$(CURDIR)' | cat - $(LOCK) pyproject.toml | cksum | cut -d' ' -f1)

.PHONY: help venv demo test check manifests lock clean

help:
	@echo "make demo       fine-tune three small tasks inside their time limits; writes report.html"
	@echo "make test       run the tests"
	@echo "make check      lint, types, the dependency rule, and the tests"
	@echo "make manifests  build the Kubernetes manifests of every overlay, and check them"
	@echo "make venv       set up $(VENV) from $(LOCK)"
	@echo "make lock       pin the dependencies of pyproject.toml anew"
	@echo "make clean      remove what the other targets made, but not $(VENV)"

venv: $(STAMP)

$(STAMP): | $(BIN)/python
	@echo "Installing $(LOCK) into $(VENV): several gigabytes, so a few minutes"
	$(BIN)/python -m pip install -qq --require-hashes -r $(LOCK)
	$(BIN)/python -m pip install -qq --no-deps --no-build-isolation --editable .
	@rm -f $(VENV)/.nasoa-*
	@touch $@

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

demo: venv
	$(BIN)/python examples/demo.py

test: venv
	$(BIN)/python -m pytest

# pytest comes last, so that its summary closes the output.
check: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/python -m pytest

manifests: venv
	$(BIN)/python -m scripts.manifests --out build/manifests

# pip-compile keeps the pins it finds in $(LOCK) where they still fit; delete the file to start anew.
lock: venv
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --all-extras --generate-hashes \
		--allow-unsafe --strip-extras --no-emit-options --output-file $(LOCK) pyproject.toml

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis report.html
	find . -name .venv -prune -o -name __pycache__ -prune -exec rm -rf {} +
