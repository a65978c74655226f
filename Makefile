# Two commands do everything on a fresh machine: `make demo` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
# The distribution's interpreter where there is one that will do: it gets the distribution's security updates, and it is
# compiled with profile-guided optimisation, which one built on the spot mostly is not (docs/performance.md).
DISTRIBUTED := /usr/bin/python3
PYTHON ?= $(shell $(DISTRIBUTED) -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
  && echo $(DISTRIBUTED) || echo python3)
BIN := .venv/bin
ARGS ?=
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# Installs the named Debian/Ubuntu packages unless the probe command already works: $(call need,probe,packages)
define need
@$(1) >/dev/null 2>&1 || { echo "installing $(2)"; { $(SUDO) apt-get install -qy --no-install-recommends $(2) >/dev/null 2>&1 \
  || { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -qy --no-install-recommends $(2) >/dev/null; }; }; }
endef

.PHONY: help
help: ## list what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.PHONY: demo
demo: install ## sandbox registries, gateway and worker in one go, until Ctrl-C; options in ARGS="..."
	@$(BIN)/lgsp demo $(ARGS)

.PHONY: install
install: .venv/.runtime ## make only the environment; .venv/bin/lgsp then works

.venv/bin/python:
	$(call need,$(PYTHON) -c 'import ensurepip$(comma) venv',python3-venv)
	@$(PYTHON) -m venv .venv

comma := ,

.venv/.runtime: requirements/runtime.txt pyproject.toml | .venv/bin/python
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: hsm
hsm: .venv/.hsm ## add what signing keys on PKCS#11 tokens (HSM) need

.PHONY: otel
otel: .venv/.otel ## add what traces over OTLP need

.venv/.hsm .venv/.otel: .venv/.%: requirements/%.txt .venv/.runtime
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv/.dev: requirements/dev.txt .venv/.runtime
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

# Another SOAP stack, for the tests; npm checks the hashes of the lock and runs no script of a package.
.venv/.node: tests/test_oracles/node/package.json tests/test_oracles/node/package-lock.json
	$(call need,command -v npm,nodejs npm)
	@mkdir -p .venv/node
	@cp $^ .venv/node/
	@cd .venv/node && npm ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@

.PHONY: services
services: .venv/.node ## install the servers that the tests talk to
	$(call need,command -v redis-server,redis-server)
	$(call need,test -x "$$(ls -d /usr/lib/postgresql/*/bin/initdb | tail -n 1)",postgresql)
	$(call need,command -v setpriv,util-linux)
	$(call need,command -v openssl,openssl)
	$(call need,test -x "$$(command -v cc)" -a -e /usr/include/stdio.h,gcc libc6-dev)
	$(call need,command -v xmlsec1,xmlsec1)
	$(call need,test -e /usr/share/java/wss4j.jar -a -n "$$(command -v javac)",default-jdk-headless libwss4j-java)
	$(call need,command -v softhsm2-util && command -v pkcs11-tool,softhsm2 opensc)
	$(call need,type curl xmllint,curl libxml2-utils)
	$(call need,php -m | grep -qx soap,php-cli php-soap)
	$(call need,test -e /usr/share/java/jaxws-tools.jar -a -n "$$(command -v javac)",default-jdk-headless libjaxws-java)
# The one large thing: 45 MB to fetch, 200 MB on disk. Its `wsdl` and `svcutil` are in no smaller package.
	$(call need,type mono mcs wsdl svcutil,mono-devel)

.PHONY: vectors
vectors: .venv/bin/python ## fetch other people's signed documents, which the tests need, into .venv/vectors
	@$(BIN)/python -m tests.test_vectors.fetch

.PHONY: test
test: .venv/.dev services vectors ## install what the tests need and run the whole suite; options in ARGS="..."
# Hundreds of processes are started; where an environment forbids to keep bytecode, each would compile all of it.
	@$(BIN)/python -m compileall -q adapters bench commands config routes sandbox schemas security storage sync tools gateway.py
