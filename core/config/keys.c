/* SPDX-License-Identifier: BSD-2-Clause */
/* Every key of the configuration file. */
#include "core/config/config.h"

#include "core/guest/layout.h"
#include "drivers/guest/fw_cfg.h"

static const char *const log_words[] = {[CONFIG_LOG_ERROR] = "error",
                                        [CONFIG_LOG_WARN] = "warn",
                                        [CONFIG_LOG_INFO] = "info",
                                        [CONFIG_LOG_DEBUG] = "debug",
                                        NULL};

static const char *const emulator_exit_words[] = {
    [CONFIG_EXIT_NONE] = "none", [CONFIG_EXIT_BOCHS] = "bochs", [CONFIG_EXIT_QEMU] = "qemu", NULL};

static const char *const trace_words[] = {
    [CONFIG_TRACE_EXITS] = "exits",       [CONFIG_TRACE_APIC] = "apic",
    [CONFIG_TRACE_MESSAGES] = "messages", [CONFIG_TRACE_INTERRUPTS] = "interrupts",
    [CONFIG_TRACE_TIMERS] = "timers",     [CONFIG_TRACE_VTL] = "vtl",
    [CONFIG_TRACE_CLASSES] = NULL};

static const char *const start_words[] = {
    [CONFIG_START_AFTER] = "after", [CONFIG_START_BESIDE] = "beside", NULL};

static const char *const on_exit_words[] = {[CONFIG_THEN_NEXT] = "next",
                                            [CONFIG_THEN_HALT] = "halt",
                                            [CONFIG_THEN_RESET] = "reset",
                                            [CONFIG_THEN_POWER_OFF] = "poweroff",
                                            NULL};

static const char *const gdb_words[] = {[CONFIG_GDB_OFF] = "off",
                                        [CONFIG_GDB_COM2] = "com2",
                                        [CONFIG_GDB_COM2_WAIT] = "com2-wait",
                                        NULL};

static const char *const id_match_words[] = {[CONFIG_MATCH_ARCHITECTURAL] = "architectural",
                                             [CONFIG_MATCH_KNL] = "knl",
                                             [CONFIG_MATCH_KVM_32BIT] = "kvm-32bit",
                                             NULL};

static const char *const off_on_words[] = {"off", "on", NULL};
static const char *const no_yes_words[] = {"no", "yes", NULL};

#define LAPWING(field) .section = CONFIG_SECTION_LAPWING, .offset = offsetof(struct config, field)
#define VM(field)      .section = CONFIG_SECTION_VM, .offset = offsetof(struct config_vm, field)

static const char *const auto_off_words[] = {"auto", "off", NULL};
static const char *const auto_off_on_words[] = {"auto", "off", "on", NULL};

#define KEY(where, key, type, ...)                                                                 \
    {                                                                                              \
        where, .name = key, .kind = CONFIG_KIND_##type, __VA_ARGS__                                \
    }

/* Of the processor's help with the APIC one kind, by its number. */
#define APIC_HELP(number, key, text)                                                               \
    KEY(VM(apic_help[number]), key, WORD, .words = auto_off_words, .fallback = "auto",             \
        .doc = "Whether the processor may help with " text ".")

#define MS 1000000ULL
#define S  (1000 * MS)

