# Every target installs what it needs first; tests/rig/install is silent when all of it is there.
# LIBRARIES=newest (from PyPI) or debian: those that turfmilter and its tests use.
LIBRARIES = newest
ENVIRONMENT = $(if $(filter debian,$(LIBRARIES)),build/venv-debian,.venv)
export LIBRARIES ENVIRONMENT
PYTHON = $(ENVIRONMENT)/bin/python
ROOT := $(if $(filter 0,$(shell id -u)),,sudo)
MINUTES = 1
QUICK = tests/unit tests/property
# The protocol engine; where auto is libmilter, these run with the other one as well.
ENGINE = auto
WITH_LOOP = tests/milter tests/e2e/test_cases.py
PYTEST = $(ROOT) env CI="$(CI)" TURFMILTER_ENGINE=$(ENGINE) PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m pytest -p no:cacheprovider

.DEFAULT_GOAL := help
.PHONY: help check fast test parts half-daemon half-others with-loop only-loop audit fuzz demo bench docs deb repository packages clean install static system

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

check: ## format, lint, types, architecture, unit and property tests: under a minute on two cores
	@$(MAKE) --no-print-directory -j2 --output-sync=target static fast

ifdef SYSTEM
test: system
else
# The type checker reads the newest libraries only.
test: $(if $(filter newest,$(LIBRARIES)),static) parts ## all tests, end-to-end ones included; as root or through sudo; SYSTEM=trixie runs them on Debian 13
endif

parts: install
	@$(PYTHON) -m compileall -q milter # or every process that a test starts would compile it again
	@$(MAKE) --no-print-directory -j2 --output-sync=target half-daemon half-others with-loop

system:
	$(ROOT) env -u MAKEFLAGS PATH="$$PATH" tests/rig/system $(SYSTEM) \
		make parts CI="$(CI)" LIBRARIES=$(LIBRARIES) ENVIRONMENT=build/venv-$(LIBRARIES)

# The two halves take about as long, and each waits half of the time: side by side they are done much sooner.
half-daemon:
	$(PYTEST) tests/milter tests/integration

half-others:
	$(PYTEST) tests --ignore=tests/milter --ignore=tests/integration --ignore=tests/package

# On Python 3.12 and later all tests run with it anyway.
with-loop:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 12))' || $(MAKE) --no-print-directory only-loop

only-loop:
	$(PYTEST) $(WITH_LOOP)

only-loop: ENGINE = loop

audit: install ## known vulnerabilities of what the program needs; fails as well if that cannot be found out
	$(PYTHON) -m pip freeze --exclude-editable | $(PYTHON) -m pip_audit --strict --no-deps --disable-pip -r /dev/stdin

fuzz: install ## random input, also against real MTAs, MINUTES=1 for each target; TARGETS="postfix", SEED= plays one again
	$(ROOT) env PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=milter:tests $(PYTHON) -m fuzz --minutes $(MINUTES) \
		$(if $(SEED),--seed $(SEED)) $(TARGETS)

demo: install ## the filter at work on a private Postfix; KEEP=1 holds it open
	$(ROOT) env KEEP="$(KEEP)" PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=milter:tests $(PYTHON) tests/demo/demo.py

bench: install ## what the filter costs, as figures against references; FIGURES="envelope mail", ROUNDS=3, SMOKE=1
	@$(PYTHON) -m compileall -q milter # as it is installed: otherwise every start of turfctl would compile it
	$(ROOT) env PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=milter:tests $(PYTHON) -m bench \
		$(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SMOKE),--smoke) $(FIGURES)

docs: install ## write the pages that are made from the code, and the manual as a site in build/manual
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=milter:docs $(PYTHON) -m generate
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=milter:docs $(PYTHON) -m generate.site

# Each release is built and tried in roots of its own, which packaging/root makes once.
RELEASES = bookworm trixie

deb: ## build the Debian packages for Debian 12 and 13, check them with lintian, put them into build/packages
	@$(MAKE) --no-print-directory -j2 --output-sync=target $(RELEASES:%=deb-%)

deb-%:
	$(ROOT) packaging/build $*

repository: deb ## make a signed apt repository of them, build/repository
	$(ROOT) packaging/repository

packages: install repository ## build them, and try them on fresh hosts with Debian 12 and 13
	@$(MAKE) --no-print-directory -j2 --output-sync=target $(RELEASES:%=packages-%)

packages-%:
	$(PYTEST) tests/package -k $*

clean: ## remove what the other targets made here
	$(ROOT) rm -rf build # the systems in it are root's
	rm -rf .venv milter/turfmilter.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find milter tests docs -name __pycache__ -prune -exec rm -rf {} +

install:
	@tests/rig/install

# No test here starts a process, a server or another user's work: those are in tests/integration.
fast: install
	HYPOTHESIS_PROFILE=check $(PYTHON) -m pytest -q $(QUICK)

static: install
	$(PYTHON) -m ruff format --check milter tests docs
	$(PYTHON) -m ruff check milter tests docs
	$(PYTHON) -m mypy
	$(PYTHON) -m bandit -q -r milter/turfmilter -c pyproject.toml
	MYPYPATH=tests $(PYTHON) -m mypy -p rig -p caserunner -p bench -p fuzz
