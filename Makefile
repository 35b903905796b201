# `make` lists the targets. A target NAME that calls a program is `python -E -X utf8 -m tools.NAME`
# and no more; what the program is told goes in ARGS. -E: no variable such as PYTHONPATH or PYTHONSAFEPATH
# puts another package in the place of ours.
PYTHON ?= python3
ARGS ?=
TOOL = python -E -X utf8 -m tools
DVC = python -P -m dvc
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# What is started without -E would heed these.
unexport PYTHONHOME PYTHONOPTIMIZE PYTHONPATH PYTHONWARNINGS

# A mirror that is a folder is found from everywhere: experiments run in checkouts of their own.
# (An address, a path from the root or from home stays as it is: `abspath` cuts names at spaces.)
ifneq ($(DATASET_MIRROR),)
ifeq ($(findstring ://,$(DATASET_MIRROR))$(filter /% ~%,$(firstword $(DATASET_MIRROR))),)
export DATASET_MIRROR := $(abspath $(DATASET_MIRROR))
endif
endif

define HELP
Run
  make repro                bring data, network and figures up to date
  make sweep ARGS="-S ..."  many experiments, on all cores or on a Ray cluster
  make search ARGS="-S ..." hyperparameters that Optuna proposes, the same way

Look and compare
  make why                  what would run, and why; ARGS=--check: fail if any
  make show                 the experiments: what was changed, and the metrics
  make study                configurations over their seeds: mean and spread
  make compare ARGS=main    what differs from a commit, as Markdown
  make gate                 is the test accuracy no lower than it was before?
  make declared             do stages use what dvc.yaml declares, and no more?

Use
  make predict ARGS=a.png   say what a picture shows
  make demo                 draw in the browser, or drop in a photo
  make export               the network for phones and small devices (LiteRT)

Keep
  make verify               run all anew in a clone, and compare with dvc.lock
  make mend                 after a kill: mend what is broken in this checkout

Develop
  make test                 the quick tests, in some minutes
  make test-all             all tests; writes docs/faults.md
  make lint                 format, mistakes and types
  make bench                how accurate, how fast: about an hour
  make lock                 pinned versions, from pyproject.toml
  make describe             docs/params.md, and what Keras has to offer

Options: make study ARGS=--help; of pytest: make test ARGS="-k plot"
endef

.PHONY: help
help: ; $(info $(HELP)) @:
.DEFAULT_GOAL := help
# What is checked before an installation stays before it, also where MAKEFLAGS says -j.
.NOTPARALLEL:

# --- run ---

.PHONY: repro sweep search
repro: repository .venv/ready
	@$(TOOL).offline
	$(DVC) repro
	@echo && $(DVC) metrics show
	@echo "A page on this run: reports/report.md. What would run again, and why: make why"
	@$(TOOL).offline --remind

sweep search: repository .venv/ready-sweep
	@$(TOOL).$@ $(ARGS)

# --- look and compare: these install nothing ---

.PHONY: why show study compare gate declared
why show study compare gate declared: installed
	@$(TOOL).$@ $(ARGS)

# --- use ---

.PHONY: predict demo export
predict: .venv/ready-predict
	@$(TOOL).predict $(ARGS)

demo: .venv/ready-demo
	@$(TOOL).demo $(ARGS)

export: .venv/ready
	@$(TOOL).export $(ARGS)

# --- keep ---

.PHONY: verify mend
verify: .venv/ready
	@$(TOOL).verify $(ARGS)

mend: installed
	@$(TOOL).mend $(ARGS)

# --- develop ---

.PHONY: test test-all lint bench lock describe
test: .venv/ready-dev
	pytest -n 2 --dist worksteal -m "not slow" $(ARGS)

test-all: .venv/ready-dev
	pytest -n 2 --dist worksteal --faults=docs/faults.md $(ARGS)

lint: .venv/ready-dev
	ruff check && ruff format --check && mypy

bench: .venv/ready .venv/ready-predict
	python -E -m benchmarks.accuracy
	python -E -m benchmarks.speed
	python -E -m benchmarks.overhead
	python -E -m benchmarks.growth
	python -E -m benchmarks.chart
	python -E -m benchmarks.photos

lock describe: .venv/ready
	@$(TOOL).$@ $(ARGS)

# --- the environment: tools/environment.py decides by contents, so Make asks it every time ---

.PHONY: installed always repository
.venv/ready: always
	@$(PYTHON) -E -m tools.environment

.venv/ready-%: always
	@$(PYTHON) -E -m tools.environment $*

installed:
	@test -x .venv/bin/python || { echo "There is no environment here. To set it up: make .venv/ready"; exit 1; }

always:

repository:
	@git rev-parse --git-dir > /dev/null || { echo "DVC needs a Git repository. After a download" \
	  "as ZIP: git init && git add . && git commit --message start"; exit 1; }