const struct config_key config_keys[] = {
    KEY(LAPWING(log), "log", WORD, .words = log_words, .fallback = "info",
        .doc = "The least important kind of message that is shown."),
    KEY(LAPWING(emulator_exit), "emulator_exit", WORD, .words = emulator_exit_words,
        .fallback = "none",
        .doc = "How to end the emulator that Lapwing runs in, once the last VM is done."),
    KEY(LAPWING(trace), "trace", SET, .words = trace_words, .fallback = "off",
        .doc = "What of all VMs is traced to the second serial port: docs/trace.md."),
    KEY(LAPWING(mitigations), "mitigations", WORD, .words = auto_off_on_words, .fallback = "auto",
        .doc = "Whether guests are kept from what processors leak by transient execution: by "
               "default where the processor is affected; 'on' uses every measure that it has."),
    KEY(VM(memory), "memory", SIZE, .min = GUEST_MEMORY_MIN, .max = GUEST_MEMORY_MAX,
        .grain = GUEST_MEMORY_GRAIN, .fallback = "256M", .doc = "The size of the guest's RAM."),
    KEY(VM(vcpus), "vcpus", COUNT, .min = 1, .max = CONFIG_VCPUS_MAX,
        .doc = "The number of virtual processors; by default as many as 'apic_ids' names, or one "
               "package of 'cores' and 'threads'."),
    KEY(VM(first_apic_id), "apic_ids", IDS,
        .doc = "The APIC ID of each virtual processor, the boot processor first; by default they "
               "count from 0."),
    KEY(VM(cores), "cores", COUNT, .min = 1, .max = CONFIG_VCPUS_MAX,
        .doc = "The number of cores in each package; by default there is one package."),
    KEY(VM(threads), "threads", COUNT, .min = 1, .max = CONFIG_VCPUS_MAX, .fallback = "1",
        .doc = "The number of logical processors in each core."),
    KEY(VM(x2apic), "x2apic", WORD, .words = off_on_words, .fallback = "on",
        .doc = "Whether the APICs have an x2APIC mode."),
    KEY(VM(id_match), "id_match", WORD, .words = id_match_words, .fallback = "architectural",
        .doc = "Which APICs take a message for an ID that is not simply theirs: docs/errata.md."),
    APIC_HELP(0, "tpr_shadow", "TPR shadow: CR8 and the task priority"),
    APIC_HELP(1, "apic_access", "the APIC-access page: the registers in memory"),
    APIC_HELP(2, "x2apic_virtualization", "x2APIC virtualization: the registers as MSRs"),
    APIC_HELP(3, "apic_registers", "APIC-register virtualization: reads of registers"),
    KEY(VM(apic_help[4]), "virtual_interrupts", WORD, .words = auto_off_on_words,
        .fallback = "auto",
        .doc = "Whether the processor may help with virtual-interrupt delivery, EOI and self-IPI; "
               "by default where it does so without defect: docs/errata.md."),
    APIC_HELP(5, "posted_interrupts", "posted interrupts: IPIs into a running guest"),
    APIC_HELP(6, "ipi_virtualization", "IPI virtualization: IPIs out of one"),
    KEY(VM(intercept_exceptions), "intercept_exceptions", WORD, .words = auto_off_on_words,
        .fallback = "auto",
        .doc =
            "Whether all exceptions of the guest pass through Lapwing, which costs a VM exit each; "
            "by default where a processor's defect asks for it: docs/errata.md."),
    KEY(VM(hyperv), "hyperv", WORD, .words = off_on_words, .fallback = "off",
        .doc = "Whether the guest is offered Hyper-V's interface: docs/hyperv.md."),
    KEY(VM(vtls), "vtls", COUNT, .min = 1, .max = CONFIG_VTLS_MAX, .fallback = "1",
        .doc = "The number of virtual trust levels that the guest may use, with 'hyperv = on'."),
    KEY(VM(kernel), "kernel", PATH, .required = true,
        .doc = "The file to start: Linux bzImage, Linux vmlinux, a Multiboot (1 or 2) or PVH "
               "kernel, or plain code with 'load_address'."),
    KEY(VM(load_address), "load_address", ADDRESS, .min = 0x1000, .max = GUEST_LOW_RAM_TOP - 1,
        .doc = "The kernel is plain code, loaded to this address and entered at its first byte in "
               "32-bit protected mode with flat segments."),
    KEY(VM(firmware), "firmware", WORD, .words = off_on_words, .fallback = "off",
        .doc = "Whether the kernel is a PC's firmware, such as SeaBIOS: loaded to end at 1 MiB and "
               "entered in real mode 16 bytes below, as after reset."),
    KEY(VM(initrd), "initrd", PATH, .doc = "The initial RAM disk of a Linux kernel."),
    KEY(VM(modules), "module", FILE, .max_length = 511,
        .doc = "A module of a Multiboot kernel: its path, a blank and an optional string."),
    KEY(VM(cmdline), "cmdline", LINE, .max_length = 2047,
        .doc = "The kernel's command line: the rest of the line as it stands."),
    KEY(VM(debug_exit), "debug_exit", WORD, .words = off_on_words, .fallback = "on",
        .doc = "Whether the guest has isa-debug-exit at port 0xf4: a write of N ends the VM with "
               "code 2 * N + 1."),
    KEY(VM(testdev), "testdev", WORD, .words = off_on_words, .fallback = "off",
        .doc = "Whether the guest has QEMU's test device: console output at port 0xf1, a register "
               "at 0xe0, page flushes at 0xe4, the interrupt lines from 0x2000 on, 64 KiB of "
               "memory at 0xff000000."),
    KEY(VM(legacy), "legacy", WORD, .words = off_on_words, .fallback = "off",
        .doc = "Whether the guest has a PC's interval timer (ports 0x40 and 0x61) and pair of 8259 "
               "interrupt controllers, as firmware leaves them: docs/guests.md."),
    KEY(VM(pm_timer), "pm_timer", WORD, .words = off_on_words, .fallback = "on",
        .doc = "Whether the guest has the ACPI PM timer at port 0x608."),
    KEY(VM(cmos), "cmos", WORD, .words = off_on_words, .fallback = "on",
        .doc = "Whether the guest has a PC's CMOS clock and memory at ports 0x70 and 0x71."),
    KEY(VM(port_92), "port_92", WORD, .words = off_on_words, .fallback = "on",
        .doc = "Whether the guest has port 0x92, one of a PC's ways to reset it."),
    KEY(VM(pci), "pci", WORD, .words = off_on_words, .fallback = "on",
        .doc =
            "Whether the guest has PCI's configuration ports 0xcf8 to 0xcff, on whose bus there is "
            "nothing, and the reset register among them."),
    KEY(VM(fw_cfg), "fw_cfg", WORD, .words = off_on_words, .fallback = "off",
        .doc = "Whether the guest has QEMU's fw_cfg at ports 0x510 and 0x511: RAM size, processor "
               "counts, the file etc/e820, and files."),
    KEY(VM(fw_cfg_files), "fw_cfg_file", FILE, .min = 1, .max_length = FW_CFG_NAME_MAX,
        .doc = "A file that the guest finds in fw_cfg: its path, a blank and its name there, such "
               "as opt/NAME."),
    KEY(VM(time_limit_ns), "time_limit", DURATION, .min = 1 * MS, .max = 7 * 24 * 3600 * S,
        .doc = "The VM is stopped when its own clock has run for so long."),
    KEY(VM(start), "start", WORD, .words = start_words, .fallback = "after",
        .doc = "Whether the VM starts after the VMs before it have ended, or beside the one before "
               "it, together with it."),
    KEY(VM(on_exit), "on_exit", WORD, .words = on_exit_words, .fallback = "next",
        .doc = "What follows when the VM and those beside it have ended: the next VM, or the end: "
               "the machine halts, starts anew or is switched off. Of VMs side by side the first "
               "that does not say 'next' decides."),
    KEY(VM(trace), "trace", SET, .words = trace_words, .fallback = "off",
        .doc = "What of this VM is traced besides."),
    KEY(VM(gdb), "gdb", WORD, .words = gdb_words, .fallback = "off",
        .doc =
            "Whether GDB may debug the VM over the second serial port, and with 'com2-wait' lets "
            "it start: docs/gdb.md. One of the VMs side by side can be debugged."),
    KEY(VM(console), "console", WORD, .words = no_yes_words, .fallback = "yes",
        .doc = "Whether what is typed on the console goes to this VM. Of several side by side one "
               "gets it; Ctrl-A n gives it to the next. Ctrl-A h says what else there is."),
};

const size_t config_key_count = sizeof(config_keys) / sizeof(config_keys[0]);

_Static_assert(sizeof(config_keys) / sizeof(config_keys[0]) <= CONFIG_KEYS_MAX, "too many keys");
