/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF executables. Source: System V ABI, "Object Files" and "Program Loading". */
#include "core/image/plan.h"

#include "core/string.h"

enum elf_class { ELF_CLASS_32 = 1, ELF_CLASS_64 = 2 };

enum {
    ELF_IDENT_CLASS = 4,
    ELF_IDENT_DATA = 5,
    ELF_DATA_LITTLE = 1,
    ELF_TYPE = 16,
    ELF_TYPE_EXEC = 2,
    ELF_MACHINE = 18,
    ELF_MACHINE_386 = 3,
    ELF_MACHINE_X86_64 = 62,
    ELF_SEGMENT_LOAD = 1,
    ELF_SEGMENT_NOTE = 4,

    /* A note: three numbers of 4 bytes, then name and contents, each padded to 4 bytes. */
    NOTE_NAME_SIZE = 0,
    NOTE_CONTENTS_SIZE = 4,
    NOTE_TYPE = 8,
    NOTE_HEADER_SIZE = 12,
    NOTE_PVH_ENTRY = 18, /* of "Xen": XEN_ELFNOTE_PHYS32_ENTRY */
};

/* Where a field is, and how many bytes it has. */
struct elf_field {
    uint8_t offset;
    uint8_t bytes;
};

/* What differs between the classes. */
struct elf_layout {
    uint16_t header_size, segment_size;
    struct elf_field entry, table, entry_size, count;
    struct elf_field type, offset, vaddr, paddr, file_size, memory_size;
};

static const struct elf_layout layout_32 = {
    .header_size = 52,
    .segment_size = 32,
    .entry = {24, 4},
    .table = {28, 4},
    .entry_size = {42, 2},
    .count = {44, 2},
    .type = {0, 4},
    .offset = {4, 4},
    .vaddr = {8, 4},
    .paddr = {12, 4},
    .file_size = {16, 4},
    .memory_size = {20, 4},
};

static const struct elf_layout layout_64 = {
    .header_size = 64,
    .segment_size = 56,
    .entry = {24, 8},
    .table = {32, 8},
    .entry_size = {54, 2},
    .count = {56, 2},
    .type = {0, 4},
    .offset = {8, 8},
    .vaddr = {16, 8},
    .paddr = {24, 8},
    .file_size = {32, 8},
    .memory_size = {40, 8},
};

struct elf {
    const struct image_file *file;
    const struct elf_layout *layout;
    uint64_t entry;
    uint64_t table;
    uint64_t entry_size;
    uint32_t count;
};

struct segment {
    uint64_t type, offset, vaddr, paddr, file_size, memory_size;
};

static uint64_t field(const struct elf *elf, uint64_t base, struct elf_field f)
{
    return image_file_number(elf->file, base + f.offset, f.bytes);
}

static struct segment read_segment(const struct elf *elf, uint32_t index)
{
    const struct elf_layout *layout = elf->layout;
    uint64_t base = elf->table + index * elf->entry_size;

    return (struct segment){
        .type = field(elf, base, layout->type),
        .offset = field(elf, base, layout->offset),
        .vaddr = field(elf, base, layout->vaddr),
        .paddr = field(elf, base, layout->paddr),
        .file_size = field(elf, base, layout->file_size),
        .memory_size = field(elf, base, layout->memory_size),
    };
}

static bool is_loaded(const struct segment *segment)
{
    return segment->type == ELF_SEGMENT_LOAD && segment->memory_size;
}

bool image_is_elf(const struct image_file *kernel)
{
    return image_file_has(kernel, 0, 4) && !memcmp(kernel->data, "\177ELF", 4);
}

bool image_is_elf64(const struct image_file *kernel)
{
    return image_file_number(kernel, ELF_IDENT_CLASS, 1) == ELF_CLASS_64;
}

static bool check_kind(struct image_plan *plan)
{
    const struct image_file *file = &plan->boot->kernel;
    uint64_t class = image_file_number(file, ELF_IDENT_CLASS, 1);
    uint64_t data = image_file_number(file, ELF_IDENT_DATA, 1);
    uint64_t type = image_file_number(file, ELF_TYPE, 2);
    uint64_t machine = image_file_number(file, ELF_MACHINE, 2);
    bool x86 = (class == ELF_CLASS_32 && machine == ELF_MACHINE_386) ||
               (class == ELF_CLASS_32 && machine == ELF_MACHINE_X86_64) ||
               (class == ELF_CLASS_64 && machine == ELF_MACHINE_X86_64);

    if (!x86 || data != ELF_DATA_LITTLE || type != ELF_TYPE_EXEC)
        return image_fail(plan->error, "kernel", file,
                          "ELF file of class %lu, data encoding %lu, type %lu, machine %lu; "
                          "expected a little-endian executable (type %d) for x86",
                          class, data, type, machine, ELF_TYPE_EXEC);
    return true;
}

static bool open_elf(struct image_plan *plan, struct elf *elf)
{
    const struct image_file *file = &plan->boot->kernel;

    if (!image_file_has(file, 0, layout_32.header_size))
        return image_fail(plan->error, "kernel", file,
                          "truncated: the ELF header needs %u bytes, the file has %lu",
                          layout_32.header_size, file->size);
    if (!check_kind(plan))
        return false;

    const struct elf_layout *layout = image_is_elf64(file) ? &layout_64 : &layout_32;
    if (!image_file_has(file, 0, layout->header_size))
        return image_fail(plan->error, "kernel", file,
                          "truncated: the ELF header needs %u bytes, the file has %lu",
                          layout->header_size, file->size);
    elf->file = file;
    elf->layout = layout;
    elf->entry = field(elf, 0, layout->entry);
    elf->table = field(elf, 0, layout->table);
    elf->entry_size = field(elf, 0, layout->entry_size);
    elf->count = (uint32_t)field(elf, 0, layout->count);
    if (elf->entry_size < layout->segment_size)
        return image_fail(plan->error, "kernel", file,
                          "program headers of %lu bytes; expected at least %u", elf->entry_size,
                          layout->segment_size);
    if (!image_file_has(file, elf->table, elf->count * elf->entry_size))
        return image_fail(plan->error, "kernel", file,
                          "truncated: %u program headers of %lu bytes start at 0x%lx, the file has "
                          "0x%lx bytes",
                          elf->count, elf->entry_size, elf->table, file->size);
    return true;
}

