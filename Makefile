# Everything runs in .venv, which is created when it is first needed; `make PYTHON=python3.12 demo` chooses its Python.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

# Four processes, even on two CPUs: tests wait more than they compute. The tests of a file share Envoys and servers.
IN_PARALLEL := --numprocesses=4 --dist=loadfile

# What mypy and pyright check, strictly.
TYPED := protoc_gen_dubbo_mesh runtime/dubbo_mesh examples/localmesh $(wildcard examples/*.py) benchmarks tests

# What `make istio` builds.
ISTIO := .cache/istio

.DEFAULT_GOAL := help
.PHONY: help demo soak bench peers test builds corpus everywhere istio lint mypy pyright generate clean

help: ## Lists the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 12

demo: $(VENV)/.demo ## Runs calls through real Envoys on this machine; ARGS=--keep leaves them running
	@$(BIN)/python examples/demo.py $(ARGS)

soak: $(VENV)/.dev ## Tests for a long time: restarts providers under load, opens 10,000 streams, makes a million calls
	$(BIN)/python -m pytest -s tests/soak $(ARGS)
	$(BIN)/python examples/demo.py --rounds 10
	$(BIN)/python -m benchmarks.soak

bench: $(VENV)/.dev ## Runs the benchmarks and updates benchmarks/RESULTS.md; ARGS selects suites, such as ARGS=calls
	$(BIN)/python -m benchmarks $(ARGS)

peers: $(VENV)/.dev ## Tests with Dubbo's own Triple for Node.js, and with its own routers for Java and Go, from their registries
	$(BIN)/python -m pytest -rs tests/peers/check_*.py $(ARGS)

test: lint ## Runs the linters, then all tests but the slow ones; ARGS is passed to pytest
	$(BIN)/python -m pytest $(IN_PARALLEL) $(ARGS)

builds: $(VENV)/.dev ## Tests the wheels, and builds of projects that use the hooks, with packages from PyPI
	$(BIN)/python -m pytest $(IN_PARALLEL) tests/hooks/check_builds.py tests/packaging/check_wheels.py $(ARGS)

corpus: $(VENV)/.dev ## Generates from the protos of Google, Envoy and others, fetched from PyPI and npm; ARGS selects some
	$(BIN)/python -m tests.corpus $(ARGS)

everywhere: $(VENV)/.dev ## Tests old and new versions of protoc, Python, grpcio, protobuf and Black, in separate environments
	$(BIN)/python -m pytest -s tests/everywhere/all_protocs.py tests/everywhere/all_environments.py $(ARGS)

istio: $(VENV)/.dev ## Tests what is emitted with Istio's control plane and Kubernetes' API server, which are built with Go
	@if command -v go >/dev/null; then \
		$(MAKE) --no-print-directory $(ISTIO)/control-plane $(ISTIO)/cluster && \
		$(BIN)/python -m pytest $(IN_PARALLEL) tests/istio/check_*.py $(ARGS); \
	else \
		echo "make istio is skipped: it builds Istio's control plane with Go 1.26 (https://go.dev), which is not installed"; \
	fi

lint: $(VENV)/.dev ## Checks style, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory --jobs=2 --output-sync mypy pyright # each uses one CPU only

mypy pyright: $(VENV)/.dev
	$(BIN)/$@ $(TYPED)

generate: $(VENV)/.dev ## Regenerates the compiled templates, completion scripts, goldens, and parts of the docs
	$(BIN)/python -m protoc_gen_dubbo_mesh.compile_templates
	$(BIN)/python -m protoc_gen_dubbo_mesh.completion
	$(BIN)/python -m pytest -q tests/generator/test_golden.py tests/commands/test_runtime_completion.py \
		tests/docs/test_shown.py tests/docs/test_findings.py tests/doctor/test_matrix.py \
		tests/rules/test_cases.py --update-goldens

clean: ## Removes .venv, build output and caches
	rm -rf $(VENV) .cache build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

# A stamp is newer than both pyproject.toml files if their requirements are installed. `demo` needs fewer.
$(VENV)/.demo: pyproject.toml runtime/pyproject.toml | $(BIN)/pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ./runtime -e '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml runtime/pyproject.toml | $(BIN)/pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ./runtime -e '.[dev]'
	@touch $@ $(VENV)/.demo

# The first build of these two takes some 13 minutes on two CPUs, and 4 GB of Go's cache. A stamp is newer than the sources.
$(ISTIO)/control-plane: $(wildcard tests/istio/go.* tests/istio/*/*.go)
	@mkdir -p $(ISTIO)/bin $(ISTIO)/definitions
	cd tests/istio && go build -ldflags='-s -w' -o $(CURDIR)/$(ISTIO)/bin/ \
		./istiocheck ./istioanalyze ./meshd ./proxyconfig istio.io/istio/pilot/cmd/pilot-discovery
	@cd tests/istio && \
		istio=$$(go list -m -f '{{.Dir}}' istio.io/istio) && gateway=$$(go list -m -f '{{.Dir}}' sigs.k8s.io/gateway-api) && \
		install -m 644 "$$istio"/manifests/charts/base/files/crd-all.gen.yaml \
			"$$gateway"/config/crd/standard/*_gatewayclasses.yaml "$$gateway"/config/crd/standard/*_gateways.yaml \
			"$$gateway"/config/crd/standard/*_grpcroutes.yaml "$$gateway"/config/crd/standard/*_httproutes.yaml \
			"$$gateway"/config/crd/standard/*_referencegrants.yaml $(CURDIR)/$(ISTIO)/definitions
	@touch $@

$(ISTIO)/cluster: $(wildcard tests/istio/kube/go.* tests/istio/kube/*/*.go)
	@mkdir -p $(ISTIO)/bin
	cd tests/istio/kube && go build -ldflags='-s -w' -o $(CURDIR)/$(ISTIO)/bin/ ./kubed k8s.io/kubernetes/cmd/kubectl
	@touch $@

# Debian's Python lacks ensurepip, which puts pip into a venv; another pip can install it there.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.12 …" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV) 2>/dev/null || \
		{ $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }
