/* SPDX-License-Identifier: BSD-2-Clause */
/* Multiboot 2 kernels. Source: "Multiboot2 Specification version 2.0". */
#include "core/image/plan.h"

#include "core/guest/layout.h"

enum multiboot2_header {
    HEADER_SEARCH = 32768, /* it lies in so many first bytes, on an 8-byte boundary */
    HEADER_MAGIC_AT = 0,
    HEADER_ARCHITECTURE_AT = 4, /* 0: 32-bit protected mode of i386 */
    HEADER_LENGTH_AT = 8,
    HEADER_CHECKSUM_AT = 12,
    HEADER_SIZE = 16,

    /* Tags: 2 bytes of type, 2 of flags, 4 of size, then what the type says. */
    TAG_FLAGS_AT = 2,
    TAG_SIZE_AT = 4,
    TAG_SIZE = 8,
    TAG_OPTIONAL = 1 << 0,
};

#define HEADER_MAGIC    0xe85250d6U
#define LOAD_WHOLE_FILE 0xffffffffU /* as load address */

enum header_tag {
    TAG_END = 0,
    TAG_REQUEST = 1,
    TAG_ADDRESS = 2,
    TAG_ENTRY = 3,
    TAG_CONSOLE = 4,
    TAG_FRAMEBUFFER = 5, /* "only a recommended mode" */
    TAG_ALIGN = 6,       /* modules are always on page boundaries */
    TAG_ENTRY_EFI32 = 8, /* this and the next do not count without EFI boot services */
    TAG_ENTRY_EFI64 = 9,
    TAG_RELOCATABLE = 10, /* where it is linked for is one of the places */

    CONSOLE_REQUIRED = 1 << 0,
};

enum info_tag {
    INFO_END = 0,
    INFO_CMDLINE = 1,
    INFO_LOADER_NAME = 2,
    INFO_MODULE = 3,
    INFO_MEMORY = 4,
    INFO_MAP = 6,
    INFO_RSDP_OLD = 14,
    INFO_RSDP_NEW = 15,
    INFO_LAST_KNOWN = 21,

    MAP_ENTRY_SIZE = 24,
    RSDP_OLD_SIZE = 20,
    RSDP_NEW_SIZE = 36,
};

#define BOOTLOADER_MAGIC 0x36d76289U

static uint64_t align8(uint64_t value)
{
    return (value + 7) & ~7ULL;
}

/* ---- Planning ----------------------------------------------------------------------------- */

/* The header's offset in the file, or a negative number. */
static int64_t find_header(const struct image_file *kernel)
{
    for (uint64_t at = 0; at + HEADER_SIZE <= HEADER_SEARCH; at += 8) {
        if (!image_file_has(kernel, at, HEADER_SIZE))
            break;
        uint32_t sum = 0;
        for (unsigned word = 0; word < HEADER_SIZE; word += 4)
            sum += (uint32_t)image_file_number(kernel, at + word, 4);
        if (image_file_number(kernel, at + HEADER_MAGIC_AT, 4) == HEADER_MAGIC && sum == 0)
            return (int64_t)at;
    }
    return -1;
}

bool image_is_multiboot2(const struct image_file *kernel)
{
    return find_header(kernel) >= 0;
}

struct header {
    uint64_t at, length;
    uint64_t address, entry; /* offsets of these tags in the file; 0: there is none */
};

/* A request is for tags that the loader knows, not for machines that have what they describe. */
static bool check_request(struct image_plan *plan, uint64_t tag, uint64_t size)
{
    for (uint64_t at = TAG_SIZE; at + 4 <= size; at += 4) {
        uint64_t type = image_file_number(&plan->boot->kernel, tag + at, 4);

        if (type > INFO_LAST_KNOWN)
            return image_fail(plan->error, "kernel", &plan->boot->kernel,
                              "Multiboot 2 header that demands information of type %lu; expected "
                              "at most %d",
                              type, INFO_LAST_KNOWN);
    }
    return true;
}

static bool check_size(struct image_plan *plan, uint64_t type, uint64_t size, uint64_t least)
{
    if (size < least)
        return image_fail(plan->error, "kernel", &plan->boot->kernel,
                          "Multiboot 2 header tag %lu of %lu bytes; expected at least %lu", type,
                          size, least);
    return true;
}

static bool read_tag(struct image_plan *plan, struct header *header, uint64_t tag, uint64_t size)
{
    const struct image_file *file = &plan->boot->kernel;
    uint64_t type = image_file_number(file, tag, 2);
    bool optional = image_file_number(file, tag + TAG_FLAGS_AT, 2) & TAG_OPTIONAL;

    switch (type) {
    case TAG_ADDRESS:
        header->address = tag;
        return check_size(plan, type, size, TAG_SIZE + 16);
    case TAG_ENTRY:
        header->entry = tag;
        return check_size(plan, type, size, TAG_SIZE + 4);
    case TAG_REQUEST:
        return optional || check_request(plan, tag, size);
    case TAG_CONSOLE:
        if (optional || !(image_file_number(file, tag + TAG_SIZE, 4) & CONSOLE_REQUIRED))
            return true;
        break;
    case TAG_FRAMEBUFFER:
    case TAG_ALIGN:
    case TAG_ENTRY_EFI32:
    case TAG_ENTRY_EFI64:
    case TAG_RELOCATABLE:
        return true;
    default:
        if (optional)
            return true;
    }
    return image_fail(plan->error, "kernel", file,
                      "Multiboot 2 header that demands what its tag %lu describes%s; there is none",
                      type, type == TAG_CONSOLE ? ", a screen" : "");
}

static bool read_header(struct image_plan *plan, struct header *header)
{
    const struct image_file *file = &plan->boot->kernel;
    uint64_t architecture = image_file_number(file, header->at + HEADER_ARCHITECTURE_AT, 4);
    uint64_t at = HEADER_SIZE;

    header->length = image_file_number(file, header->at + HEADER_LENGTH_AT, 4);
    if (architecture != 0)
        return image_fail(plan->error, "kernel", file,
                          "Multiboot 2 header for architecture %lu; expected 0, for i386",
                          architecture);
    if (!image_file_has(file, header->at, header->length))
        return image_fail(plan->error, "kernel", file,
                          "truncated: the Multiboot 2 header needs 0x%lx bytes from 0x%lx on, the "
                          "file has 0x%lx",
                          header->length, header->at, file->size);
    while (at + TAG_SIZE <= header->length) {
        uint64_t tag = header->at + at;
        uint64_t size = image_file_number(file, tag + TAG_SIZE_AT, 4);

        if (image_file_number(file, tag, 2) == TAG_END)
            return true;
        if (size < TAG_SIZE || size > header->length - at)
            break;
        if (!read_tag(plan, header, tag, size))
            return false;
        at += align8(size);
    }
    return image_fail(plan->error, "kernel", file,
                      "Multiboot 2 header of 0x%lx bytes whose tag at 0x%lx does not fit",
                      header->length, at);
}

/* What put_info() writes, without the GDT in front. */
static uint64_t info_size(const struct image_boot *boot)
{
    uint64_t size = TAG_SIZE + align8(TAG_SIZE + image_text_size(boot->kernel.args)) +
                    align8(TAG_SIZE + image_text_size(IMAGE_LOADER_NAME)) + 2 * TAG_SIZE +
                    2 * TAG_SIZE + GUEST_MAP_MAX * MAP_ENTRY_SIZE +
                    align8(TAG_SIZE + RSDP_OLD_SIZE) + align8(TAG_SIZE + RSDP_NEW_SIZE) + TAG_SIZE;

    for (uint32_t i = 0; i < boot->module_count; i++)
        size += align8(2 * TAG_SIZE + image_text_size(boot->modules[i].args));
    return size;
}

static bool add_kernel(struct image_plan *plan, const struct header *header)
{
    const struct image_file *file = &plan->boot->kernel;
    uint64_t entry = image_file_number(file, header->entry + TAG_SIZE, 4);

    if (header->address) {
        uint64_t address = image_file_number(file, header->address + TAG_SIZE, 4);
        uint64_t load = image_file_number(file, header->address + TAG_SIZE + 4, 4);
        const struct image_addresses addresses = {
            .header = address,
            .load = load == LOAD_WHOLE_FILE ? address - header->at : load,
            .load_end = image_file_number(file, header->address + TAG_SIZE + 8, 4),
            .bss_end = image_file_number(file, header->address + TAG_SIZE + 12, 4),
            .entry = entry,
        };
        if (!header->entry)
            return image_fail(plan->error, "kernel", file,
                              "Multiboot 2 header with an address tag; expected an entry address "
                              "tag, too");
        return image_plan_addresses(plan, header->at, &addresses);
    }
    if (!image_is_elf(file))
        return image_fail(plan->error, "kernel", file,
                          "Multiboot 2 kernel without an address tag; expected an ELF file");
    return image_plan_elf(plan, header->entry ? &entry : NULL);
}

