/* SPDX-License-Identifier: BSD-2-Clause */
/* The Multiboot 2 loader: every refusal, and what a kernel finds when it starts.
 * links: core/image/image.c core/image/plan.c core/image/elf.c core/image/linux.c
 * links: core/image/multiboot.c core/image/start32.c core/image/flat.c
 * links: core/image/firmware.c core/image/pvh.c
 * links: core/image/multiboot2.c core/guest/layout.c core/guest/memory.c core/format.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/host/image_builder.h"

enum {
    HEADER_AT = 0x1000,
    KERNEL_SIZE = 0x1800,
    FLAT_SIZE = 0x800,
    FLAT_HEADER_AT = 0x40,
    OPTIONAL = 1,
};

static uint8_t module_bytes[2][0x1234];
static size_t header, next_tag;

static void end_header(void)
{
    size_t length = next_tag + 8 - header;

    set(next_tag, 0, 4);
    set(next_tag + 4, 8, 4);
    set(header + 8, length, 4);
    set(header + 12, -(0xe85250d6U + (uint32_t)length), 4);
}

static void begin_header(size_t at)
{
    header = at;
    next_tag = at + 16;
    set(at, 0xe85250d6, 4);
    set(at + 4, 0, 4);
    end_header();
}

static void add_tag(uint16_t type, uint16_t flags, const uint32_t *words, size_t count)
{
    set(next_tag, type, 2);
    set(next_tag + 2, flags, 2);
    set(next_tag + 4, 8 + count * 4, 4);
    for (size_t i = 0; i < count; i++)
        set(next_tag + 8 + i * 4, words[i], 4);
    next_tag += (8 + count * 4 + 7) / 8 * 8;
    end_header();
}

#define TAG(type, flags, ...)                                                                      \
    add_tag(type, flags, (const uint32_t[]){__VA_ARGS__},                                          \
            sizeof((const uint32_t[]){__VA_ARGS__}) / 4)

static void build_kernel(bool is_64)
{
    begin_elf(is_64, 0x100020);
    add_segment(1, 0x1000, 0x100000, 0x100000, 0x800, 0x2345);
    fill(0x1000, KERNEL_SIZE);
    begin_header(HEADER_AT);
}

/* No ELF file: 0x20 bytes that are not loaded, then the image, with its header near the start. */
static void build_flat_kernel(uint32_t header_address, uint32_t load, uint32_t load_end,
                              uint32_t bss_end)
{
    memset(file, 0, sizeof(file));
    fill(0x20, FLAT_SIZE);
    begin_header(FLAT_HEADER_AT);
    TAG(2, 0, header_address, load, load_end, bss_end);
    TAG(3, 0, 0x200100);
}

static struct image_boot with_modules(struct image_boot boot)
{
    boot.module_count = 2;
    for (unsigned i = 0; i < 2; i++) {
        memset(module_bytes[i], 'a' + (int)i, sizeof(module_bytes[i]));
        boot.modules[i] = (struct image_file){
            .name = "m",
            .args = i ? "two words" : NULL,
            .data = module_bytes[i],
            .size = sizeof(module_bytes[i]),
        };
    }
    return boot;
}

static void refusals(void **state)
{
    struct image_boot boot = boot_of(KERNEL_SIZE, 16 * MB);

    (void)state;
    build_kernel(false);
    boot.kernel.size = KERNEL_SIZE - 1;
    REFUSED(&boot, "kernel 'k': truncated: segment 1 needs 0x800 bytes from 0x1000 on, the file "
                   "has 0x17ff bytes");
    boot.kernel.size = KERNEL_SIZE;
    boot.initrd = (struct image_file){.name = "i", .data = module_bytes[0], .size = 1};
    REFUSED(&boot, "kernel 'k': a Multiboot 2 kernel takes no initrd; expected a module");
    boot.initrd.data = NULL;
    set(HEADER_AT + 4, 4, 4);
    set(HEADER_AT + 12, -(0xe85250d6U + 4 + 24), 4);
    REFUSED(&boot, "kernel 'k': Multiboot 2 header for architecture 4; expected 0, for i386");
    build_kernel(false);
    memset(file, 0, 4);
    REFUSED(&boot, "kernel 'k': Multiboot 2 kernel without an address tag; expected an ELF file");
    build_kernel(false);
    TAG(3, 0, 0x100800);
    REFUSED(&boot, "kernel 'k': the entry point 0x100800 is in no segment");
    build_kernel(false);
    TAG(2, 0, 0x100000, 0x100000, 0, 0);
    REFUSED(&boot, "kernel 'k': Multiboot 2 header with an address tag; expected an entry address "
                   "tag, too");
}

