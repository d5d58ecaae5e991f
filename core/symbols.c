/* SPDX-License-Identifier: BSD-2-Clause */
/* Searches .symtab of an ELF64 file, whose every offset is checked before it is used. */
#include "core/symbols.h"

#include "core/bits.h"
#include "core/string.h"

/* System V ABI, "Object Files": the parts of the formats that are read here. */
struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, program_headers, section_headers;
    uint32_t flags;
    uint16_t header_size, program_header_size, n_program_headers;
    uint16_t section_header_size, n_section_headers, names_index;
};
_Static_assert(sizeof(struct elf_header) == 64, "ELF64 header layout");

struct elf_section {
    uint32_t name, type;
    uint64_t flags, address, offset, size;
    uint32_t link, info;
    uint64_t alignment, entry_size;
};
_Static_assert(sizeof(struct elf_section) == 64, "ELF64 section header layout");

struct elf_symbol {
    uint32_t name;
    uint8_t info, other;
    uint16_t section;
    uint64_t value, size;
};
_Static_assert(sizeof(struct elf_symbol) == 24, "ELF64 symbol layout");

enum {
    SECTION_SYMBOLS = 2,
    SECTION_RESERVED = 0xff00, /* from here on indices mean something else, such as a constant */
    SYMBOL_TYPE = 0xf,         /* in info */
    SYMBOL_OBJECT = 1,
    SYMBOL_SECTION = 3,
    SYMBOL_FILE = 4,
};

static struct {
    const struct elf_symbol *symbols;
    uint64_t n;
    const char *names; /* its last byte is NUL */
    uint64_t names_size;
} table;

static bool fits(uint64_t offset, uint64_t size, uint64_t file_size)
{
    return offset <= file_size && size <= file_size - offset;
}

static void take_table(const char *file, uint64_t size, const struct elf_section *symbols,
                       const struct elf_section *names)
{
    if (!fits(symbols->offset, symbols->size, size) || !fits(names->offset, names->size, size))
        return;
    if (!is_aligned(symbols->offset, _Alignof(struct elf_symbol)))
        return;
    if (names->size == 0 || file[names->offset + names->size - 1] != '\0')
        return;
    table.symbols = (const struct elf_symbol *)(file + symbols->offset);
    table.n = symbols->size / sizeof(struct elf_symbol);
    table.names = file + names->offset;
    table.names_size = names->size;
}

void symbols_init(const void *elf, uint64_t size)
{
    const struct elf_header *header = elf;
    table.n = 0;
    if (!is_aligned((uintptr_t)elf, _Alignof(struct elf_header)))
        return;
    if (size < sizeof(*header) || memcmp(header->ident, "\177ELF\2\1", 6) != 0)
        return;
    uint64_t n = header->n_section_headers;
    if (header->section_header_size != sizeof(struct elf_section) ||
        !is_aligned(header->section_headers, _Alignof(struct elf_section)) ||
        !fits(header->section_headers, n * sizeof(struct elf_section), size))
        return;
    const struct elf_section *sections =
        (const struct elf_section *)((const char *)elf + header->section_headers);
    for (uint64_t i = 0; i < n; i++) {
        if (sections[i].type == SECTION_SYMBOLS && sections[i].link < n)
            take_table(elf, size, &sections[i], &sections[sections[i].link]);
    }
}

static bool is_code_label(const struct elf_symbol *symbol)
{
    unsigned int type = symbol->info & SYMBOL_TYPE;
    return symbol->section != 0 && symbol->section < SECTION_RESERVED && type != SYMBOL_OBJECT &&
           type != SYMBOL_SECTION && type != SYMBOL_FILE && symbol->name < table.names_size;
}

/* The nearest label at or below the address: assembly has labels without a size. */
const char *symbols_lookup(vaddr_t address, uint64_t *offset)
{
    const struct elf_symbol *best = NULL;
    for (uint64_t i = 0; i < table.n; i++) {
        const struct elf_symbol *symbol = &table.symbols[i];
        if (!is_code_label(symbol) || symbol->value > address)
            continue;
        if (symbol->size && address - symbol->value >= symbol->size)
            continue;
        if (!best || symbol->value > best->value)
            best = symbol;
    }
    if (!best)
        return NULL;
    *offset = address - best->value;
    return table.names + best->name;
}
