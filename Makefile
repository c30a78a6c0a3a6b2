# Everything is a target named by intent; `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory

BIN   := $(CURDIR)/bin
TOOLS := .cache/tools
TIMES := .cache/stage-times.txt
STAGE := $(TOOLS)/stage

FUZZTIME     ?= 60s
# A package that hangs is told so with its goroutines; e2e waits for real things.
UNIT_TIMEOUT ?= 5m
TEST_TIMEOUT ?= 20m

# Unit and golden tests: everything that needs no API server.
UNIT = $$(go list ./... | grep -v -E '/test/(integration|e2e|bench|corpus)(/|$$)')

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: doctor
doctor: ## check that this machine has what is needed, and name the fix for what is missing
	@sh hack/doctor.sh

.PHONY: preflight
preflight:
	@QUIET=1 sh hack/doctor.sh

.PHONY: build
build: preflight ## fill bin/: local control plane, kwok, muster, muster-manager, muster-agent, muster-render
	@go run ./hack/build

.PHONY: build-race
build-race: build
	@go run ./hack/build race

.PHONY: demo
demo: build ## start a hub and three clusters on this machine and follow a Git repository; ARGS="--clusters 5"
	@bin/muster demo $(ARGS)

##  Tests. MUSTER_BIN tells the harness where the binaries are; bin/race holds
##  the manager and the agent with the race detector beside links to the rest.

.PHONY: test
test: $(STAGE) ## all tests with the race detector: unit and golden, corpora, integration, end to end; minutes per stage
	@[ -n "$${KEEP_TIMES:-}" ] || rm -f $(TIMES)
	@trap '$(STAGE) -file $(TIMES) -table' EXIT; \
	  $(STAGE) -file $(TIMES) "tools and control plane" $(MAKE) build-race; \
	  $(STAGE) -file $(TIMES) -tests "unit and golden" $(MAKE) race-unit; \
	  $(STAGE) -file $(TIMES) -tests "corpus" $(MAKE) run-corpus; \
	  $(STAGE) -file $(TIMES) -tests "integration" $(MAKE) race-integration; \
	  $(STAGE) -file $(TIMES) -tests "e2e and faults" $(MAKE) race-e2e

.PHONY: race-unit run-corpus race-integration race-e2e
race-unit:
	@go test -race -timeout $(UNIT_TIMEOUT) $(UNIT)
# Charts, hostile inputs and scenarios run in child processes and measure memory,
# so the race detector would watch the wrong process and spoil the figures.
run-corpus:
	@go test -count=1 -timeout $(UNIT_TIMEOUT) ./test/corpus/...
race-integration:
	@MUSTER_BIN=$(BIN)/race go test -race -count=1 -timeout $(TEST_TIMEOUT) ./test/integration/...
race-e2e:
	@MUSTER_BIN=$(BIN)/race go test -race -count=1 -p 1 -timeout $(TEST_TIMEOUT) ./test/e2e/...

.PHONY: test-unit
test-unit: ## unit and golden tests only, without the race detector: the fast loop
	@go test -timeout $(UNIT_TIMEOUT) $(UNIT)

.PHONY: test-corpus
test-corpus: run-corpus ## charts compared with Helm, hostile inputs, Fleet's scenarios

.PHONY: test-integration
test-integration: build ## tests against real API servers, without the race detector
	MUSTER_BIN=$(BIN) go test -count=1 -timeout $(TEST_TIMEOUT) ./test/integration/...

.PHONY: test-e2e
test-e2e: build ## tests over the demo's harness, without the race detector
	MUSTER_BIN=$(BIN) go test -count=1 -p 1 -timeout $(TEST_TIMEOUT) ./test/e2e/...

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (60s)
	@FUZZTIME=$(FUZZTIME) sh hack/fuzz.sh

.PHONY: bench
bench: build ## measure the whole system beside its budgets (builds without the race detector)
	MUSTER_BIN=$(BIN) go test -count=1 -p 1 -v -timeout 60m ./test/bench/...

##  Code.

.PHONY: generate
generate: $(TOOLS)/controller-gen ## deep copies and CRDs from the API types
	@$(TOOLS)/controller-gen object paths=./pkg/api/...
	@$(TOOLS)/controller-gen crd paths=./pkg/api/... output:crd:dir=charts/muster-crds/templates
	@if grep -n '{{' charts/muster-crds/templates/*.muster.dev_*.yaml muster.dev_*.yaml 2>/dev/null; then \
	  echo "generate: a comment on an API field contains '{{', which Helm would take for a template; reword it" >&2; exit 1; fi

.PHONY: verify
verify: generate ## generate, then fail if that changed anything
	@git diff --exit-code -- pkg/api charts/muster-crds
	@new=$$(git ls-files --others --exclude-standard -- pkg/api charts/muster-crds); \
	  [ -z "$$new" ] || { echo "verify: generated but not committed: $$new" >&2; exit 1; }

.PHONY: lint
lint: $(TOOLS)/staticcheck ## gofmt, go vet, staticcheck
	@unformatted=$$(git ls-files -co --exclude-standard '*.go' | xargs gofmt -l); \
	  [ -z "$$unformatted" ] || { echo "lint: run gofmt -w on:"; echo "$$unformatted"; exit 1; } >&2
	@go vet ./...
	@$(TOOLS)/staticcheck ./...

.PHONY: shape
shape: ## print the tree's own numbers: function lengths, test ratio, documented exports
	@go run ./hack/shape

.PHONY: clean
clean: ## remove bin/ and .cache/ (Go's own caches stay)
	@rm -rf bin .cache

$(STAGE): $(wildcard hack/stage/*.go)
	@mkdir -p $(TOOLS) && go build -o $@ ./hack/stage

# Tools are pinned in a module of their own, so that they choose none of our versions.
$(TOOLS)/controller-gen: tools/go.mod tools/go.sum
	@mkdir -p $(TOOLS) && go build -C tools -o $(CURDIR)/$@ sigs.k8s.io/controller-tools/cmd/controller-gen && touch $@

$(TOOLS)/staticcheck: tools/go.mod tools/go.sum
	@mkdir -p $(TOOLS) && go build -C tools -o $(CURDIR)/$@ honnef.co/go/tools/cmd/staticcheck && touch $@
