# SPDX-License-Identifier: BSD-2-Clause
# Rules for the tests, fuzzers and measurements of apic/, and the fuzzer of the configuration.

APIC_SRC := $(wildcard apic/*.c)
APIC_TESTS := $(filter $(O)/host/test_apic_%,$(HOST_TESTS))

APIC_HELPERS := $(addprefix tests/host/apic_,rig.c model.c kvm.c history.c)

# Every test of the engine links all of it, and the helpers.
$(APIC_TESTS): $(patsubst %.c,$(O)/host/%.o,$(APIC_SRC) $(APIC_HELPERS))

# ---- Speed ----
# Plain optimised objects, with no sanitizer in the way.
BENCH_CFLAGS = $(COMMON)
BENCH_OBJ := $(APIC_SRC:%.c=$(O)/bench/%.o) $(O)/bench/tests/host/bench_apic.o \
  $(O)/bench/tests/host/apic_kvm.o

$(O)/bench/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(BENCH_CFLAGS) -c -o $@ $<

$(O)/bench/bench_apic: $(BENCH_OBJ)
	$(call say,LD)
	$(Q)$(CC) -o $@ $^

.PHONY: bench-apic
bench-apic: $(O)/bench/bench_apic ## measure APIC routing; table in build/bench-apic.csv
	$< $(O)/bench-apic.csv

# ---- Concurrency ----
TSAN_CFLAGS = $(COMMON) -fsanitize=thread
TSAN_OBJ := $(patsubst %.c,$(O)/tsan/%.o,$(APIC_SRC) tests/host/apic_rig.c tests/host/stress_apic.c)

$(O)/tsan/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(TSAN_CFLAGS) -c -o $@ $<

$(O)/tsan/stress_apic: $(TSAN_OBJ)
	$(call say,LD)
	$(Q)$(CC) -fsanitize=thread -o $@ $^

# ---- Fuzzing ----
FUZZ_CC ?= clang
FUZZ_CFLAGS = $(COMMON) -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
FUZZ_SRC := $(APIC_SRC) $(addprefix tests/host/apic_,rig.c model.c history.c)
FUZZ_TARGETS := $(O)/fuzz/fuzz_apic_regs $(O)/fuzz/fuzz_apic_msgs

$(O)/fuzz/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -c -o $@ $<

$(FUZZ_TARGETS): $(O)/fuzz/%: $(O)/fuzz/tests/host/%.o $(FUZZ_SRC:%.c=$(O)/fuzz/%.o)
	$(call say,LD)
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -o $@ $^

$(O)/fuzz/fuzz_config: $(patsubst %.c,$(O)/fuzz/%.o,tests/host/fuzz_config.c boot/load_options.c \
  core/config/config.c core/config/keys.c core/config/value.c core/config/vcpus.c core/format.c)
	$(call say,LD)
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -o $@ $^

# ---- Coverage of apic/ by its tests ----
COVERAGE_MIN = 95
COV_CFLAGS = $(COMMON) -O0 --coverage
COV_TESTS := $(patsubst $(O)/host/%,$(O)/cov/%,$(APIC_TESTS))

$(O)/cov/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(COV_CFLAGS) -c -o $@ $<

$(COV_TESTS): $(O)/cov/%: $(O)/cov/tests/host/%.o \
    $(patsubst %.c,$(O)/cov/%.o,$(APIC_SRC) $(APIC_HELPERS))
	$(call say,LD)
	$(Q)$(CC) --coverage -o $@ $^ -lcmocka

.PHONY: coverage
coverage: $(COV_TESTS) ## line coverage of apic/ by its tests
	$(Q)find $(O)/cov -name '*.gcda' -delete
	$(Q)for t in $(COV_TESTS); do $$t >$$t.log 2>&1 || { cat $$t.log; exit 1; }; done
	$(Q)gcov -n $(APIC_SRC:%.c=$(O)/cov/%.gcda) | \
	  awk -v min=$(COVERAGE_MIN) -f tests/host/coverage.awk

# ---- All of it ----
# What `make test` runs besides the unit tests: programs that print TAP.
HOST_PROGRAMS := $(O)/apic/apic_stress $(O)/apic/apic_fuzz $(O)/apic/config_fuzz

$(O)/apic/apic_stress: $(O)/tsan/stress_apic
	@mkdir -p $(@D)
	$(Q)printf '#!/bin/sh\nexec $(CURDIR)/$< $${1:-3}\n' >$@ && chmod +x $@

$(O)/apic/apic_fuzz: $(FUZZ_TARGETS) tests/host/apic.mk
	@mkdir -p $(@D)
	$(Q)printf '#!/bin/sh\nexec $(CURDIR)/tests/host/run_fuzz $(CURDIR)/$(O)/fuzz $${1:-5} %s\n' \
	  'apic_regs apic_msgs' >$@ && chmod +x $@

$(O)/apic/config_fuzz: $(O)/fuzz/fuzz_config tests/host/apic.mk
	@mkdir -p $(@D)
	$(Q)printf '#!/bin/sh\nexec $(CURDIR)/tests/host/run_fuzz $(CURDIR)/$(O)/fuzz $${1:-5} %s\n' \
	  config >$@ && chmod +x $@

# The large exhaustive set runs without sanitizers: it takes minutes as it is.
EXHAUSTIVE_OBJ := $(patsubst %.c,$(O)/bench/%.o,$(APIC_SRC) tests/host/apic_rig.c \
  tests/host/apic_model.c tests/host/test_apic_exhaustive.c)

$(O)/bench/exhaustive: $(EXHAUSTIVE_OBJ)
	$(call say,LD)
	$(Q)$(CC) -o $@ $^ -lcmocka