# One more than the two cores of continuous integration: a good part of the tests' time is waiting for other processes.
	@$(BIN)/python -m pytest -n 3 $(ARGS)

.PHONY: wsdl
wsdl: .venv/.dev ## promise the WSDLs as they are now: the files that the tests hold the SOAP face to
	@$(BIN)/python -m tests.test_soap_contract.golden

.PHONY: check
check: .venv/.dev ## ruff, mypy strict, the import rule
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

.venv/.bench: requirements/bench.txt .venv/.dev
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/bench.txt
	@touch $@

.venv/.bench-node: bench/rivals/node/package.json bench/rivals/node/package-lock.json
	$(call need,command -v npm,nodejs npm)
	@mkdir -p .venv/bench-node
	@cp $^ .venv/bench-node/
	@cd .venv/bench-node && npm ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@

# A rival that cannot be installed is reported as absent; the rest is measured all the same.
.PHONY: rivals
rivals: .venv/.dev ## install what people build today, to be measured beside
	-@$(MAKE) -s .venv/.bench
	-@$(MAKE) -s .venv/.bench-node
	-$(call need,test -x /usr/sbin/nginx,nginx-light)
	-$(call need,test -n "$$(ls /usr/sbin/php-fpm*)" -a -n "$$(php -m | grep -x soap)",php-fpm php-soap)

.PHONY: bench
bench: rivals ## requests per CPU-second beside what people build today; BENCH=quick is shorter; options in ARGS="..."
	@$(BIN)/python -m bench $(ARGS)

.venv/.fuzz: requirements/fuzz.txt .venv/.dev
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/fuzz.txt
	@touch $@

.PHONY: fuzz
fuzz: .venv/.fuzz ## fuzz what reads signed bytes; FUZZ_SECONDS=60 in all, FUZZ_TARGET=soap for one; what is found: .lgsp/fuzz/found
	@$(BIN)/python -m fuzz $(ARGS)

.PHONY: fuzz-soap
fuzz-soap: .venv/.dev ## 20,000 mutated SOAP requests against the demo that is running; options in ARGS="..."
	@$(BIN)/python -m fuzz.face $(ARGS)

.venv/.mutants: requirements/mutants.txt .venv/.dev
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/mutants.txt
	@touch $@

.PHONY: mutants
mutants: .venv/.mutants ## change what proves signatures and the log in thousands of places and see which test notices; ARGS="evidence"
	@nice $(BIN)/python -m tools.mutants $(ARGS)

.PHONY: chaos
chaos: .venv/.dev ## 10,000 dossier events, a portal that misbehaves, everything killed 20 times; ARGS="--postgres" for three nodes
	@$(BIN)/python -m tools.chaos $(ARGS)

.PHONY: receipts
receipts: .venv/.dev ## callers keep every receipt while gateways are killed 100 times; ARGS="--kills 10"
	@$(BIN)/python -m tools.receipts_chaos $(ARGS)

.PHONY: power
power: .venv/.dev ## a gateway is recorded at work, and its power fails at 100 moments of that; ARGS="--moments 200"
	$(call need,test -x "$$(command -v cc)" -a -e /usr/include/stdio.h,gcc libc6-dev)
	@$(BIN)/python -m tools.power_chaos $(ARGS)

.PHONY: machine
machine: .venv/.dev ## the state machine of intake, outbox and portal for longer (EXAMPLES=1000 STEPS=60)
	@LGSP_MACHINE_EXAMPLES=$(or $(EXAMPLES),1000) LGSP_MACHINE_STEPS=$(or $(STEPS),60) $(BIN)/python -m pytest \
	  tests/test_dossier_machine/test_machine.py -q

.PHONY: wheel
wheel: .venv/.runtime ## build the wheel into dist/
	@$(BIN)/python -m hatchling build -t wheel

.PHONY: lock
lock: ## resolve requirements/*.in again into hash-locked *.txt (needs uv)
	@cd requirements && for name in runtime dev hsm otel bench fuzz mutants; do \
	  uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    --no-emit-index-url --no-emit-find-links $$name.in -o $$name.txt; done
