# PeerLink. `make demo` shows it, `make test` tests everything; `make help` lists the rest.

GO     ?= go
PYTHON ?= python3
BUILD  := build
VENV   := $(BUILD)/venv
PY     := $(VENV)/bin/python

# Tests and the demonstration stay on this machine.
LOOPBACK := $(if $(filter Darwin,$(shell uname -s)),lo0,lo)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

include bind/capi/build.mk
include test/jvm/build.mk

EXAMPLE_LIBS := -L$(BUILD) -lpeerlink -Wl,-rpath,$(CURDIR)/$(BUILD) -lpthread

GO_DIRS    := core cmd bind internal examples test
GO_SOURCES := $(shell find core cmd -name '*.go' -not -name '*_test.go') go.mod go.sum

## demo: Phone1 and Phone2, two processes, find each other and add two numbers
.PHONY: demo
demo:
	@GO=$(GO) PEERLINK_INTERFACES=$(LOOPBACK) test/demo.sh

## test: everything; each part says what it needs and is counted at the end
.PHONY: test
test:
	@GO=$(GO) PYTHON=$(PYTHON) MAKE=$(MAKE) PEERLINK_INTERFACES=$(LOOPBACK) test/run.sh

## build: bin/peerlink, build/libpeerlink.so, build/libpeerlink.a, build/peerlink.h
.PHONY: build
build: bin/peerlink capi

bin/peerlink: $(GO_SOURCES)
	$(GO) build -trimpath -o $@ ./cmd/peerlink

## wheel: one Python wheel in dist/
.PHONY: wheel
wheel: $(VENV)/.tools
	rm -rf dist
	$(PY) -m build --wheel --outdir dist python

## lint: formatting, vet for every platform, staticcheck, ruff, mypy
.PHONY: lint lint-go lint-python
lint: lint-go lint-python

lint-go:
	@test -z "$$(gofmt -l $(GO_DIRS))" || { gofmt -d $(GO_DIRS); exit 1; }
	$(GO) mod tidy -diff
	$(GO) vet ./...
	for os in android darwin windows; do CGO_ENABLED=0 GOOS=$$os GOARCH=arm64 $(GO) vet ./core/... ./cmd/... ./bind/mobile || exit 1; done
	$(GO) tool staticcheck ./...

lint-python: $(VENV)/.tools
	cd python && ../$(PY) -m ruff check . ../examples/python ../test && ../$(PY) -m ruff format --check . ../examples/python ../test
	cd python && ../$(PY) -m mypy

## python-test: the package, installed as a user would, into build/venv
.PHONY: python-test
python-test: python-install
	$(PY) -m pytest python/tests

.PHONY: python-install
python-install: $(VENV)/.tools
	$(PY) -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps ./python

## readme-test: the quick starts are the examples, and all pairs of languages print 42
.PHONY: readme-test
readme-test: python-install examples jvm-examples
	$(PY) test/readme/check.py README.md
	$(PY) test/readme/quickstarts.py

.PHONY: examples
examples: capi
	mkdir -p $(BUILD)/examples/go
	$(GO) build -o $(BUILD)/examples/go/ ./examples/go/...
	mkdir -p $(BUILD)/examples/c $(BUILD)/examples/cpp
	for p in phone1 phone2; do \
		$(CC) -std=c99 -I$(BUILD) -o $(BUILD)/examples/c/$$p examples/c/$$p.c $(EXAMPLE_LIBS) && \
		$(CXX) -std=c++17 -I$(BUILD) -o $(BUILD)/examples/cpp/$$p examples/cpp/$$p.cpp $(EXAMPLE_LIBS) || exit 1; \
	done

## protocol-test: a decoder written from docs/PROTOCOL.md alone, against the golden vectors
.PHONY: protocol-test
protocol-test: $(VENV)/.tools
	$(PY) -m pytest test/protocol

## interop-test: against the real PyPI peerlink 1.1.1, in network namespaces (root)
.PHONY: interop-test
interop-test: python-install bin/peerlink
	$(PY) -m pytest test/interop

## fuzz: each decoder for FUZZTIME (default 30s)
.PHONY: fuzz
FUZZTIME ?= 30s
fuzz:
	@GO=$(GO) FUZZTIME=$(FUZZTIME) test/fuzz.sh

## bench: speed beside named peers, in network namespaces (root); fills docs/BENCHMARKS.md
.PHONY: bench
bench:
	$(GO) run ./test/bench

$(VENV)/.tools: python/pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(PY) -m pip install --quiet --disable-pip-version-check --group python/pyproject.toml:dev
	touch $@

## clean: what was built
.PHONY: clean
clean:
	rm -rf bin $(BUILD) _build dist

## help: this list
.PHONY: help
help:
	@sed -n 's/^## \([a-z-]*\): /\1\t/p' $(MAKEFILE_LIST) | expand -t 16
