# SPDX-License-Identifier: BSD-2-Clause
# BOOTX64.EFI, the UEFI application with the hypervisor inside, and check.efi, which only says whether
# that runs here.

EFI_INCLUDE = /usr/include/efi
EFI_LIB = /usr/lib

# The x86-64 code of the firmware's interfaces is called with the Microsoft convention.
BOOT_CFLAGS = $(COMMON) -isystem $(EFI_INCLUDE) -isystem $(EFI_INCLUDE)/x86_64 \
  -DGNU_EFI_USE_MS_ABI -ffreestanding -fpic -fshort-wchar -mno-red-zone -mgeneral-regs-only \
  -fvisibility=hidden -fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none \
  -fno-strict-aliasing -fno-common

# Beside boot/ itself, what the checks before ExitBootServices share with the hypervisor.
CHECK_C := $(addprefix boot/,application.c console.c cpu_list.c files.c firmware.c memory.c \
  memory_map.c processor.c) core/calendar.c core/format.c core/string.c \
  drivers/host/acpi.c drivers/host/uart.c vmx/caps.c vmx/mitigations.c
BOOT_C := $(CHECK_C) $(addprefix boot/,guests.c hypervisor.c leave.c load_options.c main.c) \
  $(wildcard core/config/*.c core/image/*.c) core/guest/files.c core/guest/layout.c \
  core/guest/memory.c core/page_tables.c
BOOT_OBJ := $(BOOT_C:%.c=$(O)/efi/%.o) $(O)/efi/boot/payload.o
CHECK_OBJ := $(CHECK_C:%.c=$(O)/efi/%.o) $(O)/efi/boot/check.o

$(O)/efi/%.o: %.c Makefile boot/boot.mk
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(BOOT_CFLAGS) -c -o $@ $<

# The image as it stands in memory, up to the end of .data.
$(O)/efi/lapwing.bin: $(O)/lapwing.elf
	@mkdir -p $(@D)
	$(call say,COPY)
	$(Q)$(OBJCOPY) -O binary $< $@

# Where functions begin, for stack traces: see core/symbols.h.
$(O)/efi/symbols: $(O)/lapwing.elf boot/boot.mk
	@mkdir -p $(@D)
	$(call say,NM)
	$(Q)$(NM) -n $< | sed -n 's/ [Tt] / /p' | tr '\n' '\0' >$@

$(O)/efi/trampoline.bin: boot/trampoline.asm boot/boot.mk
	@mkdir -p $(@D)
	$(call say,NASM)
	$(Q)$(NASM) -f bin -o $@ $<

$(O)/efi/boot/payload.o: boot/payload.asm $(O)/efi/lapwing.bin $(O)/efi/symbols \
  $(O)/efi/trampoline.bin boot/boot.mk
	@mkdir -p $(@D)
	$(call say,NASM)
	$(Q)$(NASM) -f elf64 -DIMAGE='"$(O)/efi/lapwing.bin"' -DSYMBOLS='"$(O)/efi/symbols"' \
	  -DTRAMPOLINE='"$(O)/efi/trampoline.bin"' -o $@ $<

# gnu-efi's start-up code calls efi_main or _entry, depending on its version.
$(O)/efi/bootx64.so: $(BOOT_OBJ)
$(O)/efi/check.so: $(CHECK_OBJ)
$(O)/efi/%.so: boot/boot.mk
	$(call say,LD)
	$(Q)$(LD) -nostdlib -znocombreloc -shared -Bsymbolic --no-undefined --build-id=none \
	  --no-warn-rwx-segments --defsym=_entry=efi_main -T $(EFI_LIB)/elf_x86_64_efi.lds \
	  -o $@ $(EFI_LIB)/crt0-efi-x86_64.o $(filter %.o,$^) -L$(EFI_LIB) -lgnuefi

# The PE header's time stamp comes from SOURCE_DATE_EPOCH.
$(O)/BOOTX64.EFI: $(O)/efi/bootx64.so
$(O)/check.efi: $(O)/efi/check.so
$(O)/BOOTX64.EFI $(O)/check.efi:
	$(call say,COPY)
	$(Q)SOURCE_DATE_EPOCH=0 $(OBJCOPY) --target=efi-app-x86_64 -j .text -j .sdata -j .data -j .rodata \
	  -j .dynamic -j .dynsym -j '.rel*' -j .reloc $< $@
