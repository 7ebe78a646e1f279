# Every target works from a clean clone: each makes .venv first if it is missing.
# Variables: make train CORPUS=news.csv MODEL=models/news MINUTES=10; and for bench,
# its options: make bench BENCH='--only bulk,single'

PYTHON ?= python3
VENV ?= .venv
CORPUS ?= data/sample.csv
NAME = $(firstword $(subst ., ,$(notdir $(CORPUS))))
DATA ?= prepared/$(NAME)
MODEL ?= models/$(NAME)
MINUTES ?= 2.5
PRESET ?= pointer
ARTICLES ?= $(firstword $(wildcard data/articles/*.txt))
TESTS ?= tests
# Processes of `make test`: one for each core, and no more than there is memory for.
JOBS ?= auto --maxprocesses 8
PYTEST = $(BIN)/python -m pytest
SIDE_BY_SIDE = -n $(JOBS) --dist worksteal

BIN = $(VENV)/bin
HEADLINE = $(BIN)/headline
INSTALLED = $(VENV)/.installed
# The versions that CI has seen pass; a user gets what pyproject.toml allows.
CONSTRAINTS = $(if $(CI),--constraint .ci/constraints.txt)

.DEFAULT_GOAL := help
.PHONY: stress stress-share help setup demo prepare train evaluate generate test test-jax test-browser test-cluster picture test-install check lint types \
	format bench controls clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(INSTALLED) ## make .venv and install the package with its tools

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "headline needs Python 3.11 or newer: make setup PYTHON=python3.12"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(CONSTRAINTS) -e '.[tensorflow,serve,dev]'
	touch $@

demo: $(INSTALLED) ## prepare, train (under 3 minutes), evaluate and generate on the sample
	$(MAKE) train evaluate CORPUS=data/sample.csv
	@for article in $(wordlist 1,3,$(sort $(wildcard data/articles/*.txt))); do \
		echo; echo "cat $$article | headline generate -m models/sample"; \
		cat $$article | $(HEADLINE) generate -m models/sample || exit 1; done

prepare: $(INSTALLED) ## turn CORPUS into the dataset DATA
	$(HEADLINE) prepare $(CORPUS) -o $(DATA) --overwrite

$(DATA)/data.json: $(CORPUS) | $(INSTALLED)
	$(HEADLINE) prepare $(CORPUS) -o $(DATA) --overwrite

train: $(DATA)/data.json ## train MODEL on CORPUS for MINUTES
	$(HEADLINE) train $(DATA) -m $(MODEL) --preset $(PRESET) --max-minutes $(MINUTES) --overwrite

evaluate: $(INSTALLED) ## score MODEL on the held-out test split of CORPUS
	$(HEADLINE) evaluate -m $(MODEL) $(DATA)/test.csv

generate: $(INSTALLED) ## write headlines for ARTICLES with MODEL
	$(HEADLINE) generate -m $(MODEL) $(ARTICLES)

# What takes long is left to `make stress`. Those that fork run by themselves: they use
# several cores, and need no other threads. Among some TESTS there may be none (5).
test: $(INSTALLED) ## run the test suite
	$(PYTEST) $(TESTS) -m 'not slow and not forks and not browser and not cluster' $(SIDE_BY_SIDE)
	$(PYTEST) $(TESTS) -m 'not slow and forks and not cluster' || test $$? = 5

test-jax: $(INSTALLED) ## run the tests of the model with the JAX backend
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(CONSTRAINTS) -e '.[tensorflow,jax,serve,dev]'
	KERAS_BACKEND=jax $(PYTEST) tests/engines tests/network \
		tests/training/test_callbacks.py tests/training/test_train.py \
		tests/training/test_resume.py tests/training/test_topics.py \
		tests/training/test_devices.py tests/training/test_processes.py \
		-m 'not slow and not forks' $(SIDE_BY_SIDE)

# Without Chromium (`apt-get install chromium`) the tests are skipped, with a line.
test-browser: $(INSTALLED) ## drive the page of `headline serve` in a headless Chromium
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(CONSTRAINTS) -e '.[serve,serving-tests,dev]'
	$(PYTEST) tests/browser -m browser

# What is missing (Java, for example) skips its tests, with a line. A cluster takes all
# cores, so that these tests run one after the other.
test-cluster: $(INSTALLED) ## start Ray, Spark and a server of S3, kill parts of them, and compare
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(CONSTRAINTS) -e '.[ray,spark,storage,cluster-tests,dev]'
	$(PYTEST) tests -m 'cluster and not slow'

# The picture of the page, with ARTICLES and MODEL.
picture: $(INSTALLED) ## make the README's picture of the page of `headline serve` with MODEL
	$(BIN)/python -m tests.browser.picture $(MODEL) $(ARTICLES) headline/serving/page.png

# Where one is not on this machine, it is skipped with a line.
PYTHONS ?= python3.11 python3.12 python3.13
test-install: ## build wheel and sdist, and try the base install with PYTHONS
	$(PYTHON) -m tests.install $(PYTHONS)

check: lint types ## ruff and mypy, as CI runs them

lint: $(INSTALLED) ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED) ## mypy --strict
	$(BIN)/mypy

format: $(INSTALLED) ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# A MODEL that was not asked for need not be there: one is trained then.
bench: $(INSTALLED) ## measure speed and memory with MODEL and CORPUS: a table, and bench.json
	$(BIN)/python -m tests.benchmarks.bench --corpus $(CORPUS) --output bench.json \
		$(if $(findstring command,$(origin MODEL))$(wildcard $(MODEL)/manifest.json),--model $(MODEL)) \
		$(BENCH)

controls: $(INSTALLED) ## tables of what the controls of the search cost and give
	$(BIN)/python -m tests.benchmarks.controls $(MODEL) $(DATA)/test.csv

# What takes long, and random examples, by other seeds each time.
stress: $(INSTALLED) ## break things on purpose for hours: kills, full disks, odd inputs
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(CONSTRAINTS) -e '.[jax,ray,serve,serving-tests,dev]'
	$(PYTEST) tests -m 'slow and not cluster' $(SIDE_BY_SIDE)
	KERAS_BACKEND=jax $(PYTEST) tests/training/test_devices.py tests/training/test_processes.py \
		-m slow
	$(PYTEST) tests -m hypothesis --hypothesis-profile stress $(SIDE_BY_SIDE)
	$(BIN)/python -m tests.stress.damage
	$(BIN)/python -m tests.stress.kills
	$(BIN)/python -m tests.stress.inputs --large
	$(BIN)/python -m tests.stress.numbers
	$(BIN)/python -m tests.stress.streams
	$(BIN)/python -m tests.stress.soak

# The same examples every time, so that a change never fails by chance. SEED=N tries others.
SEED ?= 1
stress-share: $(INSTALLED) ## minutes of what `make stress` does for hours
	$(PYTEST) tests -m hypothesis --hypothesis-profile share --hypothesis-seed $(SEED) \
		$(SIDE_BY_SIDE)
	$(BIN)/python -m tests.stress.inputs --minutes 0.3 --seed $(SEED)
	$(BIN)/python -m tests.stress.streams --minutes 0.3 --trainings 0 --seed $(SEED)

clean: ## remove all that these targets make
	rm -rf $(VENV) prepared models build dist bench.json *.egg-info \
		.mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
