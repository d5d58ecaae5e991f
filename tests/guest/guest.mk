# SPDX-License-Identifier: BSD-2-Clause
# The test guests: one build/guest/NAME.elf per tests/guest/NAME.c or NAME.asm. The rules for names
# stand in tests/guest/guest.h. tests/guest/asm/NAME.asm is linked to the test NAME only.

GUEST_CFLAGS = $(COMMON) -ffreestanding -mno-red-zone -mgeneral-regs-only -fno-pic -fno-pie \
  -fno-asynchronous-unwind-tables -fno-stack-protector -fcf-protection=none -fno-strict-aliasing \
  -fno-common -fno-tree-loop-distribute-patterns
GUEST_OUT = $(O)/guest/obj

GUEST_ALL := $(patsubst tests/guest/%.c,%,$(wildcard tests/guest/*.c)) \
  $(patsubst tests/guest/%.asm,%,$(wildcard tests/guest/*.asm))
GUEST32 := $(filter pm_%,$(GUEST_ALL))
GUEST_RAW := $(filter raw_%,$(GUEST_ALL))
GUEST_ELF64 := $(filter elf64_%,$(GUEST_ALL))
GUEST64 := $(filter-out $(GUEST32) $(GUEST_RAW),$(GUEST_ALL))

GUEST_LIB64 := $(patsubst tests/guest/%,$(GUEST_OUT)/64/%.o,$(wildcard tests/guest/lib/*.c) \
  tests/guest/lib/start.asm tests/guest/lib/ap.asm tests/guest/lib/entry.asm)
GUEST_LIB32 := $(patsubst tests/guest/%,$(GUEST_OUT)/32/%.o, \
  $(filter-out tests/guest/lib/paging.c tests/guest/lib/smp.c tests/guest/lib/vsm.c,$(wildcard tests/guest/lib/*.c)) \
  tests/guest/lib/start32.asm tests/guest/lib/entry.asm)

$(GUEST_OUT)/64/%.c.o: tests/guest/%.c Makefile tests/guest/guest.mk
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(GUEST_CFLAGS) -c -o $@ $<

$(GUEST_OUT)/32/%.c.o: tests/guest/%.c Makefile tests/guest/guest.mk
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(GUEST_CFLAGS) -m32 -c -o $@ $<

$(GUEST_OUT)/64/%.asm.o: tests/guest/%.asm Makefile tests/guest/guest.mk
	@mkdir -p $(@D)
	$(call say,NASM)
	$(Q)$(NASM) -f elf64 -I ./ -MD $@.d -MP -o $@ $<

$(GUEST_OUT)/32/%.asm.o: tests/guest/%.asm Makefile tests/guest/guest.mk
	@mkdir -p $(@D)
	$(call say,NASM)
	$(Q)$(NASM) -f elf32 -I ./ -MD $@.d -MP -o $@ $<

# NASM 2.16 leaves included files out of the dependencies that it writes while it assembles.
$(GUEST_OUT)/64/lib/start.asm.o $(GUEST_OUT)/32/lib/start32.asm.o: tests/guest/lib/multiboot.inc
$(GUEST_OUT)/32/asm/pm_hv.asm.o $(GUEST_OUT)/32/asm/pm_real_mode.asm.o: tests/guest/lib/real_mode.inc
$(GUEST_OUT)/64/asm/hv_hypercall.asm.o $(GUEST_OUT)/64/asm/compat_mode.asm.o: tests/guest/lib/compat.inc
$(GUEST_OUT)/32/asm/pm_hv.asm.o $(GUEST_OUT)/64/asm/hv_hypercall.asm.o: tests/guest/lib/call32.inc

# Objects of one test: its source and its own assembly. $(1) name, $(2) 32 or 64.
guest_objects = $(patsubst tests/guest/%,$(GUEST_OUT)/$(2)/%.o, \
  $(wildcard tests/guest/$(1).c tests/guest/$(1).asm tests/guest/asm/$(1).asm))

GUEST_LD = $(LD) -nostdlib -static -z max-page-size=4096 --build-id=none --no-warn-rwx-segments \
  --fatal-warnings -z noexecstack -T tests/guest/guest.ld

.SECONDEXPANSION:
$(GUEST_OUT)/64/%.elf: $(GUEST_LIB64) $$(call guest_objects,$$*,64) tests/guest/guest.ld
	$(call say,LD)
	$(Q)$(GUEST_LD) -m elf_x86_64 -o $@ $(filter %.o,$^)

$(GUEST_OUT)/32/%.elf: $(GUEST_LIB32) $$(call guest_objects,$$*,32) tests/guest/guest.ld
	$(call say,LD)
	$(Q)$(GUEST_LD) -m elf_i386 -o $@ $(filter %.o,$^)

GUEST_ELF := $(GUEST_ALL:%=$(O)/guest/%.elf)

$(filter-out $(GUEST_ELF64:%=$(O)/guest/%.elf),$(GUEST64:%=$(O)/guest/%.elf)): \
    $(O)/guest/%.elf: $(GUEST_OUT)/64/%.elf
	$(Q)$(OBJCOPY) --strip-debug -O elf32-i386 $< $@

$(GUEST_ELF64:%=$(O)/guest/%.elf): $(O)/guest/%.elf: $(GUEST_OUT)/64/%.elf
	$(Q)$(OBJCOPY) --strip-debug $< $@

$(GUEST32:%=$(O)/guest/%.elf): $(O)/guest/%.elf: $(GUEST_OUT)/32/%.elf
	$(Q)$(OBJCOPY) --strip-debug $< $@

$(GUEST_RAW:%=$(O)/guest/%.elf): $(O)/guest/%.elf: tests/guest/%.asm tests/guest/lib/raw.inc
	@mkdir -p $(@D)
	$(call say,NASM)
	$(Q)$(NASM) -f bin -I ./ -o $@ $<

.PRECIOUS: $(GUEST_OUT)/64/%.c.o $(GUEST_OUT)/64/%.asm.o $(GUEST_OUT)/32/%.c.o \
  $(GUEST_OUT)/32/%.asm.o $(GUEST_OUT)/64/%.elf $(GUEST_OUT)/32/%.elf

.PHONY: guests
guests: $(GUEST_ELF) ## build the test guests
