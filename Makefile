# The commands of the project; each is a short script or a call of meson. `make` alone builds.
.PHONY: all setup build demo test unit check bench race sim soak planted fuzz docs clean debug
JOBS ?= $(shell nproc)

all: build

setup: ## everything that building and testing needs, from the package registries
	@tools/setup.sh

build/build.ninja:
	@meson setup build --buildtype=debugoptimized >/dev/null
build-debug/build.ninja:
	@meson setup build-debug --buildtype=debug -Db_sanitize=address,undefined >/dev/null

build: build/build.ninja ## build/weir, with the dashboard, the SDK and the demo shop in it
	@tools/build_pages.sh
	@tools/reconfigure_if_new.sh build
	@ninja -C build -j$(JOBS) --quiet

debug: build-debug/build.ninja ## the same with sanitizers, for the tests
	@tools/reconfigure_if_new.sh build-debug
	@ninja -C build-debug -j$(JOBS) --quiet

unit: debug ## unit and contract tests with sanitizers, under a minute
	@tools/scratch.sh meson test -C build-debug --no-rebuild --print-errorlogs --num-processes $(JOBS)

check: ## formatting, warnings, layers, forbidden calls, links of docs
	@tools/check.sh

test: ## everything, from a bare machine: what CI runs
	@tools/test.sh

demo: ## installs what it needs, builds, starts everything with live demo traffic
	@tools/demo.sh

bench: ## the numbers, as ratios in one run; some of them: bench/run GROUP…
	@tools/setup.sh --tests
	@bench/run

race: build ## weir beside Flink and Kafka Streams on the same Kafka topic; OPTIONS=--quick for a first look, bench/peers/run --help for more
	@tools/setup.sh --peers
	@bench/peers/run $(OPTIONS)

fuzz: ## make fuzz T=name [SECONDS=60]
	@tools/fuzz.sh "$(T)" "$(SECONDS)"

ifdef SEED
sim: debug ## simulations: make sim runs thousands of seeds, SEEDS=100000 a night of them, SEED=7 repeats one with sanitizers
	@for test in build-debug/test_sim_*_test_c; do SEED=$(SEED) tools/scratch.sh $$test || exit 1; done
else
sim: build
	@tools/scratch.sh tools/sim.py $(if $(SEEDS),--seeds $(SEEDS))
endif

soak: build ## Kafka's bad days at length: make soak [MINUTES=10] [SEED=7]: three brokers, random faults under load
	@SEED=$(SEED) test/soak.py $(or $(MINUTES),10)

planted: ## mistakes that are kept as patches: the simulation must find each
	@tools/planted.sh

clean:
	@rm -rf build build-debug build-fuzz build-tsan dashboard/dist sdk/dist
