# SPDX-License-Identifier: BSD-2-Clause
# "make test" runs everything but what takes long, "make test T=name" one test (see tests/run).

# Tests of the tools themselves are Python programs that print TAP.
TOOLS_TESTS := $(wildcard tests/tools/test_*.py)

TEST_NEEDS = all $(LINUX)/vmlinux $(LINUX)/vmlinux-generic $(LINUX)/vmlinux-trixie \
  $(LINUX)/initramfs.cpio guests $(HOST_TESTS) $(HOST_PROGRAMS)

.PHONY: test test-long
test: $(TEST_NEEDS) ## run all tests, or one: make test T=name
	$(Q)tests/run $(if $(T),--only '$(T)') $(HOST_TESTS) $(HOST_PROGRAMS) $(TOOLS_TESTS)

test-long: $(TEST_NEEDS) $(if $(T),,$(O)/bench/exhaustive $(APIC_TESTS)) ## run what takes long, or one: make test-long T=name
	$(Q)tests/run --long $(if $(T),--only '$(T)')
ifeq ($(T),)
	$(O)/bench/exhaustive full
	$(O)/host/test_apic_kvm full
	$(O)/host/test_apic_property 20000
	$(O)/apic/apic_stress 120
	$(O)/apic/apic_fuzz 600
	$(O)/apic/config_fuzz 300
	$(O)/fuzz/host_fuzz 600
endif

.PHONY: test-nested
test-nested: $(O)/BOOTX64.EFI $(LINUX)/vmlinux $(LINUX)/initramfs.cpio guests $(if $(wildcard $(LINUX_CACHE)/nested-host),$(NESTED_HOST)) ## test under QEMU with KVM, emulated where this machine has none
	$(Q)tests/run --nested $(if $(T),--only '$(T)')

.PHONY: bench
bench: $(O)/BOOTX64.EFI $(O)/guest/bench_exit.elf $(O)/guest/bench_ipi.elf $(O)/guest/bench_hv.elf $(O)/guest/bench_vsm.elf $(if $(filter nested,$(EMU)),$(NESTED_HOST)) ## measure what VM exits and IPIs cost; table in build/bench.csv
	$(Q)tests/bench $(T)