static void header_refusals(void **state)
{
    struct image_boot boot = boot_of(KERNEL_SIZE, 16 * MB);

    (void)state;
    build_kernel(false);
    boot.kernel.size = HEADER_AT + 0x17;
    REFUSED(&boot, "kernel 'k': truncated: the Multiboot 2 header needs 0x18 bytes from 0x1000 on, "
                   "the file has 0x1017");
    boot.kernel.size = KERNEL_SIZE;
    TAG(6, 0);
    set(HEADER_AT + 16 + 4, 7, 4); /* a size that the tag itself does not have */
    REFUSED(&boot, "kernel 'k': Multiboot 2 header of 0x20 bytes whose tag at 0x10 does not fit");
    set(HEADER_AT + 16 + 4, 17, 4);
    REFUSED(&boot, "kernel 'k': Multiboot 2 header of 0x20 bytes whose tag at 0x10 does not fit");
    set(HEADER_AT + 16 + 4, 16, 4); /* just over the end tag */
    REFUSED(&boot, "kernel 'k': Multiboot 2 header of 0x20 bytes whose tag at 0x20 does not fit");
    build_kernel(false);
    TAG(2, 0, 0, 0, 0);
    REFUSED(&boot, "kernel 'k': Multiboot 2 header tag 2 of 20 bytes; expected at least 24");
    build_kernel(false);
    TAG(3, 0);
    REFUSED(&boot, "kernel 'k': Multiboot 2 header tag 3 of 8 bytes; expected at least 12");
}

/* What a tag demands, and what of it there is; all may be wished for. */
static void demands(void **state)
{
    static const struct {
        uint16_t type;
        uint32_t word;
        const char *message;
    } tags[] = {
        {1, 21, NULL},
        {1, 22,
         "kernel 'k': Multiboot 2 header that demands information of type 22; expected at most "
         "21"},
        {4, 2, NULL},
        {4, 3,
         "kernel 'k': Multiboot 2 header that demands what its tag 4 describes, a screen; there is "
         "none"},
        {5, 1024, NULL},
        {6, 0, NULL},
        {7, 0,
         "kernel 'k': Multiboot 2 header that demands what its tag 7 describes; there is none"},
        {8, 0, NULL},
        {9, 0, NULL},
        {10, 0, NULL},
        {11, 0,
         "kernel 'k': Multiboot 2 header that demands what its tag 11 describes; there is none"},
    };
    struct image_boot boot = boot_of(KERNEL_SIZE, 16 * MB);

    (void)state;
    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        build_kernel(false);
        TAG(tags[i].type, 0, tags[i].word);
        if (tags[i].message)
            REFUSED(&boot, tags[i].message);
        else
            ACCEPTED(&boot);
        build_kernel(false);
        TAG(tags[i].type, OPTIONAL, tags[i].word);
        ACCEPTED(&boot);
    }
}

/* The header counts only if it begins on a boundary of 8 and ends within the first 32 KiB. */
static void header_position(void **state)
{
    static const struct {
        size_t at;
        bool found;
    } places[] = {{0, true}, {32744, true}, {32760, false}, {0x304, false}};

    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        static uint8_t large[0x9000];
        struct image_boot boot = boot_of(sizeof(large), 16 * MB);
        static const uint32_t words[] = {0xe85250d6, 0, 24, -(0xe85250d6U + 24), 0, 8};
        memset(large, 0, sizeof(large));
        memcpy(large + places[i].at, words, sizeof(words));
        boot.kernel.data = large;
        assert_false(check_copy(&boot));
        assert_int_equal(!strstr(error.text, "unknown format"), places[i].found);
    }
}

