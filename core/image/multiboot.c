/* SPDX-License-Identifier: BSD-2-Clause */
/* Multiboot 1 kernels. Source: "Multiboot Specification version 0.6.96". */
#include "core/image/plan.h"

#include "core/guest/layout.h"
#include "core/string.h"

enum multiboot_header {
    HEADER_SEARCH = 8192, /* it lies in so many first bytes, on a 4-byte boundary */
    HEADER_MAGIC = 0x1badb002,
    HEADER_MAGIC_AT = 0,
    HEADER_FLAGS_AT = 4,
    HEADER_CHECKSUM_AT = 8,
    HEADER_SIZE = 12,
    HEADER_ADDRESS_AT = 12,
    HEADER_LOAD_AT = 16,
    HEADER_LOAD_END_AT = 20,
    HEADER_BSS_END_AT = 24,
    HEADER_ENTRY_AT = 28,
    HEADER_SIZE_WITH_ADDRESSES = 32,

    HEADER_FLAG_ALIGN = 1 << 0,  /* modules on page boundaries */
    HEADER_FLAG_MEMORY = 1 << 1, /* mem_ fields and memory map */
    HEADER_FLAG_VIDEO = 1 << 2,  /* a video mode; that there is no screen the info's flags say */
    HEADER_FLAGS_REQUIRED = 0xffff,
    HEADER_FLAGS_KNOWN = HEADER_FLAG_ALIGN | HEADER_FLAG_MEMORY | HEADER_FLAG_VIDEO,
    HEADER_FLAG_ADDRESSES = 1 << 16,
};

enum multiboot_info {
    INFO_FLAGS = 0,
    INFO_MEM_LOWER = 4, /* KiB from 0 on */
    INFO_MEM_UPPER = 8, /* KiB from 1 MiB on */
    INFO_CMDLINE = 16,
    INFO_MODS_COUNT = 20,
    INFO_MODS_ADDR = 24,
    INFO_MMAP_LENGTH = 44,
    INFO_MMAP_ADDR = 48,
    INFO_BOOT_LOADER_NAME = 64,
    INFO_SIZE = 120,

    INFO_FLAG_MEMORY = 1 << 0,
    INFO_FLAG_CMDLINE = 1 << 2,
    INFO_FLAG_MODS = 1 << 3,
    INFO_FLAG_MMAP = 1 << 6,
    INFO_FLAG_LOADER_NAME = 1 << 9,

    MMAP_ENTRY_SIZE = 24,
    MODULE_ENTRY_SIZE = 16,
    BOOTLOADER_MAGIC = 0x2badb002,
};

/* The block that the info structure starts: what follows it, by offset. Strings come last. */
enum {
    BLOCK_GDT = INFO_SIZE,
    BLOCK_MMAP = BLOCK_GDT + IMAGE_GDT_SIZE,
    BLOCK_MODS = BLOCK_MMAP + GUEST_MAP_MAX * MMAP_ENTRY_SIZE,
    BLOCK_STRINGS = BLOCK_MODS + IMAGE_MODULES_MAX * MODULE_ENTRY_SIZE,
};

static const char loader_name[] = IMAGE_LOADER_NAME;

/* ---- Planning ----------------------------------------------------------------------------- */

/* The header's offset in the file, or a negative number. */
static int64_t find_header(const struct image_file *kernel)
{
    for (uint64_t at = 0; at + HEADER_SIZE <= HEADER_SEARCH; at += 4) {
        if (!image_file_has(kernel, at, HEADER_SIZE))
            break;
        uint32_t magic = (uint32_t)image_file_number(kernel, at + HEADER_MAGIC_AT, 4);
        uint32_t flags = (uint32_t)image_file_number(kernel, at + HEADER_FLAGS_AT, 4);
        uint32_t checksum = (uint32_t)image_file_number(kernel, at + HEADER_CHECKSUM_AT, 4);
        if (magic == HEADER_MAGIC && checksum == 0 - (magic + flags))
            return (int64_t)at;
    }
    return -1;
}

bool image_is_multiboot(const struct image_file *kernel)
{
    return find_header(kernel) >= 0;
}

/* A kernel that is no ELF file, or wants to be loaded as if it were none. */
static bool add_by_addresses(struct image_plan *plan, uint64_t header)
{
    const struct image_file *file = &plan->boot->kernel;

    if (!image_file_has(file, header, HEADER_SIZE_WITH_ADDRESSES))
        return image_fail(plan->error, "kernel", file,
                          "truncated: the Multiboot header needs bytes 0x%lx-0x%lx, the file has "
                          "0x%lx",
                          header, header + HEADER_SIZE_WITH_ADDRESSES - 1, file->size);

    const struct image_addresses addresses = {
        .header = image_file_number(file, header + HEADER_ADDRESS_AT, 4),
        .load = image_file_number(file, header + HEADER_LOAD_AT, 4),
        .load_end = image_file_number(file, header + HEADER_LOAD_END_AT, 4),
        .bss_end = image_file_number(file, header + HEADER_BSS_END_AT, 4),
        .entry = image_file_number(file, header + HEADER_ENTRY_AT, 4),
    };
    return image_plan_addresses(plan, header, &addresses);
}

