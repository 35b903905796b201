# make repro: everything, from nothing to figures.  make verify: is it all as dvc.lock says?  make mend: after a kill.
# make why: what would rerun, because of what.  make show: the experiments.  make plots: pages of plots without a network.
# make demo: draw a digit.  make export: for phones.
# make gate: is the accuracy no worse than before?  make compare BASE=main: what changed, as Markdown.
# make test, make lint: what a change must pass.  make bench: how accurate, how fast, in about an hour.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONDONTWRITEBYTECODE := 1
ifeq ($(findstring ://,$(DATASET_MIRROR)),)
ifneq ($(DATASET_MIRROR),)
export DATASET_MIRROR := $(abspath $(DATASET_MIRROR))
endif
endif

.PHONY: repro show why gate compare demo plots export verify mend test test-all lint bench lock
repro: .venv/ready
	@if [ -z "$(CI)$(DATASET_MIRROR)" ] && [ -z "`ls data/raw 2>&-`" ] && grep -q '^  dataset: mnist$$' params.yaml && \
	  ! python -c 'from stages import download; download.alive(download.sources("mnist"))'; then \
	  echo; echo "MNIST cannot be reached: params.yaml now says download.dataset: synthetic"; echo; \
	  sed -i.mnist 's/^  dataset: mnist$$/  dataset: synthetic/' params.yaml && rm params.yaml.mnist; fi
	dvc repro
	@echo "What came out: reports/report.md, with figures; what would run again, and why: make why"
	@if grep -q '^  dataset: synthetic$$' params.yaml; then \
	  echo "This was synthetic data, not MNIST. To go back: git restore params.yaml && make repro"; fi

show: .venv/ready
	@python -m tools.study --list --metric test_accuracy

why: .venv/ready
	@python tools/why.py

gate: .venv/ready
	@python tools/gate.py

compare: .venv/ready
	@python tools/compare.py $(BASE)

demo: .venv/ready-demo
	python -m tools.demo

plots: .venv/ready-plots
	python -m tools.plots

export: .venv/ready
	python -m tools.export

verify: .venv/ready
	python tools/verify.py

mend: .venv/ready
	python tools/mend.py

test: .venv/ready-dev
	pytest -n 2 -m "not slow"

test-all: .venv/ready-dev
	pytest -n 2 --faults=docs/faults.md

bench: .venv/ready
	python -m benchmarks.accuracy
	python -m benchmarks.speed
	python -m benchmarks.overhead
	python -m benchmarks.growth
	python -m benchmarks.chart

lint: .venv/ready-dev
	ruff check && ruff format --check && mypy

# Stages call `python`: the .pth puts this environment first on the PATH of whatever it runs, as activating it does.
.venv/ready: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "Python 3.11 to 3.13 is needed; $(PYTHON) is `$(PYTHON) -V 2>&1`. Try: make PYTHON=python3.13"; exit 1; }
	@echo "Installing what $< names into .venv: 370 MB to download, then about a minute"
	$(PYTHON) -m venv --clear .venv
	.venv/bin/pip install --disable-pip-version-check --quiet --require-hashes -r requirements.txt
	@echo 'import os, sys; os.environ["PATH"] = sys.prefix + "/bin:" + os.environ.get("PATH", "")' \
	  > "`.venv/bin/python -c 'import site; print(site.getsitepackages()[0])'`/stages.pth"
	@touch $@

.venv/ready-%: requirements-%.txt .venv/ready
	.venv/bin/pip install --disable-pip-version-check --quiet --require-hashes -r $<
	@touch $@

lock:
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-annotate --no-header -p 3.11 \
	  pyproject.toml -o requirements.txt
	for group in dev demo plots sweep; do uv pip compile --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  -p 3.11 --group $$group -c requirements.txt -o requirements-$$group.txt; done
