# Every target does its own set-up. `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ZONE ?=
PROVIDER ?=
MINUTES ?= 20
RUNS ?= 10
SEED ?=
# Keep compiled modules, whatever the environment says: every process that the tests start reads them.
export PYTHONDONTWRITEBYTECODE :=
CORES := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
PROCESSES ?= 3

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-stop check test lint crds tools conformance acceptance soak simulate properties mutants bench bench-probers bench-overload bench-quotas bench-sharding bench-vantages bench-loss clean packages

help:
	@echo "make demo         break a region of a cloud in a box and watch DNS follow (10 min the first time, then 1)"
	@echo "make demo KEEP=1  the same, and leave it running; make demo-stop ends it"
	@echo "make check        while you work: lint, types, unit tests, a handful of schedules (a few minutes on 2 cores)"
	@echo "make test         everything (25 min the first time, then about 10 on 2 cores)"
	@echo "make acceptance   the long figures at full size, and what is promised in seconds (40 min)"
	@echo "make simulate SCHEDULES=2000 SEED=1   faults of every kind on a virtual clock; SEED=n SCHEDULES=1 replays one"
	@echo "make mutants     the same with one protection after the other switched off: each must be missed"
	@echo "make properties RUNS=10   examples of the properties that no run has tried before"
	@echo "make soak MINUTES=20   real processes under faults of every kind; SEED=n plays a schedule again"
	@echo "make bench NAMES='1000 10000'   what a number of names costs, on a real API server and BIND; needs nginx (45 min)"
	@echo "make bench MIX=shared           the same for one kind of names: shared (their targets) or https (their own)"
	@echo "make bench-probers   what a check costs, beside gdnsd and blackbox_exporter where they are installed (2 min)"
	@echo "make bench-quotas CLOUD=route53   how close to a quota names move: route53 (5 min) or azure (8 min)"
	@echo "make bench-sharding ZONES=30 NAMES=1000   three replicas that divide the zones, one of them killed (15 min)"
	@echo "make bench-vantages NAMES=200   three vantages beside one: idle, and when a region fails (5 min)"
	@echo "make bench-loss SECONDS=600   false verdicts over a link that loses packets; needs root (12 min)"
	@echo "make bench-overload  a prober with twice as many HTTPS checks as it can make; needs nginx (3 min)"
	@echo "make conformance PROVIDER=route53 ZONE=example.com   the provider suite in an account of yours"
	@echo "make lint | crds | tools | clean"

# The lock is compiled without index addresses, so any index works: whatever pip is set up for here.
$(READY): requirements.lock pyproject.toml
	@echo "== Python packages into $(VENV) (about 20 s)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet uv
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable . uv
	@touch $@

setup: $(READY)

packages:
	@tools/packages

requirements.lock: pyproject.toml
	@test -x $(BIN)/uv || { $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip --disable-pip-version-check install --quiet uv; }
	@$(BIN)/uv pip compile --quiet --no-emit-index-url --generate-hashes --all-extras --group dev \
		--custom-compile-command "make requirements.lock" pyproject.toml -o $@

demo: setup packages
	@$(BIN)/python -m detour_lab demo $(if $(KEEP),--keep)

demo-stop: setup
	@$(BIN)/python -m detour_lab demo-stop

# What a change should pass before anything else: nothing that starts other processes.
check: setup lint
	@echo "== unit tests (about 80 s on 2 cores)"
	@$(BIN)/python -m pytest tests/unit -q -n $(CORES) -m "not slow" --durations=0 --durations-min=5
	@echo "== a handful of schedules"
	@$(BIN)/python -m detour_simulation simulate --schedules=16 --seed=1 --jobs=$(CORES)

test: setup packages
	@echo "== outside binaries (built once from source when missing: 5-8 min)"
	@$(BIN)/python -m detour_lab.controlplane > /dev/null
	@echo "== what deployment tools judge by (built once from source when missing: 3 min)"
	@$(BIN)/python tests/gitops/judging.py
	@echo "== all tests, in $(PROCESSES) processes: about 10 min on 2 cores"
	@$(BIN)/python -m pytest -n $(PROCESSES)

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m detour.kube.resources --check
	$(BIN)/python tools/provider-docs --check
	$(BIN)/python tools/look-costs --check
	$(BIN)/python tools/regions --check

crds: setup
	$(BIN)/python -m detour.kube.resources
	$(BIN)/python tools/provider-docs
	$(BIN)/python tools/look-costs
	$(BIN)/python tools/regions

tools: setup
	@$(BIN)/python -m detour_lab.controlplane

conformance: setup
	@test -n "$(PROVIDER)" -a -n "$(ZONE)" || { echo "say which: make conformance PROVIDER=route53 ZONE=example.com"; exit 2; }
	@$(BIN)/python -m pytest tests/conformance --provider $(PROVIDER) --zone $(ZONE)

acceptance: setup packages
	@$(BIN)/python -m detour_lab acceptance

# As many processes as there are cores, or JOBS of them. PROFILE is one of those of `python -m detour_simulation simulate --help`, the usual mix without it.
simulate: setup
	@$(BIN)/python -m detour_simulation simulate --schedules=$(or $(SCHEDULES),200) --seed=$(or $(SEED),1) $(if $(PROFILE),--profile="$(PROFILE)") --jobs=$(or $(JOBS),$(CORES))

properties: setup
	@for run in $$(seq $(RUNS)); do \
		seed=$$RANDOM; echo "== run $$run of $(RUNS): examples from seed $$seed"; \
		DETOUR_SEED=1 $(BIN)/python -m pytest -q -n $(CORES) -m hypothesis --durations=0 --durations-min=60 \
			--hypothesis-seed=$$seed tests/unit || exit 1; \
	done

mutants: setup
	@$(BIN)/python -m detour_simulation mutants

bench: setup packages
	@$(BIN)/python tests/bench/bench_names.py $(or $(NAMES),1000 10000) $(and $(MIX),--mix=$(MIX))
	@$(BIN)/python tests/bench/report.py

bench-probers: setup
	@$(BIN)/python tests/bench/bench_probers.py

bench-overload: setup
	@$(BIN)/python tests/bench/bench_overload.py

bench-quotas: setup packages
	@$(BIN)/python tests/bench/bench_quotas.py $(or $(CLOUD),route53) $(and $(NAMES),--names=$(NAMES))

bench-sharding: setup packages
	@$(BIN)/python tests/bench/bench_sharding.py $(or $(ZONES),30) $(or $(NAMES),1000)

bench-vantages: setup packages
	@$(BIN)/python tests/bench/bench_vantages.py $(or $(NAMES),200) $(or $(MIX),https)

bench-loss: setup
	@$(BIN)/python tests/bench/bench_loss.py $(or $(SECONDS),600)

soak: setup packages
	@$(BIN)/python -m detour_lab soak --minutes=$(MINUTES) $(if $(SEED),--seed=$(SEED))

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
