/* SPDX-License-Identifier: BSD-2-Clause */
/* Small kernel files, made byte by byte, for the tests of the loaders. Include once per test. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/guest/layout.h"
#include "core/guest/memory.h"
#include "core/image/image.h"

enum { FILE_MAX = 0x8000, MB = 1 << 20 };

static uint8_t file[FILE_MAX];
static struct guest_memory ram;
static struct guest_start start;
static struct image_info info;
static struct image_error error;

static void set(size_t offset, uint64_t value, size_t bytes)
{
    memcpy(file + offset, &value, bytes);
}

/* A file that begins with ELF headers; segments are added one by one. */
static bool elf64;

static inline void begin_elf(bool is_64, uint64_t entry)
{
    memset(file, 0, sizeof(file));
    elf64 = is_64;
    memcpy(file, "\177ELF\0\1\1", 7);
    set(4, is_64 ? 2 : 1, 1);
    set(16, 2, 2);
    set(18, is_64 ? 62 : 3, 2);
    set(20, 1, 4);
    set(24, entry, is_64 ? 8 : 4);
    set(is_64 ? 32 : 28, is_64 ? 64 : 52, is_64 ? 8 : 4);
    set(is_64 ? 54 : 42, is_64 ? 56 : 32, 2);
}

static inline void add_segment(uint32_t type, uint64_t offset, uint64_t vaddr, uint64_t paddr,
                               uint64_t file_size, uint64_t memory_size)
{
    size_t count_at = elf64 ? 56 : 44;
    uint16_t count;

    memcpy(&count, file + count_at, 2);
    size_t at = elf64 ? 64 + count * 56U : 52 + count * 32U;
    set(count_at, count + 1U, 2);
    set(at, type, 4);
    if (elf64) {
        const uint64_t fields[] = {offset, vaddr, paddr, file_size, memory_size};
        memcpy(file + at + 8, fields, sizeof(fields));
    } else {
        const uint32_t fields[] = {(uint32_t)offset, (uint32_t)vaddr, (uint32_t)paddr,
                                   (uint32_t)file_size, (uint32_t)memory_size};
        memcpy(file + at + 4, fields, sizeof(fields));
    }
}

/* Recognisable contents: a byte per position. */
static inline void fill(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        file[i] = (uint8_t)(i * 7 + i / 256);
}

static struct image_boot boot_of(size_t size, uint64_t memory)
{
    return (struct image_boot){
        .kernel = {.name = "k", .data = file, .size = size},
        .memory = memory,
        .rsdp = 0xe0000,
    };
}

/* image_check() on a heap copy of exactly the file's size, so that the sanitizer guards its end. */
static bool check_copy(const struct image_boot *boot)
{
    struct image_boot copy = *boot;
    uint8_t *data = malloc(boot->kernel.size ? boot->kernel.size : 1);

    memcpy(data, boot->kernel.data, boot->kernel.size);
    copy.kernel.data = data;
    memset(&error, 0, sizeof(error));
    bool good = image_check(&copy, &info, &error);
    free(data);
    return good;
}

#define REFUSED(boot, message)                                                                     \
    do {                                                                                           \
        assert_false(check_copy(boot));                                                            \
        assert_string_equal(error.text, message);                                                  \
    } while (0)

#define ACCEPTED(boot)                                                                             \
    do {                                                                                           \
        if (!check_copy(boot))                                                                     \
            fail_msg("%s", error.text);                                                            \
    } while (0)

/* Whatever the file is cut to, or gets for one of its first bytes, there is an orderly verdict. */
#define DAMAGED(boot, good_size, bytes_to_change)                                                  \
    do {                                                                                           \
        struct image_boot damaged = *(boot);                                                       \
        for (damaged.kernel.size = 0; damaged.kernel.size < (good_size); damaged.kernel.size++) {  \
            assert_false(check_copy(&damaged));                                                    \
            assert_memory_equal(error.text, "kernel 'k': ", 12);                                   \
        }                                                                                          \
        damaged.kernel.size = (good_size);                                                         \
        for (size_t at = 0; at < (bytes_to_change); at++) {                                        \
            uint8_t before = file[at];                                                             \
            for (int bit = 0; bit < 8; bit++) {                                                    \
                file[at] = before ^ (uint8_t)(1 << bit);                                           \
                assert_true(check_copy(&damaged) || !memcmp(error.text, "kernel 'k': ", 12));      \
            }                                                                                      \
            file[at] = before;                                                                     \
        }                                                                                          \
    } while (0)

static void make_ram(uint64_t memory)
{
    memset(&ram, 0, sizeof(ram));
    gm_add(&ram, 0, guest_low_ram(memory), calloc(1, guest_low_ram(memory)));
}

static void free_ram(void)
{
    for (uint32_t i = 0; i < ram.count; i++)
        free(ram.slots[i].hva);
}

static uint64_t peek(uint64_t gpa, size_t bytes)
{
    uint64_t value = 0;

    return gm_read(&ram, gpa, &value, bytes) ? value : UINT64_MAX;
}

static inline const char *peek_text(uint64_t gpa)
{
    const char *text = gm_ptr(&ram, gpa, 1);

    return text ? text : "(not in RAM)";
}

#define LOADED(boot)                                                                               \
    do {                                                                                           \
        make_ram((boot)->memory);                                                                  \
        if (!image_load(boot, &ram, &start, &error))                                               \
            fail_msg("%s", error.text);                                                            \
    } while (0)
