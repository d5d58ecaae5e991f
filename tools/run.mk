# SPDX-License-Identifier: BSD-2-Clause
# The Linux guest and the emulator that a person sees. Variables for "make run" and "make image":
#
#   VCPUS      the guest's virtual processors
#   EMU        qemu, bochs-3.0, bochs-2.7 or nested; chosen by tools/emulator when not given
#   KERNEL     a kernel file, or bzImage for Debian's kernel in its packed form
#   INITRD     its initial RAM disk, a file; INITRD= for kernels that take none
#   CMDLINE    the kernel's command line
#   TRACE      1, or classes with commas as in docs/trace.md: trace to build/run/
#   GDB        1: the guest waits for GDB at TCP port 1234; another number: at that port
#   DEMO       instead of Linux: a demonstration, tests/guest/demo_*.conf
#   CHECK      1: instead of Lapwing the check whether it runs here
#   DIR        for "make esp": where the stick's partition is mounted
#   CPU_MODEL, CPUS, MEMORY (MiB)  the emulated machine

CMDLINE ?= console=ttyS0
INITRD ?= $(LINUX)/initramfs.cpio
CPUS ?= 2
MEMORY ?= 2048

LINUX = $(O)/linux
LINUX_CACHE = $(XDG_CACHE_HOME)/lapwing

$(LINUX)/vmlinux: $(LINUX_CACHE)/linux/vmlinuz tools/extract-vmlinux
	@mkdir -p $(@D)
	$(call say,UNPAK)
	$(Q)tools/extract-vmlinux $< $@

# Other kernels that the tests boot.
$(LINUX)/vmlinux-%: $(LINUX_CACHE)/linux-%/vmlinuz tools/extract-vmlinux
	@mkdir -p $(@D)
	$(call say,UNPAK)
	$(Q)tools/extract-vmlinux $< $@

$(LINUX)/initramfs.cpio: $(LINUX_CACHE)/busybox/busybox tools/guest-init tools/initramfs
	@mkdir -p $(@D)
	$(call say,CPIO)
	$(Q)tools/initramfs $(LINUX_CACHE)/busybox/busybox tools/guest-init $@

# What Bochs runs as a host, for EMU=nested.
NESTED_HOST = $(O)/nested/host.cpio
$(NESTED_HOST): $(LINUX_CACHE)/nested-host tools/nested-init tools/nested-host
	$(call say,CPIO)
	$(Q)tools/nested-host tools/nested-init $@

KERNEL_FILE = $(if $(KERNEL),$(if $(filter bzImage,$(KERNEL)),$(LINUX_CACHE)/linux/vmlinuz,$(KERNEL)),$(LINUX)/vmlinux)

RUN_NEEDS = $(O)/BOOTX64.EFI $(O)/check.efi $(if $(filter nested,$(EMU)),$(NESTED_HOST)) $(if $(DEMO),$(O)/guest/demo_$(DEMO).elf, \
  $(LINUX)/initramfs.cpio $(if $(KERNEL),,$(LINUX)/vmlinux))
RUN_OPTIONS = $(if $(CHECK),--check) $(if $(DEMO),--demo '$(DEMO)', --kernel '$(KERNEL_FILE)' \
  $(if $(INITRD),--initrd '$(INITRD)') --cmdline '$(CMDLINE)' --key 'vcpus=$(or $(VCPUS),1)') \
  $(if $(TRACE),--trace '$(patsubst 1,all,$(TRACE))')

.PHONY: run image esp emulator
run: $(RUN_NEEDS) ## boot Linux as a guest: VCPUS=4, KERNEL=file; or DEMO=alias, DEMO=vsm; CHECK=1; TRACE=1
	$(Q)tools/run $(RUN_OPTIONS) --cpu-model '$(CPU_MODEL)' --cpus $(CPUS) \
	  --memory $(MEMORY) $(if $(GDB),--gdb $(if $(filter 1,$(GDB)),1234,$(GDB)))

image: $(RUN_NEEDS) ## make build/lapwing.img, the same for a USB stick
	$(call say,IMAGE)
	$(Q)tools/image $(RUN_OPTIONS) $(O)/lapwing.img

esp: $(RUN_NEEDS) ## fill the directory DIR, a mounted stick, with the same
	$(if $(DIR),,$(error DIR= is not set; expected the directory where a FAT partition is mounted))
	$(Q)tools/image $(RUN_OPTIONS) --directory '$(DIR)'

emulator: ## say which emulator this machine uses, and why
	$(Q)tools/emulator
