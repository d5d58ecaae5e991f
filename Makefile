# SPDX-License-Identifier: BSD-2-Clause
# Lapwing's build. Everything made goes below $(O); sources are found by folder.

O ?= build
CC = gcc
LD = ld
NASM = nasm
IASL = iasl
OBJCOPY = objcopy
NM = nm
CLANG_FORMAT = clang-format

# V=1 prints the commands.
Q = $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $@)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

include tools/setup.mk

# Absolute paths and the time of day must not reach the output: a build is reproducible.
REPRODUCIBLE = -ffile-prefix-map=$(CURDIR)=. -Werror=date-time
WARN = -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wshadow -Wundef
COMMON = -std=gnu2x -O2 -g $(WARN) $(REPRODUCIBLE) -I. -I$(O)/gen -MMD -MP

# ---- The hypervisor proper: a freestanding ELF -------------------------------------------------
HV_CFLAGS = $(COMMON) -ffreestanding -mno-red-zone -mgeneral-regs-only -mcmodel=kernel \
  -fno-pic -fno-pie -fno-omit-frame-pointer -fno-asynchronous-unwind-tables \
  -fno-stack-protector -fcf-protection=none -fno-strict-aliasing -fno-common

# The configuration file is read before the hand-over, by boot/.
HV_C := $(filter-out core/config/%,$(wildcard core/*.c core/*/*.c vmx/*.c apic/*.c drivers/*/*.c))
HV_ASM := $(wildcard core/*.asm vmx/*.asm drivers/host/*.asm)
HV_OBJ := $(HV_C:%.c=$(O)/hv/%.o) $(HV_ASM:%.asm=$(O)/hv/%.asm.o)

$(O)/hv/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(HV_CFLAGS) -c -o $@ $<

$(O)/hv/%.asm.o: %.asm Makefile
	@mkdir -p $(@D)
	$(call say,NASM)
	$(Q)$(NASM) -f elf64 -g -F dwarf -I ./ -I $(O)/gen/ -MD $@.d -MP -o $@ $<

# The framebuffer console's font, an 8x16 PSF file: what tools/setup unpacked into its cache.
XDG_CACHE_HOME ?= $(HOME)/.cache
FONT ?= $(XDG_CACHE_HOME)/lapwing/console-font/font.psf

$(O)/gen/font.psf: $(FONT)
	@mkdir -p $(@D)
	cp $< $@

$(O)/hv/drivers/host/font.asm.o: $(O)/gen/font.psf

# The guest's DSDT as the inside of a C array.
$(O)/gen/dsdt.aml: core/guest/dsdt.asl
	@mkdir -p $(@D)
	$(call say,IASL)
	$(Q)$(IASL) -we -p $(O)/gen/dsdt $< >$(O)/gen/dsdt.log || { cat $(O)/gen/dsdt.log; exit 1; }

$(O)/gen/dsdt.inc: $(O)/gen/dsdt.aml
	$(Q)od -An -v -tu1 $< | sed 's/ *\([0-9][0-9]*\)/\1,/g' >$@

$(O)/hv/core/guest/acpi.o $(O)/host/core/guest/acpi.o $(O)/host/tests/host/test_acpi_power.o: \
  $(O)/gen/dsdt.inc

$(O)/lapwing.elf: $(HV_OBJ) linker.ld
	$(call say,LD)
	$(Q)$(LD) -nostdlib -static -z max-page-size=4096 --build-id=none -z noexecstack --no-warn-rwx-segments \
	  --fatal-warnings -T linker.ld -o $@ $(HV_OBJ)

# ---- Host tests ---------------------------------------------------------------------------------
# A test names the product sources it links with a first-lines comment: "links: apic/lapic.c core/x.c"
HOST_CFLAGS = $(COMMON) -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
  -DHOST_TEST
HOST_TESTS := $(patsubst tests/host/%.c,$(O)/host/%,$(wildcard tests/host/test_*.c))

# Libraries that one test alone needs.
HOST_LIBS_test_insn = -lZydis

.SECONDEXPANSION:
links = $(shell sed -n 's/.*links: *\([^*]*\).*/\1/p' tests/host/$(1).c)
linked_objects = $(patsubst %.c,$(O)/host/%.o,$(call links,$(1)))
$(HOST_TESTS): $(O)/host/%: $(O)/host/tests/host/%.o $$(call linked_objects,$$*)
	$(call say,LD)
	$(Q)$(CC) -fsanitize=address,undefined -o $@ $^ -lcmocka $(HOST_LIBS_$*)

$(O)/host/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(HOST_CFLAGS) -c -o $@ $<

# docs/configuration.md, from the table that the parser uses.
CONFIG_DOCS = $(O)/host/tools/config_docs
$(CONFIG_DOCS): $(patsubst %.c,$(O)/host/%.o,tools/config_docs.c core/config/keys.c core/config/value.c core/format.c)
	$(call say,LD)
	$(Q)$(CC) -fsanitize=address,undefined -o $@ $^

.PHONY: docs
docs: $(CONFIG_DOCS) ## write docs/configuration.md
	$(Q)$(CONFIG_DOCS) >docs/configuration.md

include tests/host/apic.mk

.PHONY: host-tests
host-tests: $(HOST_TESTS) ## build and run the unit tests on this machine
	@set -e; for t in $(HOST_TESTS); do $$t; done

include tests/guest/guest.mk

include tests/host/fuzz.mk

include boot/boot.mk

include tools/run.mk

include tests/tests.mk
include tests/lint.mk

# ---- Whole targets ------------------------------------------------------------------------------
.PHONY: all check-quick format help clean
all: $(O)/BOOTX64.EFI $(O)/check.efi ## build BOOTX64.EFI and check.efi

check-quick: all host-tests ## build, and run the unit tests on this machine

format: ## format all C sources in place
	$(CLANG_FORMAT) -i $$(git ls-files '*.c' '*.h')

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18 | sort

clean: ## remove everything that was built
	rm -rf $(O)

-include $(shell find $(O) -name '*.d' 2>/dev/null)
