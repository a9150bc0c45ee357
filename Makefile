# Everything runs in .venv, which is made when it is first needed: `make PYTHON=python3.12 demo` says from what.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

# What mypy and pyright check, strictly.
TYPED := protoc_gen_dubbo_mesh runtime/dubbo_mesh examples/localmesh examples/demo.py benchmarks tests

.DEFAULT_GOAL := help
.PHONY: help demo soak bench peers test corpus everywhere lint generate clean

help: ## Says what there is to make
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 12

demo: $(VENV)/.demo ## Calls through real Envoys on this machine; ARGS=--keep leaves them up
	@$(BIN)/python examples/demo.py $(ARGS)

soak: $(VENV)/.dev ## Replaces providers under load again and again, opens 10,000 streams; then makes a million calls
	$(BIN)/python -m pytest -s tests/soak $(ARGS)
	$(BIN)/python examples/demo.py --rounds 10
	$(BIN)/python -m benchmarks.soak

bench: $(VENV)/.dev ## Measures, and writes benchmarks/RESULTS.md; ARGS names the suites to measure only
	$(BIN)/python -m benchmarks $(ARGS)

peers: $(VENV)/.dev ## Talks with Dubbo's own Triple for Node.js, both ways; installs it from npm
	$(BIN)/python -m pytest tests/peers/check_triple.py $(ARGS)

test: lint ## Lints, then runs all tests; ARGS goes to pytest
	$(BIN)/python -m pytest $(ARGS)

corpus: $(VENV)/.dev ## Generates from the protos of Google, Envoy and others, fetched from PyPI and npm; ARGS names some
	$(BIN)/python -m tests.corpus $(ARGS)

everywhere: $(VENV)/.dev ## Tries old and new protocs, Pythons, grpcio and protobuf, in environments made for it
	$(BIN)/python -m pytest -s tests/everywhere/all_protocs.py tests/everywhere/all_environments.py $(ARGS)

lint: $(VENV)/.dev ## Checks style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(TYPED)
	$(BIN)/pyright $(TYPED)

generate: $(VENV)/.dev ## Writes anew what is generated in this repository: compiled templates, completion, goldens
	$(BIN)/python -m protoc_gen_dubbo_mesh.python.template_compiler
	$(BIN)/python -m protoc_gen_dubbo_mesh.completion
	$(BIN)/python -m pytest -q tests/generator/test_golden.py tests/commands/test_runtime_completion.py \
		--update-goldens

clean: ## Removes .venv and what tools left behind
	rm -rf $(VENV) .cache build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The stamps are newer than both pyproject.toml when what these ask for is installed. `demo` asks for less.
$(VENV)/.demo: pyproject.toml runtime/pyproject.toml | $(BIN)/pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ./runtime -e '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml runtime/pyproject.toml | $(BIN)/pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ./runtime -e '.[dev]'
	@touch $@ $(VENV)/.demo

# Debian's Python comes without the wheel that puts pip into a venv: any pip can do it.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.12 …" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV) 2>/dev/null || \
		{ $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }
