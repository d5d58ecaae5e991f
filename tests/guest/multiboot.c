/* SPDX-License-Identifier: BSD-2-Clause */
/* The Multiboot information: memory, command line, modules, loader.
   Source: Multiboot Specification version 0.6.96, "Boot information format". */
// memory: 48M
// cmdline: first=1 second --third
// module: tests/guest/data/module1.txt one
// module: tests/guest/data/module2.txt
#include "tests/guest/guest.h"

enum {
    INFO_MEMORY = 1 << 0,
    INFO_CMDLINE = 1 << 2,
    INFO_MODULES = 1 << 3,
    INFO_MAP = 1 << 6,
    INFO_LOADER = 1 << 9,
    RAM = 1,
    MEGABYTE = 1 << 20,
    MEMORY = 48 * MEGABYTE,
};

struct information {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
    uint32_t symbols[4];
    uint32_t mmap_length, mmap_addr, drives_length, drives_addr, config_table, loader_name;
};

struct module {
    uint32_t start, end, text, reserved;
};

struct __attribute__((packed)) map_entry {
    uint32_t size;
    uint64_t base, length;
    uint32_t type;
};

static const struct information *information;

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), wanted = strlen(end);
    return length >= wanted && !strcmp(text + length - wanted, end);
}

static const char *text_at(uint32_t address)
{
    return (const char *)(uintptr_t)address;
}

static void memory_sizes(void)
{
    if (!ok(information->flags & INFO_MEMORY, "memory sizes are given"))
        return;
    in_range(information->mem_lower, 512, 640, "lower memory in KiB");
    in_range(information->mem_upper, MEMORY / 1024 - 1024 - 1024, MEMORY / 1024 - 1024,
             "upper memory in KiB");
}

static void memory_map(void)
{
    if (!ok(information->flags & INFO_MAP, "a memory map is given"))
        return;
    uint64_t total = 0, last_end = 0;
    unsigned disorder = 0;
    bool holds_guest = false;
    for (uint32_t at = information->mmap_addr;
         at < information->mmap_addr + information->mmap_length;) {
        const struct map_entry *entry = (const void *)(uintptr_t)at;
        disorder += entry->base < last_end;
        last_end = entry->base + entry->length;
        if (entry->type == RAM) {
            total += entry->length;
            holds_guest |= entry->base <= MEGABYTE && last_end >= (uintptr_t)image_end;
        }
        at += entry->size + (uint32_t)sizeof(entry->size);
    }
    is_u64(disorder, 0, "the map is in order and without overlap");
    ok(holds_guest, "the guest lies in RAM");
    in_range(total, MEMORY - 2 * MEGABYTE, MEMORY, "RAM in all");
}

static void module(unsigned number, const char *content, const char *text)
{
    const struct module *m = (const void *)(uintptr_t)information->mods_addr;
    m += number;
    is_u64(m->end - m->start, strlen(content), "module %u: length", number);
    ok(!memcmp(text_at(m->start), content, strlen(content)), "module %u: content", number);
    is_u64(m->start % PAGE_SIZE, 0, "module %u: page aligned", number);
    ok(ends_with(text_at(m->text), text), "module %u: its text is \"%s\"", number,
       text_at(m->text));
    ok(m->start >= (uintptr_t)image_end || m->end <= MEGABYTE, "module %u: not in the image",
       number);
}

void test_main(void)
{
    is_u64(boot_magic, 0x2badb002, "EAX holds the magic number");
    information = (const void *)(uintptr_t)boot_info;
    memory_sizes();
    memory_map();
    if (ok(information->flags & INFO_CMDLINE, "a command line is given"))
        ok(ends_with(text_at(information->cmdline), "first=1 second --third"), "it is \"%s\"",
           text_at(information->cmdline));
    if (ok(information->flags & INFO_MODULES, "modules are given") &&
        is_u64(information->mods_count, 2, "two of them")) {
        module(0, "The first module.\n", "one");
        module(1, "The second module,\nof two lines.\n", "");
    }
    if (ok(information->flags & INFO_LOADER, "the loader gives its name"))
        in_range(strlen(text_at(information->loader_name)), 1, 64, "which is \"%s\"",
                 text_at(information->loader_name));
}