/* "NAME" or "NAME ARGS", with the final NUL. */
static uint64_t string_size(const struct image_file *file)
{
    uint64_t size = strlen(file->name) + 1;

    if (file->args && *file->args)
        size += 1 + strlen(file->args);
    return size;
}

static bool add_info(struct image_plan *plan)
{
    const struct image_boot *boot = plan->boot;
    uint64_t size = BLOCK_STRINGS + sizeof(loader_name) + string_size(&boot->kernel);

    for (uint32_t i = 0; i < boot->module_count; i++)
        size += string_size(&boot->modules[i]);
    return image_plan_info(plan, size);
}

static bool check_request(struct image_plan *plan, uint64_t flags)
{
    const struct image_file *kernel = &plan->boot->kernel;

    if (flags & HEADER_FLAGS_REQUIRED & ~(uint64_t)HEADER_FLAGS_KNOWN)
        return image_fail(plan->error, "kernel", kernel,
                          "Multiboot header with flags 0x%lx; expected none of the low 16 but 0x%x",
                          flags, HEADER_FLAGS_KNOWN);
    return image_refuse_initrd(plan);
}

bool image_plan_multiboot(struct image_plan *plan)
{
    const struct image_file *kernel = &plan->boot->kernel;
    uint64_t header = (uint64_t)find_header(kernel);
    uint64_t flags = image_file_number(kernel, header + HEADER_FLAGS_AT, 4);

    plan->format = IMAGE_MULTIBOOT1;
    if (!check_request(plan, flags))
        return false;
    if (flags & HEADER_FLAG_ADDRESSES) {
        if (!add_by_addresses(plan, header))
            return false;
    } else if (!image_is_elf(kernel)) {
        return image_fail(plan->error, "kernel", kernel,
                          "Multiboot kernel without address fields; expected an ELF file");
    } else if (!image_plan_elf(plan, NULL)) {
        return false;
    }
    return image_plan_modules(plan) && add_info(plan);
}

/* ---- Loading ------------------------------------------------------------------------------ */

static void put_text(struct image_writer *w, const char *text, uint64_t length)
{
    w->good = w->good && gm_write(w->gm, w->at, text, length);
    w->at += length;
}

/* Returns where the string is. */
static uint64_t put_string(struct image_writer *w, const struct image_file *file)
{
    uint64_t gpa = w->at;

    put_text(w, file->name, strlen(file->name));
    if (file->args && *file->args) {
        put_text(w, " ", 1);
        put_text(w, file->args, strlen(file->args));
    }
    put_text(w, "", 1);
    return gpa;
}

/* Returns its size. Each entry begins with a size that does not count itself. */
static uint64_t put_memory_map(struct image_writer *w, uint64_t gpa, uint64_t memory)
{
    size_t count = image_write_map(w, gpa + 4, MMAP_ENTRY_SIZE, memory);

    for (size_t i = 0; i < count; i++)
        image_write(w, gpa + i * MMAP_ENTRY_SIZE, MMAP_ENTRY_SIZE - 4, 4);
    return count * MMAP_ENTRY_SIZE;
}

static void put_modules(struct image_writer *w, uint64_t gpa, const struct image_plan *plan)
{
    for (uint32_t i = 0; i < plan->boot->module_count; i++, gpa += MODULE_ENTRY_SIZE) {
        const struct image_file *module = &plan->boot->modules[i];
        image_write(w, gpa, plan->modules[i], 4);
        image_write(w, gpa + 4, plan->modules[i] + module->size, 4);
        image_write(w, gpa + 8, put_string(w, module), 4);
    }
}

static bool put_info(const struct image_plan *plan, const struct guest_memory *gm)
{
    const struct image_boot *boot = plan->boot;
    uint64_t info = plan->info;
    struct image_writer w = {gm, info + BLOCK_STRINGS, true};

    image_write(&w, info + INFO_FLAGS,
                INFO_FLAG_MEMORY | INFO_FLAG_CMDLINE | INFO_FLAG_MODS | INFO_FLAG_MMAP |
                    INFO_FLAG_LOADER_NAME,
                4);
    image_write(&w, info + INFO_MEM_LOWER, GUEST_CONVENTIONAL_TOP / 1024, 4);
    image_write(&w, info + INFO_MEM_UPPER,
                (guest_low_ram(boot->memory) - GUEST_EXTENDED_BASE) / 1024, 4);
    image_write(&w, info + INFO_CMDLINE, put_string(&w, &boot->kernel), 4);
    image_write(&w, info + INFO_MODS_COUNT, boot->module_count, 4);
    image_write(&w, info + INFO_MODS_ADDR, info + BLOCK_MODS, 4);
    put_modules(&w, info + BLOCK_MODS, plan);
    image_write(&w, info + INFO_MMAP_LENGTH, put_memory_map(&w, info + BLOCK_MMAP, boot->memory),
                4);
    image_write(&w, info + INFO_MMAP_ADDR, info + BLOCK_MMAP, 4);
    image_write(&w, info + INFO_BOOT_LOADER_NAME, w.at, 4);
    put_text(&w, loader_name, sizeof(loader_name));
    return w.good;
}

bool image_load_multiboot(const struct image_plan *plan, const struct guest_memory *gm,
                          struct guest_start *start)
{
    image_start32(plan, start, BOOTLOADER_MAGIC, plan->info);
    return put_info(plan, gm) && image_put_gdt(gm, plan->info + BLOCK_GDT, start);
}
