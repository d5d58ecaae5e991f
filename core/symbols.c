/* SPDX-License-Identifier: BSD-2-Clause */
/* Searches the table of functions. */
#include "core/symbols.h"

#include "core/string.h"

enum { DIGITS = 16 };

static struct {
    const char *first, *end;
} table;

void symbols_init(const char *first, uint64_t size)
{
    table.first = first;
    table.end = first + size;
}

static vaddr_t parse_address(const char *digits)
{
    vaddr_t address = 0;

    for (int i = 0; i < DIGITS; i++) {
        char c = digits[i];

        address = address << 4 | (vaddr_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return address;
}

const char *symbols_lookup(vaddr_t address, uint64_t *offset)
{
    const char *name = NULL;

    for (const char *entry = table.first; entry < table.end; entry += strlen(entry) + 1) {
        vaddr_t start = parse_address(entry);

        if (start > address)
            break;
        *offset = address - start;
        name = entry + DIGITS + 1;
    }
    return name;
}
