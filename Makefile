# Everything a developer does. `make serve` and `make test` need nothing but a fresh Debian or
# Ubuntu; the others build on the same set-up. Stamps in .venv make a second run quick.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
# The two ONNX Runtime wheels overwrite each other, so it is one or the other.
ORT_EXTRA ?= $(shell if [ -e /proc/driver/nvidia/version ] || command -v nvidia-smi >/dev/null; \
	then echo gpu; else echo cpu; fi)
JOBS ?= $(shell nproc)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
CMAKE := $(BIN)/cmake -G Ninja -S . -DCMAKE_MAKE_PROGRAM=$(CURDIR)/$(BIN)/ninja \
	-DPENSTOCK_TESTS=ON -DPENSTOCK_WERROR=ON
CXX_FILES = $(shell find native -name '*.cc' -o -name '*.h' | grep -v '\.gen\.')
# Each has native/fuzz/NAME_fuzz.cc and tests/fuzz/corpus/NAME.
FUZZ_TARGETS ?= wire connection onnx_scan jpeg png tokenizer columns
FUZZ_SECONDS ?= 60
CORE_SOURCES = $(shell find native/src native/include native/binding -type f 2>/dev/null) CMakeLists.txt native/CMakeLists.txt
CLIENT_SOURCES = clients/python/pyproject.toml clients/python/setup.py \
	$(wildcard clients/python/penstock_client/*.pyx)
TEST_MODELS := build/test-models

.PHONY: help setup serve test check bench bench-numbers bench-overload bench-peers \
	bench-preprocessing asan tsan fuzz format generate generate-unicode clean system-packages \
	build-cpp test-cpp test-python check-packages

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: system-packages $(VENV)/.installed-$(ORT_EXTRA) ## system packages, .venv, build

serve: setup ## the demo server on 127.0.0.1:8001, in the foreground
	@exec scripts/serve_demo.sh

test: test-cpp test-python ## every test

check: setup check-packages $(VENV)/.dev build/test/CMakeCache.txt ## format, lint, types, analysis
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict server/penstock
	$(BIN)/mypy --strict clients/python/penstock_client
	$(BIN)/python scripts/generate_options.py --check
	$(BIN)/python scripts/generate_metrics.py --check
	$(BIN)/clang-format --dry-run -Werror $(CXX_FILES)
	scripts/run_clang_tidy.sh build/test
	$(BIN)/python -m pytest -q tests/meta

bench: setup ## the benchmark against its peers
	@scripts/install_system_packages.sh bench
	status=0; $(BIN)/python bench/run.py || status=$$?; \
	  $(BIN)/python -m bench.peers --only penstock,triton || status=$$?; \
	  $(MAKE) bench-numbers || status=$$?; exit $$status

bench-numbers: setup ## what metrics cost, and whether perf_analyzer sees the same
	status=0; $(BIN)/python -m bench.scrape || status=$$?; \
	  $(BIN)/python -m bench.perf_analyzer || status=$$?; exit $$status

bench-overload: setup ## goodput under more load than the server can take
	$(BIN)/python -m bench.overload

bench-preprocessing: setup ## pictures, texts, tables and strings to tensors, beside what others use
	$(PIP) --no-build-isolation -e '.[bench]'
	status=0; $(BIN)/python -m bench.preprocess_images || status=$$?; \
	  $(BIN)/python -m bench.preprocess_serve || status=$$?; \
	  $(BIN)/python -m bench.preprocess_text || status=$$?; \
	  $(BIN)/python -m bench.preprocess_tabular || status=$$?; \
	  $(BIN)/python -m bench.client_bytes || status=$$?; \
	  $(BIN)/python -m bench.preprocess_ragged || status=$$?; exit $$status

bench-peers: setup ## Triton, grpc.aio and MLServer beside ours; installs them under build/peers
	@scripts/install_system_packages.sh bench
	$(BIN)/python -m bench.peers

format: $(VENV)/.dev ## rewrites files as `make check` wants them
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CXX_FILES)

generate-unicode: setup ## asks tokenizers about every code point again
	$(BIN)/python scripts/generate_unicode.py

generate: ## rewrites what is derived from native/options.toml and native/metrics.toml
	"$$(scripts/find_python.sh)" scripts/generate_options.py
	"$$(scripts/find_python.sh)" scripts/generate_metrics.py

clean: ## removes everything that was built, and .venv
	rm -rf build dist $(VENV) server/*.egg-info clients/python/*.egg-info clients/python/build
	find server clients -name '*.so' -delete

# --- set-up ---------------------------------------------------------------------------------------

system-packages:
	@scripts/install_system_packages.sh build test

check-packages:
	@scripts/install_system_packages.sh check

$(VENV)/.created:
	"$$(scripts/find_python.sh)" -m venv --clear $(VENV)
	$(PIP) --upgrade pip
	touch $@

# Build requirements live in .venv, so that a rebuild compiles only what changed.
PROJECTS := pyproject.toml clients/python/pyproject.toml
$(VENV)/.build-requirements: $(VENV)/.created $(PROJECTS)
	$(BIN)/python -c 'import sys, tomllib; \
	  [print(*tomllib.load(open(path, "rb"))["build-system"]["requires"], sep="\n") \
	   for path in sys.argv[1:]]' $(PROJECTS) \
	  > $(VENV)/build-requirements.txt
	$(PIP) --requirement $(VENV)/build-requirements.txt
	touch $@

$(VENV)/.installed-$(ORT_EXTRA): $(VENV)/.build-requirements setup.py $(CORE_SOURCES) \
		$(CLIENT_SOURCES)
	$(PIP) --no-build-isolation -e '.[$(ORT_EXTRA),test]' -e clients/python
	touch $@

$(VENV)/.dev: $(VENV)/.installed-$(ORT_EXTRA) pyproject.toml
	$(PIP) --no-build-isolation -e '.[dev]'
	touch $@

# --- tests ----------------------------------------------------------------------------------------

$(TEST_MODELS)/.made: scripts/make_test_models.py | $(VENV)/.installed-$(ORT_EXTRA)
	$(BIN)/python scripts/make_test_models.py $(TEST_MODELS)
	touch $@

build/test/CMakeCache.txt: | setup
	$(CMAKE) -B build/test

# $(call build_cpp,build folder,further CMake settings)
define build_cpp
	$(CMAKE) -B $(1) $(2)
	$(BIN)/cmake --build $(1) --parallel $(JOBS)
endef

# $(call run_cpp_tests,build folder)
define run_cpp_tests
	PENSTOCK_TEST_MODELS=$(CURDIR)/$(TEST_MODELS) \
	PENSTOCK_ORT_LIBRARY="$$($(BIN)/python -c \
	  'from penstock._ort import find_onnxruntime; print(find_onnxruntime())')" \
	PENSTOCK_PROVIDER_LIBRARIES="$$($(BIN)/python -c 'from penstock._cuda import \
	  find_cuda_libraries; print(*find_cuda_libraries(), sep=":")')" \
	$(BIN)/ctest --test-dir $(1) --output-on-failure --no-tests=error --timeout 300 -j $(JOBS)
endef

build-cpp: setup
	$(call build_cpp,build/test,)

test-cpp: build-cpp $(TEST_MODELS)/.made ## the C++ tests only
	$(call run_cpp_tests,build/test)

# Some of them run the host program of build/test.
test-python: build-cpp $(TEST_MODELS)/.made ## the Python tests only
	PENSTOCK_TEST_MODELS=$(CURDIR)/$(TEST_MODELS) $(BIN)/python -m pytest tests

asan: setup $(TEST_MODELS)/.made ## the C++ tests under AddressSanitizer and UBSan
	$(call build_cpp,build/asan,-DPENSTOCK_SANITIZE=address)
	$(call run_cpp_tests,build/asan)

tsan: setup $(TEST_MODELS)/.made ## the C++ tests under ThreadSanitizer
	$(call build_cpp,build/tsan,-DPENSTOCK_SANITIZE=thread)
	$(call run_cpp_tests,build/tsan)

# What is found goes to build/fuzz/corpus, and an input that fails to build/fuzz/failed. Warnings are
# no errors here: clang has its own, some about the standard library's headers.
fuzz: setup ## libFuzzer, FUZZ_SECONDS (60) for each of FUZZ_TARGETS
	@scripts/install_system_packages.sh fuzz
	$(CMAKE) -B build/fuzz -DCMAKE_CXX_COMPILER=clang++-19 -DPENSTOCK_TESTS=OFF \
	  -DPENSTOCK_WERROR=OFF -DPENSTOCK_FUZZ=ON -DPENSTOCK_SANITIZE=address
	$(BIN)/cmake --build build/fuzz --parallel $(JOBS) --target $(FUZZ_TARGETS:%=%_fuzz)
	mkdir -p build/fuzz/failed $(FUZZ_TARGETS:%=build/fuzz/corpus/%)
	for target in $(FUZZ_TARGETS); do \
	  build/fuzz/native/fuzz/$${target}_fuzz build/fuzz/corpus/$${target} \
	    tests/fuzz/corpus/$${target} -artifact_prefix=build/fuzz/failed/$${target}- \
	    -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -rss_limit_mb=2500 -print_final_stats=1; \
	done