bool image_plan_multiboot2(struct image_plan *plan)
{
    struct header header = {.at = (uint64_t)find_header(&plan->boot->kernel)};

    plan->format = IMAGE_MULTIBOOT2;
    return read_header(plan, &header) && image_refuse_initrd(plan) && add_kernel(plan, &header) &&
           image_plan_modules(plan) &&
           image_plan_info(plan, IMAGE_GDT_SIZE + info_size(plan->boot));
}

/* ---- Loading ------------------------------------------------------------------------------ */

/* Begins a tag with `size` bytes of contents. The writer goes on there. */
static void put_tag(struct image_writer *w, enum info_tag type, uint64_t size)
{
    w->at = align8(w->at);
    image_write(w, w->at, type, 4);
    image_write(w, w->at + TAG_SIZE_AT, TAG_SIZE + size, 4);
    w->at += TAG_SIZE;
}

static void put(struct image_writer *w, uint64_t value, unsigned bytes)
{
    image_write(w, w->at, value, bytes);
    w->at += bytes;
}

static void put_text(struct image_writer *w, enum info_tag type, const char *text)
{
    put_tag(w, type, image_text_size(text));
    image_write_text(w, text);
}

static void put_modules(struct image_writer *w, const struct image_plan *plan)
{
    for (uint32_t i = 0; i < plan->boot->module_count; i++) {
        const struct image_file *module = &plan->boot->modules[i];

        put_tag(w, INFO_MODULE, 8 + image_text_size(module->args));
        put(w, plan->modules[i], 4);
        put(w, plan->modules[i] + module->size, 4);
        image_write_text(w, module->args);
    }
}

static void put_memory(struct image_writer *w, uint64_t memory)
{
    put_tag(w, INFO_MEMORY, 8);
    put(w, GUEST_CONVENTIONAL_TOP / 1024, 4);
    put(w, (guest_low_ram(memory) - GUEST_EXTENDED_BASE) / 1024, 4);

    uint64_t entries = w->at + TAG_SIZE + 8;
    uint64_t size = image_write_map(w, entries, MAP_ENTRY_SIZE, memory) * MAP_ENTRY_SIZE;
    put_tag(w, INFO_MAP, 8 + size);
    put(w, MAP_ENTRY_SIZE, 4); /* then the version of the entries, 0 */
    w->at = entries + size;
}

static void put_rsdp(struct image_writer *w, enum info_tag type, uint64_t rsdp, uint64_t size)
{
    uint8_t copy[RSDP_NEW_SIZE];

    put_tag(w, type, size);
    w->good = w->good && gm_read(w->gm, rsdp, copy, size) && gm_write(w->gm, w->at, copy, size);
    w->at += size;
}

static bool put_info(const struct image_plan *plan, const struct guest_memory *gm, uint64_t info)
{
    const struct image_boot *boot = plan->boot;
    struct image_writer w = {gm, info + 8, true};

    put_text(&w, INFO_CMDLINE, boot->kernel.args);
    put_text(&w, INFO_LOADER_NAME, IMAGE_LOADER_NAME);
    put_modules(&w, plan);
    put_memory(&w, boot->memory);
    put_rsdp(&w, INFO_RSDP_OLD, boot->rsdp, RSDP_OLD_SIZE);
    put_rsdp(&w, INFO_RSDP_NEW, boot->rsdp, RSDP_NEW_SIZE);
    put_tag(&w, INFO_END, 0);
    image_write(&w, info, w.at - info, 4);
    return w.good;
}

bool image_load_multiboot2(const struct image_plan *plan, const struct guest_memory *gm,
                           struct guest_start *start)
{
    image_start32(plan, start, BOOTLOADER_MAGIC, plan->info + IMAGE_GDT_SIZE);
    return put_info(plan, gm, start->rbx) && image_put_gdt(gm, plan->info, start);
}
