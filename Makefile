# One command each, on a fresh machine: make demo, make test, make check, make bench.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
LOCAL  := $(VENV)/.ready-diffusers

.DEFAULT_GOAL := help
.PHONY: help demo test test-local check format bench chaos clean

help:
	@echo "make demo    draft the demo pipeline: four clips, free, no key needed"
	@echo "make test    run the tests"
	@echo "make test-local   the same for models on this machine (installs torch, 1.2 GB)"
	@echo "make check   format, lint, types, layers"
	@echo "make bench   speed, as ratios in one run"
	@echo "make chaos   kill -9 at every state change and 200 random moments; counts charges"

demo: $(READY)
	@$(BIN)/python -m ai_content_pipeline run-chain input/pipelines/demo.yaml --draft
	@echo
	@echo "Open output/love_story.draft/report.html in a browser."

test: $(READY)
	$(BIN)/python -m pytest -n auto -q

# Two processes: each loads torch anew, which takes as long as a dozen tests.
test-local: $(LOCAL)
	$(BIN)/python -m pytest -q -n 2 -k "test_local or diffusers" tests/local tests/contract/test_provider_contract.py

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)
	$(BIN)/python -m benchmarks

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(READY)

$(LOCAL): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,diffusers]'
	@touch $(LOCAL)

chaos: $(READY)
	$(BIN)/python -m benchmarks.chaos

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
