/* SPDX-License-Identifier: BSD-2-Clause */
/* links: core/image/image.c core/image/plan.c core/image/elf.c core/image/linux.c
 * links: core/image/multiboot.c core/image/start32.c core/image/flat.c core/image/firmware.c
 * links: core/image/pvh.c core/image/multiboot2.c core/guest/layout.c core/guest/memory.c
 * links: core/format.c */
/* Fuzz target: a file as a kernel. What image_check() takes image_load() carries out, and what it
 * refuses it explains. The file's last byte chooses how it is to be started. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/guest/layout.h"
#include "core/image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RAM = 16 << 20 };

static void require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

static void judge(const struct image_boot *boot, const struct guest_memory *memory)
{
    struct image_info info;
    struct image_error error = {""};
    struct guest_start start;

    if (!image_check(boot, &info, &error)) {
        require(strstr(error.text, "'k': ") != NULL || strstr(error.text, "'m': ") != NULL ||
                    strstr(error.text, "'i': ") != NULL,
                "a refusal names the file");
        return;
    }
    require(info.memory_min <= boot->memory, "a file that needs more than there is was taken");
    require(image_load(boot, memory, &start, &error), "what was checked cannot be loaded");
    require(start.rip < RAM || start.mode == GUEST_ENTRY_LONG64, "it starts outside of RAM");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t *ram;
    static struct guest_memory memory;
    static const uint8_t other[100];

    if (size == 0)
        return 0;
    if (ram == NULL) {
        ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        require(ram != MAP_FAILED && gm_add(&memory, 0, RAM, ram), "no memory");
    }
    uint8_t how = data[--size];
    uint8_t *exact = malloc(size ? size : 1); /* so that a read behind it shows */
    memcpy(exact, data, size);
    struct image_boot boot = {
        .kernel = {.name = "k",
                   .args = how & 1 ? "a command line" : NULL,
                   .data = exact,
                   .size = size},
        .module_count = how >> 1 & 1,
        .modules = {{.name = "m", .args = "x", .data = other, .size = sizeof(other)}},
        .memory = RAM,
        .rsdp = GUEST_ACPI_BASE,
        .load_address = how & 8 ? 0x1000u << (how >> 4) : 0,
        .firmware = how >> 2 & how >> 4 & 1,
    };
    if (how & 4)
        boot.initrd = (struct image_file){.name = "i", .data = other, .size = sizeof(other)};
    judge(&boot, &memory);
    free(exact);
    madvise(ram, RAM, MADV_DONTNEED);
    return 0;
}
