# SPDX-License-Identifier: BSD-2-Clause
# Rules for the tests, fuzzers and measurements of apic/.

APIC_SRC := $(wildcard apic/*.c)
APIC_TESTS := $(filter $(O)/host/test_apic_%,$(HOST_TESTS))

# Every test of the engine links all of it, and the rig.
$(APIC_TESTS): $(APIC_SRC:%.c=$(O)/host/%.o) $(O)/host/tests/host/apic_rig.o
