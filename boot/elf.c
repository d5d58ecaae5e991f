/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the parts of the hypervisor's own ELF file go (System V ABI, "Object Files"). */
#include "boot/elf.h"

#include <stdbool.h>

#include "core/layout.h"
#include "core/string.h"
#include "core/x86.h"

enum { ET_EXEC = 2, EM_X86_64 = 62, PT_LOAD = 1, PF_X = 1, PF_W = 2 };

struct elf_header {
    uint8_t ident[16];
    uint16_t type;
    uint16_t machine;
    uint32_t version;
    uint64_t entry;
    uint64_t program_headers;
    uint64_t section_headers;
    uint32_t flags;
    uint16_t header_size;
    uint16_t program_header_size;
    uint16_t n_program_headers;
    uint16_t section_header_size;
    uint16_t n_section_headers;
    uint16_t section_names;
};
_Static_assert(sizeof(struct elf_header) == 64, "Elf64_Ehdr");

struct program_header {
    uint32_t type;
    uint32_t flags;
    uint64_t offset;
    uint64_t virtual_address;
    uint64_t physical_address;
    uint64_t file_size;
    uint64_t memory_size;
    uint64_t align;
};
_Static_assert(sizeof(struct program_header) == 56, "Elf64_Phdr");

/* Magic, 64-bit, little endian, current version. */
static const uint8_t elf_ident[] = {0x7f, 'E', 'L', 'F', 2, 1, 1};

static bool within(uint64_t offset, uint64_t length, uint64_t size)
{
    return offset <= size && length <= size - offset;
}

static const char *check_header(const struct elf_header *h, uint64_t size)
{
    if (memcmp(h->ident, elf_ident, sizeof(elf_ident)) != 0)
        return "not a 64-bit ELF file";
    if (h->type != ET_EXEC || h->machine != EM_X86_64)
        return "not an x86-64 executable";
    if (h->program_header_size != sizeof(struct program_header))
        return "program headers of an unknown size";
    if (!within(h->program_headers, (uint64_t)h->n_program_headers * sizeof(struct program_header),
                size))
        return "program headers beyond the end of the file";
    return NULL;
}

static const char *check_segment(const struct program_header *p, uint64_t size,
                                 const struct elf_plan *plan)
{
    /* The image ends below the top of the address space, so sums cannot wrap. */
    if (p->virtual_address < IMAGE_BASE || !is_aligned(p->virtual_address, PAGE_SIZE))
        return "a segment that is not at a page of the image";
    if (p->memory_size > -IMAGE_BASE - (p->virtual_address - IMAGE_BASE) - PAGE_SIZE)
        return "a segment beyond the end of the address space";
    if (p->virtual_address - IMAGE_BASE < plan->image_size)
        return "segments that overlap or are not in order";
    if (p->file_size > p->memory_size || !within(p->offset, p->file_size, size))
        return "a segment beyond the end of the file";
    if ((p->flags & PF_W) && (p->flags & PF_X))
        return "a segment both writable and executable";
    return NULL;
}

static enum page_access segment_access(uint32_t flags)
{
    if (flags & PF_X)
        return PAGE_READ_EXECUTE;
    return flags & PF_W ? PAGE_READ_WRITE : PAGE_READ;
}

static const char *add_segment(const struct program_header *p, uint64_t size, struct elf_plan *plan)
{
    const char *wrong = check_segment(p, size, plan);
    struct elf_segment *segment = &plan->segments[plan->n_segments];

    if (wrong != NULL)
        return wrong;
    if (plan->n_segments == ELF_SEGMENTS_MAX)
        return "too many segments";
    segment->file_offset = p->offset;
    segment->file_size = p->file_size;
    segment->offset = p->virtual_address - IMAGE_BASE;
    segment->size = align_up(p->memory_size, PAGE_SIZE);
    segment->access = segment_access(p->flags);
    plan->image_size = segment->offset + segment->size;
    plan->n_segments++;
    return NULL;
}

static bool entry_is_executable(const struct elf_plan *plan)
{
    for (uint32_t i = 0; i < plan->n_segments; i++) {
        const struct elf_segment *s = &plan->segments[i];
        uint64_t start = IMAGE_BASE + s->offset;

        if (s->access == PAGE_READ_EXECUTE && plan->entry >= start && plan->entry - start < s->size)
            return true;
    }
    return false;
}

const char *elf_plan(const void *file, uint64_t size, struct elf_plan *plan)
{
    struct elf_header header;
    const char *wrong;

    if (size < sizeof(header))
        return "shorter than an ELF header";
    memcpy(&header, file, sizeof(header));
    wrong = check_header(&header, size);
    if (wrong != NULL)
        return wrong;
    *plan = (struct elf_plan){.entry = header.entry};
    for (uint32_t i = 0; i < header.n_program_headers; i++) {
        struct program_header p;

        memcpy(&p, (const uint8_t *)file + header.program_headers + i * sizeof(p), sizeof(p));
        if (p.type != PT_LOAD || p.memory_size == 0)
            continue;
        wrong = add_segment(&p, size, plan);
        if (wrong != NULL)
            return wrong;
    }
    return entry_is_executable(plan) ? NULL : "an entry point outside the code";
}
