# SPDX-License-Identifier: BSD-2-Clause
# Rules for the tests, fuzzers and measurements of apic/.

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
