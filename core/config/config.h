/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration file: \EFI\lapwing\lapwing.conf on the EFI system partition. INI text in UTF-8:
 *
 *   # a comment (or ;), on a line of its own
 *   [lapwing]
 *   log = info
 *   [vm NAME]
 *   kernel = \EFI\lapwing\kernel
 *   cmdline = everything up to the end of the line
 *
 * The keys are in the table config_keys; parser, messages and documentation all use it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CONFIG_VMS_MAX = 256,
    CONFIG_VCPUS_MAX = 4096,      /* per VM */
    CONFIG_VCPUS_ALL_MAX = 16384, /* of all VMs together */
    CONFIG_FILES_MAX = 16,        /* in each list of a VM */
    CONFIG_VTLS_MAX = 3,          /* per VM */
    CONFIG_NAME_MAX = 31,
    CONFIG_PATH_MAX = 256,           /* bytes with the final NUL */
    CONFIG_STRINGS_MAX = 128 * 1024, /* bytes of all strings together */
    CONFIG_ERROR_MAX = 512,
};

#define CONFIG_FILE "\\EFI\\lapwing\\lapwing.conf"

enum config_log { CONFIG_LOG_ERROR, CONFIG_LOG_WARN, CONFIG_LOG_INFO, CONFIG_LOG_DEBUG };

enum config_emulator_exit { CONFIG_EXIT_NONE, CONFIG_EXIT_BOCHS, CONFIG_EXIT_QEMU };

/* Which port GDB is at, and whether the VM waits for it to let it start. */
enum config_gdb { CONFIG_GDB_OFF, CONFIG_GDB_COM2, CONFIG_GDB_COM2_WAIT };

enum config_start { CONFIG_START_AFTER, CONFIG_START_BESIDE };

enum config_on_exit {
    CONFIG_THEN_NEXT,
    CONFIG_THEN_HALT,
    CONFIG_THEN_RESET,
    CONFIG_THEN_POWER_OFF,
};

/* Which APIC takes a physical destination: docs/errata.md. As enum apic_policy. */
enum config_id_match { CONFIG_MATCH_ARCHITECTURAL, CONFIG_MATCH_KNL, CONFIG_MATCH_KVM_32BIT };

/* Against transient execution. As enum vmx_mitigate. */
enum config_mitigations { CONFIG_MITIGATE_AUTO, CONFIG_MITIGATE_OFF, CONFIG_MITIGATE_ON };

/* Help of the processor with the APIC. As enum vmx_apic_help. */
enum config_help { CONFIG_HELP_AUTO, CONFIG_HELP_OFF, CONFIG_HELP_ON };
enum { CONFIG_APIC_HELPS = 7 };

/* Classes of events that can be traced: bits, as enum trace_type has them. */
enum config_trace {
    CONFIG_TRACE_EXITS,
    CONFIG_TRACE_APIC,
    CONFIG_TRACE_MESSAGES,
    CONFIG_TRACE_INTERRUPTS,
    CONFIG_TRACE_TIMERS,
    CONFIG_TRACE_VTL,
    CONFIG_TRACE_CLASSES
};

/* How a VM's APIC IDs divide: SDM Vol 3A, "Hierarchical Mapping of Shared Resources". */
struct config_topology {
    uint32_t per_core, per_package;     /* logical processors */
    uint32_t core_shift, package_shift; /* what is left of an ID names its core, its package */
};

/* A string kept in struct config; 0 is the empty string. Turned into text by config_text(). An
 * offset, so that the struct can be copied and mapped elsewhere. */
typedef uint32_t config_string;

/* Paths are absolute on the ESP, written with backslashes. */
struct config_file {
    config_string path;
    config_string args;
};

struct config_file_list {
    uint32_t count;
    struct config_file files[CONFIG_FILES_MAX];
};

