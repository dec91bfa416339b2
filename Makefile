# What can be done with this repository. Nothing is to be prepared by hand: each target installs what it needs.

PYTHON  := .venv/bin/python
INSTALL := sh pingan/local/install.sh

# Checked strictly: everything that runs.
TYPED := pingan ingest alerting dispatch care dashboards device_sim

# Grafana's boards and Prometheus' rules: promtool, and that both ask only for what is measured.
BOARDS_AND_RULES := tests/integration/test_promtool.py tests/unit/test_alert_rules.py tests/unit/test_grafana_boards.py

# Most tests wait for something more than they compute. Those of one file follow each other, and none is begun early:
# the long stories come before the many short tests that fill up what is left.
SIDE_BY_SIDE := -n 2 --dist loadfile --no-loadscope-reorder

# Where the recordings are: docs/evaluate.md says which, and who may have them.
DATA := ../shared/data

.PHONY: help up down doctor test check check-deep format bench evaluate faults mutants schema dashboards lock clean installed installed-for-tests

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile
	@echo "Settings: PINGAN_HTTP_PORT PINGAN_MQTT_PORT PINGAN_SIM_PORT PINGAN_DATA PINGAN_SIM=0 PINGAN_DATABASE_URL"

up: installed ## Start the platform with a simulated neighbourhood; print its address
	@$(INSTALL) link
	@$(PYTHON) -m pingan up

down: installed ## Stop it; its data stays
	@$(PYTHON) -m pingan down

doctor: installed ## Say what is wrong, and the command that mends it
	@$(PYTHON) -m pingan doctor

test: installed-for-tests ## Run every test
	$(PYTHON) -m pytest $(SIDE_BY_SIDE)

check: installed-for-tests ## Lint, formatting, types, and who may import whom
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy --num-workers 2 $(TYPED)
	.venv/bin/hadolint Dockerfile
	.venv/bin/compose-lint --skip-suppressed --fail-on low docker-compose.yml
	@sh tests/tools/compose_lint.sh
	$(PYTHON) -m pytest -q tests/test_arrows.py $(BOARDS_AND_RULES)

check-deep: installed-for-tests ## The response in 100,000 simulated worlds (FROM=seed goes on; docs/faults.md)
	$(PYTHON) -m tests.simulation --worlds 100000 --from $(or $(FROM),0)

format: installed-for-tests ## Format the code, and mend what the linter can
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench: installed-for-tests ## Measure speed and size on this machine
	@$(INSTALL) peers
	$(PYTHON) -m tests.bench

evaluate: installed-for-tests ## The detectors on recordings of real people (DATA=folder): the table of docs/detection.md
	PINGAN_LANGUAGE=en OMP_NUM_THREADS=1 $(PYTHON) -m pingan evaluate everything $(DATA) --page docs/detection.md

faults: installed-for-tests ## Kill and hold every process in turn while presses are made
	$(PYTHON) -m tests.faults

mutants: installed-for-tests ## Plant bugs in a copy, and see that the tests find each
	$(PYTHON) -m tests.faults.mutants

schema: installed-for-tests ## Write pingan/schema.sql anew from the migrations
	$(PYTHON) -m tests.schema

dashboards: installed-for-tests ## Write Grafana's boards anew from dashboards/grafana
	$(PYTHON) -m dashboards.grafana

lock: installed-for-tests ## Pin the dependencies of pyproject.toml anew, with hashes (UPGRADE=1: to the newest)
	.venv/bin/uv pip compile --quiet --universal --generate-hashes --no-header $(if $(UPGRADE),--upgrade) \
		--extra build --extra kafka --extra dev -o requirements/dev.txt pyproject.toml
	.venv/bin/uv pip compile --quiet --universal --generate-hashes --no-header $(if $(UPGRADE),--upgrade) \
		--extra build -c requirements/dev.txt -o requirements/run.txt pyproject.toml
	.venv/bin/uv pip compile --quiet --universal --generate-hashes --no-header $(if $(UPGRADE),--upgrade) \
		--extra build --extra kafka -c requirements/dev.txt -o requirements/city.txt pyproject.toml

clean: ## Remove what was installed and cached here; the platform's data is elsewhere and stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

installed:
	@$(INSTALL) run

installed-for-tests:
	@$(INSTALL) dev
	@$(INSTALL) tools
