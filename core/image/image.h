/* SPDX-License-Identifier: BSD-2-Clause */
/* Loading a guest: Linux bzImage, Linux vmlinux (ELF64), Multiboot 1 and 2 (ELF or addresses), PVH,
 * plain code, PC firmware.
 *
 * Two steps over the same files. image_check() runs while the firmware can still show a message; it
 * plans where everything goes and refuses what cannot work. image_load() makes the same plan again
 * and carries it out. Whatever a file claims is checked against the file's length and the guest's
 * RAM before it is used. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/guest/memory.h"
#include "core/guest/start.h"

enum { IMAGE_MODULES_MAX = 16, IMAGE_ERROR_MAX = 320 };

/* A file in memory. name appears in messages and, with Multiboot, as first word of the string the
 * guest gets; args, which may be NULL, is the rest of that string. No file: data is NULL. */
struct image_file {
    const char *name;
    const char *args;
    const uint8_t *data;
    uint64_t size;
};

/* What to start. kernel.args is the kernel's command line. memory is the guest's RAM in bytes,
 * GUEST_MEMORY_MIN..GUEST_MEMORY_MAX, laid out as core/guest/layout.h says. rsdp is where
 * guest_acpi_build() put the RSDP; image_check() ignores it. */
struct image_boot {
    struct image_file kernel;
    struct image_file initrd;
    struct image_file modules[IMAGE_MODULES_MAX];
    uint32_t module_count;
    uint64_t memory;
    uint64_t rsdp;
    uint64_t load_address; /* not 0: the kernel is plain code for there */
    bool firmware;         /* the kernel is PC firmware */
};

enum image_format {
    IMAGE_LINUX_BZIMAGE,
    IMAGE_LINUX_VMLINUX,
    IMAGE_MULTIBOOT1,
    IMAGE_MULTIBOOT2,
    IMAGE_PVH,
    IMAGE_FLAT,
    IMAGE_FIRMWARE,
};

struct image_info {
    enum image_format format;
    uint64_t
        memory_min; /* bytes of guest RAM, GUEST_MEMORY_GRAIN multiples, that suffice to load */
};

/* One sentence without a full stop: "kernel 'NAME': what is wrong". */
struct image_error {
    char text[IMAGE_ERROR_MAX];
};

/* The format in words, for messages. */
const char *image_format_name(enum image_format format);

/* Judges files and sizes; touches no guest memory. On true *info is filled, else *err. */
bool image_check(const struct image_boot *boot, struct image_info *info, struct image_error *err);

/* Places everything in gm, which must hold the RAM that boot->memory describes and be zero where
 * nothing was written yet, and fills *start. On false the reason is in *err; after image_check()
 * agreed to the same boot only missing RAM in gm can be one. */
bool image_load(const struct image_boot *boot, const struct guest_memory *gm,
                struct guest_start *start, struct image_error *err);
