# SPDX-License-Identifier: BSD-2-Clause
# "make test" runs everything, "make test T=name" one test (see tests/run).

# Tests of the tools themselves are Python programs that print TAP.
TOOLS_TESTS := $(wildcard tests/tools/test_*.py)

TEST_NEEDS = $(O)/BOOTX64.EFI $(LINUX)/vmlinux $(LINUX)/initramfs.cpio guests $(HOST_TESTS) $(HOST_PROGRAMS)

.PHONY: test
test: $(TEST_NEEDS) ## run all tests, or one: make test T=name
	$(Q)tests/run $(if $(T),--only '$(T)') $(HOST_TESTS) $(HOST_PROGRAMS) $(TOOLS_TESTS)
