# Entry points. Each installs what it needs first (scripts/setup does nothing when nothing is missing).
.DEFAULT_GOAL := help
.PHONY: help run test build bench profile fuzz format lint lint-all sanitize conformance soak storm kill-test

FUZZ_SECONDS ?= 600
SOAK_MINUTES ?= 10
STORM_SECONDS ?= 120
KILL_SECONDS ?= 300
FUZZ_TARGET ?=
export FUZZ_SECONDS FUZZ_TARGET SOAK_MINUTES

help:
	@echo 'make run       simulator and gateway on this machine, with a key and a curl to try; Ctrl-C stops both'
	@echo 'make test      unit and end-to-end tests under AddressSanitizer and UndefinedBehaviorSanitizer'
	@echo 'make build     build/release/llm-gateway'
	@echo 'make bench     CPU, latency and memory beside nginx and haproxy; writes bench/results.md'
	@echo 'make profile   measures what release builds are optimised by; writes bench/release.profdata'
	@echo 'make fuzz      each fuzz target for FUZZ_SECONDS (600); FUZZ_TARGET=name for one'
	@echo 'make format    clang-format on every source'
	@echo 'make lint      layers, format, clang-tidy, shellcheck'
	@echo 'make lint-all  the same, clang-tidy over the tests too'
	@echo 'make conformance  the program judged with recorded traffic: CASES=dir FAMILY=AE CLIENT= PROVIDER= CASE='
	@echo 'make soak      SOAK_MINUTES (10) of load with faults; nothing may be left of it'
	@echo 'make storm     STORM_SECONDS (120) of each storm over a simulated fleet, with its figures'
	@echo 'make kill-test KILL_SECONDS (300) of kill -9 under load; every complete answer must have its ledger record'
	@echo 'make sanitize  every test under ASan and UBSan, then under ThreadSanitizer'

run:
	@scripts/setup build
	@scripts/build release llm-gateway
	@exec scripts/run

test:
	@scripts/setup test
	@scripts/build dev all bench-tools
	@tools/run_tests dev

build:
	@scripts/setup build
	@scripts/build release llm-gateway

bench:
	@scripts/setup bench
	@scripts/build release llm-gateway
	@bench/run

profile:
	@scripts/setup bench
	@scripts/build release bench-tools
	@python3 bench/profile.py

fuzz:
	@scripts/setup test
	@scripts/build fuzz
	@scripts/fuzz

format:
	@scripts/setup test
	@tools/lint format

lint:
	@scripts/setup test
	@tools/lint

lint-all:
	@scripts/setup test
	@tools/lint --tests

soak:
	@scripts/setup test
	@scripts/build dev llm-gateway
	@scripts/soak

storm:
	@scripts/setup test
	@scripts/build release llm-gateway
	@LLMGW_BINARY=build/release/llm-gateway STORM_SECONDS=$(STORM_SECONDS) LLMGW_E2E_JOBS=0 tests/e2e/run storm_test.py -s

kill-test:
	@scripts/setup test
	@scripts/build dev llm-gateway
	@LLMGW_KILL_SECONDS=$(KILL_SECONDS) tests/e2e/run -k killed_at_any_moment

sanitize:
	@scripts/setup test
	@scripts/build dev all bench-tools
	@tools/run_tests dev
	@scripts/build tsan
	@tools/run_tests tsan

CASES ?= ../shared/cases
conformance:
	@scripts/setup test
	@scripts/build dev llm-gateway
	@tests/conformance/run --cases '$(CASES)' $(if $(FAMILY),--family '$(FAMILY)') $(if $(CLIENT),--client '$(CLIENT)') \
	  $(if $(PROVIDER),--provider '$(PROVIDER)') $(if $(CASE),--case '$(CASE)')
