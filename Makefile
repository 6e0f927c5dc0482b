# make demo | test | quick | bench | bench-peers | bench-equality | lint | docs | asan | tsan | fuzz | wheel-check | gpu-check
# Everything installs itself on a fresh Debian or Ubuntu machine; a second run starts at once.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers
JOBS := $(shell nproc)
export XDG_CACHE_HOME ?= $(HOME)/.cache

.DEFAULT_GOAL := help
.PHONY: help setup build demo test quick bench bench-peers bench-equality lint docs asan tsan fuzz wheel-check gpu-check clean

help:
	@sed -n '1,2s/^# //p' Makefile

setup: $(VENV)/.ready
$(VENV)/.ready: requirements.txt constraints.txt cmake/setup.sh
	@cmake/setup.sh "$(PYTHON)" $(VENV)
	@touch $@

build: setup
	@cmake/build.sh $(BIN)/python

demo: build
	$(BIN)/lampyris demo $(ARGS)

test: build
	@cmake/test.sh all

quick: build
	@cmake/test.sh quick

# With the other libraries' columns once `make bench-peers` has installed them.
bench: build
	$(if $(wildcard $(PEERS)/bin/python),$(PEERS),$(VENV))/bin/python -W ignore -m benchmarks $(ARGS)

bench-peers: $(PEERS)/.ready
$(PEERS)/.ready: benchmarks/peers.txt cmake/peers.sh | setup
	@cmake/peers.sh $(BIN)/python $(PEERS)
	@touch $@

bench-equality: build bench-peers
	$(PEERS)/bin/python -W ignore -m benchmarks.equality $(ARGS)

lint: setup
	$(BIN)/ruff check python tests benchmarks examples cmake setup.py
	$(BIN)/ruff format --check python tests benchmarks examples cmake setup.py

docs: build
	$(BIN)/python -m pip install -q --disable-pip-version-check sphinx myst-parser furo -c constraints.txt
	$(BIN)/python -m sphinx -q -b html docs docs/_build
	@echo "docs/_build/index.html"

asan tsan: setup
	@cmake/sanitize.sh $@ $(BIN)/python

fuzz: setup
	@cmake/sanitize.sh fuzz $(BIN)/python

wheel-check: build
	@cmake/wheel_check.sh $(BIN)/python

gpu-check: build
	@cmake/gpu_check.sh $(BIN)/python

clean:
	rm -rf build build-* python/lampyris/*.so