static void flat_refusals(void **state)
{
    struct image_boot boot = boot_of(FLAT_SIZE, 16 * MB);

    (void)state;
    build_flat_kernel(0x200041, 0x200000, 0, 0);
    REFUSED(&boot, "kernel 'k': Multiboot header at 0x40 in the file says it is loaded to "
                   "0x200041, in an image that starts at 0x200000");
    build_flat_kernel(0x20, 0xffffffff, 0, 0);
    REFUSED(&boot, "kernel 'k': Multiboot header at 0x40 in the file says it is loaded to 0x20, in "
                   "an image that starts at 0xffffffffffffffe0");
    build_flat_kernel(0x200020, 0x200000, 0x2007e1, 0);
    REFUSED(&boot, "kernel 'k': truncated: the Multiboot header loads 0x200000-0x2007e1 from 0x20 "
                   "on, the file has 0x800 bytes");
}

static void damaged_files(void **state)
{
    struct image_boot boot = boot_of(0, 16 * MB);

    (void)state;
    build_kernel(true);
    TAG(1, 0, 4, 6);
    DAMAGED(&boot, KERNEL_SIZE, 0x80);
    build_flat_kernel(0x200020, 0x200000, 0x2007e0, 0);
    DAMAGED(&boot, FLAT_SIZE, 0x80);
}

/* The tag of a type in the information, from `at` on; 0: there is none. */
static uint64_t find_tag(uint64_t at, uint32_t type)
{
    uint64_t end = start.rbx + peek(start.rbx, 4);

    while (at < end && peek(at, 4) != 0) {
        if (peek(at, 4) == type)
            return at;
        at += (peek(at + 4, 4) + 7) & ~7ULL;
    }
    assert_int_equal(at, end - 8);
    assert_int_equal(peek(at + 4, 4), 8);
    return 0;
}

static uint64_t tag(uint32_t type)
{
    uint64_t at = find_tag(start.rbx + 8, type);

    assert_int_not_equal(at, 0);
    return at;
}

static void check_memory(uint64_t memory)
{
    struct guest_map_entry map[GUEST_MAP_MAX];
    size_t count = guest_memory_map(memory, map);
    uint64_t at = tag(6);

    assert_int_equal(peek(tag(4) + 4, 4), 16);
    assert_int_equal(peek(tag(4) + 8, 4), 639);
    assert_int_equal(peek(tag(4) + 12, 4), memory / 1024 - 1024);
    assert_int_equal(peek(at + 4, 4), 16 + count * 24);
    assert_int_equal(peek(at + 8, 8), 24);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(peek(at + 16 + i * 24, 8), map[i].gpa);
        assert_int_equal(peek(at + 24 + i * 24, 8), map[i].size);
        assert_int_equal(peek(at + 32 + i * 24, 8), map[i].type);
    }
}

static uint64_t check_module(uint64_t from, unsigned index, const char *text)
{
    uint64_t at = find_tag(from, 3);
    uint64_t gpa = peek(at + 8, 4), size = sizeof(module_bytes[0]);

    assert_int_not_equal(at, 0);
    assert_int_equal(peek(at + 4, 4), 16 + strlen(text) + 1);
    assert_int_equal(gpa & 0xfff, 0);
    assert_true(gpa >= 0x102345);
    assert_int_equal(peek(at + 12, 4) - gpa, size);
    assert_memory_equal(gm_ptr(&ram, gpa, size), module_bytes[index], size);
    assert_string_equal(peek_text(at + 16), text);
    return at + ((peek(at + 4, 4) + 7) & ~7ULL);
}

static void check_rsdp(void)
{
    assert_int_equal(peek(tag(14) + 4, 4), 8 + 20);
    assert_memory_equal(gm_ptr(&ram, tag(14) + 8, 20), "RSD PTR ............", 20);
    assert_int_equal(peek(tag(15) + 4, 4), 8 + 36);
    assert_memory_equal(gm_ptr(&ram, tag(15) + 8, 36), "RSD PTR ............Rest of 2.0 ....", 36);
}

/* As LOADED(), with an RSDP in the guest's memory. */
static void load(const struct image_boot *boot)
{
    make_ram(boot->memory);
    assert_true(gm_write(&ram, 0xe0000, "RSD PTR ............Rest of 2.0 ....", 36));
    if (!image_load(boot, &ram, &start, &error))
        fail_msg("%s", error.text);
}

