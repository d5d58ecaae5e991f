/* SPDX-License-Identifier: BSD-2-Clause */
/* Symbol look-up in this very test's ELF file, whole and damaged. links: core/symbols.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/symbols.h"

enum { FUZZ_ROUNDS = 2000 };

static char *file;
static size_t file_size;

static int load_self(void **state)
{
    FILE *self = fopen("/proc/self/exe", "rb");
    (void)state;
    assert_non_null(self);
    assert_int_equal(fseek(self, 0, SEEK_END), 0);
    file_size = (size_t)ftell(self);
    rewind(self);
    file = malloc(file_size);
    assert_non_null(file);
    assert_int_equal(fread(file, 1, file_size, self), file_size);
    fclose(self);
    return 0;
}

static int drop_self(void **state)
{
    (void)state;
    free(file);
    return 0;
}

/* A function of this file, found the long way. */
static const Elf64_Sym *symbol_of(const char *name)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)file;
    const Elf64_Shdr *sections = (const Elf64_Shdr *)(file + header->e_shoff);
    for (int i = 0; i < header->e_shnum; i++) {
        if (sections[i].sh_type != SHT_SYMTAB)
            continue;
        const Elf64_Sym *symbols = (const Elf64_Sym *)(file + sections[i].sh_offset);
        const char *names = file + sections[sections[i].sh_link].sh_offset;
        for (size_t j = 0; j < sections[i].sh_size / sizeof(*symbols); j++) {
            if (strcmp(names + symbols[j].st_name, name) == 0)
                return &symbols[j];
        }
    }
    fail();
    return NULL;
}

static uint64_t address_of(const char *name)
{
    return symbol_of(name)->st_value;
}

static void nothing_is_found_without_a_file(void **state)
{
    uint64_t offset;
    (void)state;
    symbols_init(file, 10);
    assert_null(symbols_lookup(address_of("main"), &offset));
    symbols_init(file + 1, file_size - 1);
    assert_null(symbols_lookup(address_of("main"), &offset));
}

static void functions_are_found_by_any_address_inside(void **state)
{
    uint64_t offset = 99;
    (void)state;
    symbols_init(file, file_size);
    assert_string_equal(symbols_lookup(address_of("main"), &offset), "main");
    assert_int_equal(offset, 0);
    assert_string_equal(symbols_lookup(address_of("symbols_lookup") + 5, &offset),
                        "symbols_lookup");
    assert_int_equal(offset, 5);
    assert_null(symbols_lookup(0, &offset));
}

/* What comes next may be padding, which is of no function, or another function. */
static void a_function_ends_where_its_size_says(void **state)
{
    static const char *const names[] = {"main", "symbols_lookup", "symbols_init"};
    (void)state;
    symbols_init(file, file_size);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const Elf64_Sym *symbol = symbol_of(names[i]);
        uint64_t offset;
        const char *last = symbols_lookup(symbol->st_value + symbol->st_size - 1, &offset);
        assert_string_equal(last, names[i]);
        const char *next = symbols_lookup(symbol->st_value + symbol->st_size, &offset);
        assert_true(!next || strcmp(next, names[i]) != 0);
    }
}

static void a_damaged_file_is_survived(void **state)
{
    char *copy = malloc(file_size);
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)file;
    uint64_t main_address = address_of("main");
    (void)state;
    assert_non_null(copy);
    srand(1);
    for (int round = 0; round < FUZZ_ROUNDS; round++) {
        uint64_t offset;
        memcpy(copy, file, file_size);
        size_t tables = header->e_shnum * sizeof(Elf64_Shdr);
        for (int i = 0; i < 8; i++)
            copy[header->e_shoff + (size_t)rand() % tables] = (char)rand();
        copy[(size_t)rand() % sizeof(*header)] = (char)rand();
        symbols_init(copy, file_size);
        const char *name = symbols_lookup(main_address, &offset);
        if (name)
            assert_true(strlen(name) < file_size);
    }
    symbols_init(file, file_size);
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_found_without_a_file),
        cmocka_unit_test(functions_are_found_by_any_address_inside),
        cmocka_unit_test(a_function_ends_where_its_size_says),
        cmocka_unit_test(a_damaged_file_is_survived),
    };
    return cmocka_run_group_tests(tests, load_self, drop_self);
}
