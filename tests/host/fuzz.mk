# SPDX-License-Identifier: BSD-2-Clause
# Fuzz targets of the loaders and of the instruction decoder and emulator: fuzz_NAME.c, which names
# its product sources as a test does.

FUZZ_NAMES := image insn
FUZZ_OWN := $(FUZZ_NAMES:%=$(O)/fuzz/fuzz_%)

fuzz_objects = $(patsubst %.c,$(O)/fuzz/%.o,$(call links,$(1)))
$(FUZZ_OWN): $(O)/fuzz/%: $(O)/fuzz/tests/host/%.o $$(call fuzz_objects,$$*)
	$(call say,LD)
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -o $@ $^

# A kernel of each format.
FUZZ_KERNELS := $(addprefix $(O)/guest/,hello.elf elf64_hello.elf raw_multiboot2.elf raw_pvh.elf)

$(O)/fuzz/seeds/image: $(FUZZ_KERNELS) tests/host/fuzz_seed_bzimage
	$(Q)rm -rf $@ && mkdir -p $@ && cp $(FUZZ_KERNELS) $@
	$(Q)tests/host/fuzz_seed_bzimage >$@/bzimage

HOST_PROGRAMS += $(O)/fuzz/host_fuzz

$(O)/fuzz/host_fuzz: $(FUZZ_OWN) $(O)/fuzz/seeds/image tests/host/fuzz.mk
	$(Q)printf '#!/bin/sh\nexec $(CURDIR)/tests/host/run_fuzz $(CURDIR)/$(O)/fuzz $${1:-5} %s\n' \
	  '$(FUZZ_NAMES)' >$@ && chmod +x $@
