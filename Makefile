# `make` sets up and runs the study that config.yaml names; `make test` sets up and tests.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: all setup test browser slurm lint format

all: setup
	$(BIN)/snakemake --cores all

setup: .venv/installed

test: .venv/installed-test browser slurm
	$(BIN)/python -m pytest -n 2 --dist loadgroup --durations 20

# The tests of the report need a Chromium, those of a cluster a Slurm that root may start; whoever may install packages
# gets Debian's, others are told what is skipped.
install_packages = as=$$([ "$$(id -u)" = 0 ] || echo "sudo -n"); command -v apt-get >/dev/null && \
	$$as true 2>/dev/null && $$as apt-get update -q && \
	$$as env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends

browser:
	@command -v chromium chromium-browser google-chrome >/dev/null || { $(install_packages) chromium; } || \
		echo "no Chromium: tests/browser will be skipped; on Debian, apt-get install chromium"

slurm:
	@[ "$$(id -u)" != 0 ] || { command -v slurmctld && command -v slurmd && command -v munged; } >/dev/null || \
		{ $(install_packages) slurm-wlm munge; } || \
		echo "no Slurm: tests/slurm will be skipped; on Debian, apt-get install slurm-wlm munge"

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules/*.smk
	$(BIN)/mypy
	PYTHONPATH=workflow $(BIN)/lint-imports

format: .venv/installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow/rules/*.smk

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "error: $(PYTHON) is no Python 3.11, 3.12 or 3.13; name another with PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ echo "error: Python can't make virtual environments; on Debian run: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: envs/requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.venv/installed-test: envs/requirements-test.txt envs/requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@ .venv/installed