static void load_elf(void **state)
{
    (void)state;
    for (int is_64 = 0; is_64 < 2; is_64++) {
        struct image_boot boot = with_modules(boot_of(KERNEL_SIZE, 16 * MB));

        build_kernel(is_64);
        boot.kernel.args = "a b=c";
        ACCEPTED(&boot);
        assert_int_equal(info.format, IMAGE_MULTIBOOT2);
        load(&boot);
        assert_int_equal(start.mode, GUEST_ENTRY_PROTECTED32);
        assert_int_equal(start.rip, 0x100020);
        assert_int_equal(start.rax, 0x36d76289);
        assert_int_equal(start.rbx & 7, 0);
        assert_int_equal(peek(start.gdt_base + 8, 8), 0x00cf9b000000ffff);
        assert_memory_equal(gm_ptr(&ram, 0x100000, 0x800), file + 0x1000, 0x800);
        assert_int_equal(peek(start.rbx + 4, 4), 0);
        assert_string_equal(peek_text(tag(1) + 8), "a b=c");
        assert_int_equal(peek(tag(1) + 4, 4), 8 + 6);
        assert_string_equal(peek_text(tag(2) + 8), "Lapwing");
        check_memory(16 * MB);
        uint64_t next = check_module(start.rbx + 8, 0, "");
        next = check_module(next, 1, "two words");
        assert_int_equal(find_tag(next, 3), 0);
        check_rsdp();
        free_ram();
    }
}

static void load_alone(void **state)
{
    struct image_boot boot = boot_of(KERNEL_SIZE, 16 * MB);

    (void)state;
    build_kernel(false);
    TAG(3, 0, 0x100060); /* instead of the ELF header's */
    load(&boot);
    assert_int_equal(start.rip, 0x100060);
    assert_string_equal(peek_text(tag(1) + 8), "");
    assert_int_equal(find_tag(start.rbx + 8, 3), 0);
    free_ram();
}

static void load_flat(void **state)
{
    struct image_boot boot = boot_of(FLAT_SIZE, 16 * MB);

    (void)state;
    build_flat_kernel(0x200020, 0x200000, 0, 0x201000);
    load(&boot);
    assert_int_equal(start.rip, 0x200100);
    assert_memory_equal(gm_ptr(&ram, 0x200000, FLAT_SIZE - 0x20), file + 0x20, FLAT_SIZE - 0x20);
    assert_int_equal(peek(0x200000 + FLAT_SIZE - 0x20, 4), 0);
    free_ram();
    build_flat_kernel(0x200040, 0xffffffff, 0, 0); /* the whole file */
    load(&boot);
    assert_memory_equal(gm_ptr(&ram, 0x200000, FLAT_SIZE), file, FLAT_SIZE);
    free_ram();
}

/* Room is taken for exactly what is written: the end tag is the block's last. */
static void information_size(void **state)
{
    static char args[0x2000];
    bool seen[2] = {false};

    (void)state;
    for (size_t length = 3700; length < 3800; length++) {
        struct image_boot boot = with_modules(boot_of(KERNEL_SIZE, 16 * MB));

        begin_elf(false, 0x11000);
        add_segment(1, 0x1000, 0x11000, 0x11000, 0x800, 0x1000);
        begin_header(HEADER_AT);
        memset(args, 'x', length);
        args[length] = '\0';
        boot.kernel.args = args;
        load(&boot);
        uint64_t end = start.rbx + peek(start.rbx, 4);
        /* With one line of the map more, which this memory does not have, it would still fit. */
        bool fits = (end & 0xfff) + 24 <= 0x1000 && end - start.gdt_base < 0x1000;
        assert_int_equal(start.gdt_base, fits ? 0x10000 : 0x12000);
        seen[fits] = true;
        assert_memory_equal(gm_ptr(&ram, 0x11000, 0x800), file + 0x1000, 0x800);
        free_ram();
    }
    assert_true(seen[0] && seen[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),      cmocka_unit_test(header_refusals),
        cmocka_unit_test(demands),       cmocka_unit_test(header_position),
        cmocka_unit_test(flat_refusals), cmocka_unit_test(damaged_files),
        cmocka_unit_test(load_elf),      cmocka_unit_test(load_alone),
        cmocka_unit_test(load_flat),     cmocka_unit_test(information_size),
    };
    return cmocka_run_group_tests_name("Multiboot 2", tests, NULL, NULL);
}
