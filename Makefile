# Every target works from a fresh clone with Python and make. VENV=path uses another environment,
# PYTHON=... another interpreter than the newest of these that can make one: Debian's has no venv
# without the package python3-venv.
VERSIONS := 3.14 3.13 3.12 3.11
PYTHON ?= $(shell for version in $(VERSIONS); do \
	python$$version -c 'import ensurepip, venv' 2>/dev/null && echo python$$version && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
LOCK := constraints/dev.txt

# The environment is up to date while a stamp of this name is in it: the lock, the project's
# metadata, and the checkout that the editable installation points to.
STAMP := $(VENV)/.nasoa-$(shell printf '%s' '$(CURDIR)' | cat - $(LOCK) pyproject.toml | cksum | cut -d' ' -f1)

# What the image targets build, and on what; without BASE_IMAGE, on the Dockerfile's own.
KIND ?= cpu
BASE_IMAGE ?=

.PHONY: help venv demo test slow stress fuzz lint check docs manifests lock lock-images image sbom audit \
	e2e clean

help:
	@echo "make demo         fine-tune three small tasks inside their time limits; writes report.html"
	@echo "make test         run the tests, but for the slow ones"
	@echo "make slow         run the slow tests"
	@echo "make stress       run the heavy tests; alone, as some measure time: about 35 minutes"
	@echo "make fuzz         a million damaged inputs, an hour or more on two cores"
	@echo "make lint         style, types, and the dependency rule"
	@echo "make check        lint, and the tests"
	@echo "make docs         build the documentation site in build/docs, and check it"
	@echo "make manifests    build the Kubernetes manifests of every overlay, and check them"
	@echo "make e2e          build the CPU image offline and run pipelines in its containers on S3"
	@echo "make image        build an image: KIND=cpu or gpu, BASE_IMAGE=..."
	@echo "make sbom         list what the images hold, as CycloneDX, in build/"
	@echo "make audit        ask whether vulnerabilities of the pinned packages are known; needs pypi.org"
	@echo "make venv         set up $(VENV) from $(LOCK)"
	@echo "make lock         pin the dependencies of pyproject.toml anew"
	@echo "make clean        remove what the other targets made, but not $(VENV)"

venv: $(STAMP)

$(STAMP): | $(BIN)/python
	@echo "Installing $(LOCK) into $(VENV): several gigabytes, so a few minutes"
	$(BIN)/python -m pip install -qq --require-hashes -r $(LOCK)
	$(BIN)/python -m pip install -qq --no-deps --no-build-isolation --editable .
	@rm -f $(VENV)/.nasoa-*
	@touch $@

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "expected one of Python $(VERSIONS) on PATH, with venv and" \
		"ensurepip (Debian: python3-venv); got none" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

demo: venv
	$(BIN)/python examples/demo.py

# A worker for each core; what is slow is left to `make slow`.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist worksteal

test: venv
	$(PYTEST)

slow: venv
	$(PYTEST) -m slow

# Time limits are tested alone, with all cores.
DEADLINES := tests/stress/test_deadline.py
# Four at a time, as most of them wait for a server that is away; the longest begin first.
stress: venv
	$(PYTEST) --numprocesses 4 -m stress -rP --ignore $(DEADLINES) tests/stress tests/store
	$(BIN)/python -m pytest -m stress -n0 -s $(DEADLINES)

# CASES=N for others than a million; each is damaged input of one kind that nasoa reads.
CASES ?= 1000000
fuzz: venv
	$(BIN)/python -m tests.fuzz --cases $(CASES)

# pytest comes last, so that its summary closes the output.
check: lint test

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

# Warnings are errors: a link, a name or a docstring that cannot be shown ends it.
docs: venv
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet \
		--doctree-dir build/doctrees docs build/docs
	$(BIN)/python -m scripts.check_site build/docs

# It makes its own base image and starts its own engine where there is none; images/README.md.
e2e: venv
	$(BIN)/python -m pytest -m e2e --durations=12 tests/e2e

image: venv
	$(BIN)/python scripts/build_image.py $(KIND) $(if $(BASE_IMAGE),--base-image $(BASE_IMAGE))

sbom: venv
	mkdir -p build
	for kind in cpu gpu; do \
		$(BIN)/cyclonedx-py requirements constraints/$$kind.txt --pyproject pyproject.toml \
			--output-reproducible --output-file build/nasoa-$$kind.cdx.json || exit 1; \
	done

# pip-audit is no part of what is tested, so it has an environment of its own.
AUDIT := build/audit

audit: venv
	@test -x $(AUDIT)/bin/pip-audit || { $(PYTHON) -m venv $(AUDIT) && \
		$(AUDIT)/bin/python -m pip install -qq --require-hashes -r constraints/audit.txt; }
	$(BIN)/python scripts/audit.py $(AUDIT)/bin/pip-audit

manifests: venv
	$(BIN)/python -m scripts.manifests --out build/manifests

# uv keeps the pins it finds in a lock where they still fit; delete the file to start anew. A lock is
# universal: its markers tell what each version of Python and each system needs.
PIN := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock"

lock: venv
	$(PIN) --all-extras --output-file $(LOCK) pyproject.toml
	$(PIN) --output-file constraints/audit.txt constraints/audit.in
	$(MAKE) lock-images

# What the images install, out of $(LOCK).
lock-images: venv
	$(BIN)/python scripts/lock_images.py

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis report.html
	find images/wheelhouse -type f ! -name .gitignore -delete
	find . -name .venv -prune -o -name __pycache__ -prune -exec rm -rf {} +