static bool add_segment(struct image_plan *plan, const struct segment *segment, uint32_t number)
{
    const struct image_file *file = &plan->boot->kernel;

    if (segment->file_size > segment->memory_size)
        return image_fail(plan->error, "kernel", file,
                          "segment %u has 0x%lx bytes in the file, more than its 0x%lx in memory",
                          number, segment->file_size, segment->memory_size);
    if (!image_file_has(file, segment->offset, segment->file_size))
        return image_fail(plan->error, "kernel", file,
                          "truncated: segment %u needs 0x%lx bytes from 0x%lx on, the file has "
                          "0x%lx bytes",
                          number, segment->file_size, segment->offset, file->size);
    const struct image_piece piece = {
        .what = "segment",
        .number = number,
        .gpa = segment->paddr,
        .size = segment->memory_size,
        .data = file->data + segment->offset,
        .data_size = segment->file_size,
    };
    return image_plan_add(plan, &piece);
}

/* A physical address. */
static bool set_entry(struct image_plan *plan, uint64_t entry)
{
    for (uint32_t i = 0; i < plan->piece_count; i++) {
        const struct image_piece *piece = &plan->pieces[i];
        if (entry - piece->gpa < piece->data_size) {
            plan->entry = entry;
            return true;
        }
    }
    return image_fail(plan->error, "kernel", &plan->boot->kernel,
                      "the entry point 0x%lx is in no segment", entry);
}

/* The entry point is a virtual address of the segment that has it; higher-half kernels, Linux among
 * them, give a physical one. */
static bool find_entry(struct image_plan *plan, const struct elf *elf)
{
    for (uint32_t i = 0; i < elf->count; i++) {
        struct segment segment = read_segment(elf, i);
        if (is_loaded(&segment) && elf->entry - segment.vaddr < segment.memory_size) {
            plan->entry = elf->entry - segment.vaddr + segment.paddr;
            return true;
        }
    }
    return set_entry(plan, elf->entry);
}

static uint64_t align4(uint64_t value)
{
    return (value + 3) & ~3ULL;
}

/* The contents are as wide as the file's addresses; the entry point has 32 bits. */
static bool is_pvh_note(const struct image_file *file, uint64_t note)
{
    return image_file_number(file, note + NOTE_TYPE, 4) == NOTE_PVH_ENTRY &&
           image_file_number(file, note + NOTE_NAME_SIZE, 4) == sizeof("Xen") &&
           image_file_number(file, note + NOTE_HEADER_SIZE, 4) == 0x006e6558 /* "Xen" */ &&
           image_file_number(file, note + NOTE_CONTENTS_SIZE, 4) >= 4;
}

static bool find_pvh_note(const struct image_file *file, const struct segment *segment,
                          uint64_t *entry)
{
    uint64_t at = segment->offset, end = segment->offset + segment->file_size;

    if (!image_file_has(file, segment->offset, segment->file_size))
        return false;
    while (end - at >= NOTE_HEADER_SIZE) {
        uint64_t name = image_file_number(file, at + NOTE_NAME_SIZE, 4);
        uint64_t contents = at + NOTE_HEADER_SIZE + align4(name);

        if (is_pvh_note(file, at) && contents + 4 <= end) {
            *entry = image_file_number(file, contents, 4);
            return true;
        }
        at = contents + align4(image_file_number(file, at + NOTE_CONTENTS_SIZE, 4));
        if (at > end)
            return false;
    }
    return false;
}

bool image_elf_pvh_entry(struct image_plan *plan, uint64_t *entry, uint64_t *top_vaddr)
{
    struct elf elf = {0};
    bool found = false;

    if (!open_elf(plan, &elf))
        return false;
    *top_vaddr = 0;
    for (uint32_t i = 0; i < elf.count; i++) {
        struct segment segment = read_segment(&elf, i);
        if (segment.type == ELF_SEGMENT_NOTE)
            found = found || find_pvh_note(elf.file, &segment, entry);
        else if (is_loaded(&segment) && *top_vaddr < segment.vaddr)
            *top_vaddr = segment.vaddr;
    }
    return found;
}

bool image_plan_elf(struct image_plan *plan, const uint64_t *entry)
{
    struct elf elf = {0};
    uint32_t loaded = 0;

    if (!open_elf(plan, &elf))
        return false;
    for (uint32_t i = 0; i < elf.count; i++) {
        struct segment segment = read_segment(&elf, i);
        if (!is_loaded(&segment))
            continue;
        if (loaded++ == IMAGE_SEGMENTS_MAX)
            return image_fail(plan->error, "kernel", elf.file,
                              "too many segments; expected at most %d", IMAGE_SEGMENTS_MAX);
        if (!add_segment(plan, &segment, i + 1))
            return false;
        if (plan->top_vaddr < segment.vaddr)
            plan->top_vaddr = segment.vaddr;
    }
    if (!loaded)
        return image_fail(plan->error, "kernel", elf.file, "no segment to load");
    return entry ? set_entry(plan, *entry) : find_entry(plan, &elf);
}