struct config_vm {
    char name[CONFIG_NAME_MAX + 1];
    uint64_t memory; /* bytes */
    uint32_t vcpus;
    uint32_t first_apic_id;  /* index in struct config's apic_ids; `vcpus` of them */
    uint32_t cores, threads; /* per package (0: all that there are), per core */
    struct config_topology topology;
    uint32_t id_match;                     /* enum config_id_match */
    uint32_t x2apic;                       /* 1: offered */
    uint32_t apic_help[CONFIG_APIC_HELPS]; /* enum config_help */
    uint32_t start;                        /* enum config_start; of the first VM _AFTER */
    uint32_t on_exit;                      /* enum config_on_exit */
    uint32_t intercept_exceptions;         /* enum config_help */
    uint32_t hyperv;                       /* 1: offered */
    uint32_t vtls;                         /* virtual trust levels that its guest may have */
    uint64_t time_limit_ns;                /* of guest time; 0: none */
    uint32_t debug_exit, testdev, fw_cfg;  /* 1: the device is there */
    uint32_t legacy;                       /* 1: the PC's 8259 pair and 8254 are */
    uint32_t cmos, pm_timer, port_92, pci; /* 1: the device is there */
    uint32_t load_address;                 /* of a kernel that is plain code; 0: it is none */
    uint32_t firmware;                     /* 1: the kernel is a PC's firmware */
    config_string kernel;
    config_string initrd; /* empty: none */
    config_string cmdline;
    uint32_t trace;           /* set of enum config_trace, besides struct config's */
    uint32_t gdb;             /* enum config_gdb */
    uint32_t console;         /* 1: gets what is typed on the console */
    uint32_t initrd_optional; /* 1: a missing initrd file is no error (only config_defaults) */
    struct config_file_list modules;
    struct config_file_list fw_cfg_files; /* args: their names */
};

struct config {
    uint32_t log;           /* enum config_log */
    uint32_t emulator_exit; /* enum config_emulator_exit */
    uint32_t trace;         /* set of enum config_trace: of all VMs */
    uint32_t mitigations;   /* enum config_mitigations */
    uint32_t vm_count;      /* at least 1 */
    struct config_vm vms[CONFIG_VMS_MAX];
    uint32_t apic_ids_used;
    uint32_t apic_ids[CONFIG_VCPUS_ALL_MAX]; /* of each VM the boot processor's first */
    uint32_t strings_used;
    char strings[CONFIG_STRINGS_MAX];
};

/* One line: "FILE:LINE:COLUMN: what is wrong; expected ...". Columns count characters from 1. Of
 * the load options FILE is "load options", and LINE the word's number. */
struct config_error {
    uint32_t line;
    uint32_t column;
    char text[CONFIG_ERROR_MAX];
};

/* Parses len bytes of text; file is only used in messages. options are the UEFI load options, one
 * NAME.KEY=VALUE or KEY=VALUE a line, in UTF-8 without control characters, NUL at the end: each
 * takes the place of what the text says of that key. On true *out is complete, with every key that
 * both leave out at its default. On false *err holds the first error and *out is undefined. *out is
 * large: not for a stack. */
bool config_parse(const char *file, const char *text, size_t len, const char *options,
                  struct config *out, struct config_error *err);

/* The same when there is no file: one VM "guest". */
bool config_defaults(const char *options, struct config *out, struct config_error *err);

/* How many VMs, `first` and those after it, start together. At least 1. */
static inline uint32_t config_group_size(const struct config *config, uint32_t first)
{
    uint32_t size = 1;

    while (first + size < config->vm_count &&
           config->vms[first + size].start == CONFIG_START_BESIDE)
        size++;
    return size;
}

static inline const char *config_text(const struct config *config, config_string s)
{
    return config->strings + s;
}

/* ---- The table, also for the generator of docs/configuration.md ---------------------------- */

enum config_kind {
    CONFIG_KIND_WORD,     /* one of words; stored as its index */
    CONFIG_KIND_SET,      /* some of words, with commas, or all, or off; stored as bits */
    CONFIG_KIND_COUNT,    /* min..max */
    CONFIG_KIND_ADDRESS,  /* decimal or, after 0x, hexadecimal; min..max below 4 GiB */
    CONFIG_KIND_SIZE,     /* bytes, with K, M or G; min..max, a multiple of grain */
    CONFIG_KIND_DURATION, /* with ms, s or min; stored in ns, min..max */
    CONFIG_KIND_PATH,
    CONFIG_KIND_FILE, /* path, then blanks and the rest of the line; repeatable */
    CONFIG_KIND_IDS,  /* 32-bit APIC IDs and ranges of them, with commas; added to apic_ids */
    CONFIG_KIND_LINE, /* the rest of the line, without blanks at either end */
};

enum config_section { CONFIG_SECTION_LAPWING, CONFIG_SECTION_VM };

struct config_key {
    enum config_section section;
    enum config_kind kind;
    const char *name;
    const char *doc;      /* one sentence */
    const char *fallback; /* as it would be written in the file; NULL: empty, none */
    bool required;
    size_t offset; /* in struct config or struct config_vm */
    const char *const *words;
    uint64_t min, max, grain;
    size_t max_length; /* bytes of a CONFIG_KIND_LINE, or of what follows a path: at least min */
};

enum { CONFIG_KEYS_MAX = 64 };

extern const struct config_key config_keys[];
extern const size_t config_key_count;

/* Writes what a key accepts, "none, bochs or qemu" or "a size from ...", as messages say it. */
void config_expected(const struct config_key *key, char *buf, size_t size);
