/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF kernels with a PVH note: finding it, and what the kernel is told.
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
    KERNEL_SIZE = 0x1800,
    NOTE_AT = 0x800,
    NOTES_SIZE = 0x3c,
    PVH_NOTE_AT = NOTE_AT + 0x28, /* behind two others */
    ENTRY = 0x100040,
    INFO = 0x10000, /* the first page that may have it */
};

static uint8_t module_bytes[2][0x1234];

static size_t add_note(size_t at, const char *name, uint32_t type, uint64_t contents, size_t bytes)
{
    size_t length = strlen(name) + 1;

    set(at, length, 4);
    set(at + 4, bytes, 4);
    set(at + 8, type, 4);
    memcpy(file + at + 12, name, length);
    at += 12 + (length + 3) / 4 * 4;
    set(at, contents, bytes);
    return at + (bytes + 3) / 4 * 4;
}

/* The file's own entry point is of no use, as in kernels that nothing else starts. */
static void build_kernel(bool is_64)
{
    begin_elf(is_64, 0);
    add_segment(1, 0x1000, 0x100000, 0x100000, 0x800, 0x2345);
    add_segment(4, NOTE_AT, 0, 0, NOTES_SIZE, NOTES_SIZE);
    fill(0x1000, KERNEL_SIZE);
    size_t at = add_note(NOTE_AT, "GNU", 18, 0x300000, 4);
    at = add_note(at, "Xen", 17, 0x7, 1);
    assert_int_equal(at, PVH_NOTE_AT);
    at = add_note(at, "Xen", 18, ENTRY, is_64 ? 8 : 4);
    assert_true(at <= NOTE_AT + NOTES_SIZE + 4);
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

#define NO_NOTE                                                                                    \
    "kernel 'k': ELF file of 32 bits without a Multiboot header or a PVH note; expected Linux "    \
    "bzImage, vmlinux ELF, PVH or Multiboot"

static void no_note(void **state)
{
    static const struct {
        size_t at;
        uint32_t value;
    } changes[] = {
        {PVH_NOTE_AT + 8, 19}, /* another type */
        {PVH_NOTE_AT + 12, 0x006f6558} /* "Xeo" */,
        {PVH_NOTE_AT, 5},           /* a longer name */
        {PVH_NOTE_AT + 4, 3},       /* too few bytes for an address */
        {NOTE_AT, 0x1000},          /* a name that leads out of the segment */
        {NOTE_AT + 4, 0xffffffff},  /* contents that do */
        {52 + 32 + 4, KERNEL_SIZE}, /* a segment outside of the file */
        {52 + 32 + 16, 0x38},       /* one that ends within the contents */
        {52 + 32, 1 << 31 | 4},     /* no segment of notes */
    };
    struct image_boot boot = boot_of(KERNEL_SIZE, 16 * MB);

    (void)state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        build_kernel(false);
        ACCEPTED(&boot);
        set(changes[i].at, changes[i].value, 4);
        REFUSED(&boot, NO_NOTE);
    }
}

static void refusals(void **state)
{
    struct image_boot boot = boot_of(KERNEL_SIZE, 16 * MB);

    (void)state;
    build_kernel(false);
    set(PVH_NOTE_AT + 16, 0x100800, 4); /* behind what the file has of the segment */
    REFUSED(&boot, "kernel 'k': the entry point 0x100800 is in no segment");
    build_kernel(false);
    boot.initrd = (struct image_file){.name = "i", .data = module_bytes[0], .size = 1};
    REFUSED(&boot, "kernel 'k': a PVH kernel takes no initrd; expected a module");
    boot.initrd.data = NULL;
    boot.kernel.size--;
    REFUSED(&boot, "kernel 'k': truncated: segment 1 needs 0x800 bytes from 0x1000 on, the file "
                   "has 0x17ff bytes");
    boot = with_modules(boot_of(KERNEL_SIZE, 16 * MB));
    boot.modules[1].size = 0;
    REFUSED(&boot, "module 'm': the file is empty");
}

static void damaged_files(void **state)
{
    struct image_boot boot = boot_of(KERNEL_SIZE, 16 * MB);

    (void)state;
    build_kernel(false);
    DAMAGED(&boot, KERNEL_SIZE, NOTE_AT + NOTES_SIZE);
    build_kernel(true);
    DAMAGED(&boot, KERNEL_SIZE, NOTE_AT + NOTES_SIZE);
}

/* Linux is started by its own protocol, and Multiboot headers come first. */
static void other_formats_win(void **state)
{
    struct image_boot boot = boot_of(KERNEL_SIZE, 16 * MB);

    (void)state;
    build_kernel(true);
    ACCEPTED(&boot);
    assert_int_equal(info.format, IMAGE_PVH);
    set(64 + 16, 0xffffffff81000000, 8);
    set(24, 0x100000, 8);
    ACCEPTED(&boot);
    assert_int_equal(info.format, IMAGE_LINUX_VMLINUX);
    set(0x1000, 0x1badb002, 4);
    set(0x1004, 0, 4);
    set(0x1008, -0x1badb002U, 4);
    ACCEPTED(&boot);
    assert_int_equal(info.format, IMAGE_MULTIBOOT1);
}

static void check_memory_map(uint64_t memory)
{
    struct guest_map_entry map[GUEST_MAP_MAX];
    size_t count = guest_memory_map(memory, map);
    uint64_t at = peek(start.rbx + 40, 8);

    assert_int_equal(peek(start.rbx + 48, 4), count);
    assert_int_equal(peek(start.rbx + 52, 4), 0);
    for (size_t i = 0; i < count; i++, at += 24) {
        assert_int_equal(peek(at, 8), map[i].gpa);
        assert_int_equal(peek(at + 8, 8), map[i].size);
        assert_int_equal(peek(at + 16, 4), map[i].type);
        assert_int_equal(peek(at + 20, 4), 0);
    }
}

static void check_module(unsigned index, const char *text)
{
    uint64_t at = peek(start.rbx + 16, 8) + index * 32;
    uint64_t gpa = peek(at, 8);

    assert_int_equal(gpa & 0xfff, 0);
    assert_true(gpa >= 0x102345);
    assert_int_equal(peek(at + 8, 8), sizeof(module_bytes[0]));
    assert_memory_equal(gm_ptr(&ram, gpa, sizeof(module_bytes[0])), module_bytes[index],
                        sizeof(module_bytes[0]));
    assert_string_equal(peek_text(peek(at + 16, 8)), text);
    assert_int_equal(peek(at + 24, 8), 0);
}

static void load(void **state)
{
    (void)state;
    for (int is_64 = 0; is_64 < 2; is_64++) {
        struct image_boot boot = with_modules(boot_of(KERNEL_SIZE, 16 * MB));

        build_kernel(is_64);
        boot.kernel.args = "a b=c";
        LOADED(&boot);
        assert_int_equal(start.mode, GUEST_ENTRY_PROTECTED32);
        assert_int_equal(start.rip, ENTRY);
        assert_int_equal(start.rax, 0);
        assert_int_equal(start.rbx, INFO);
        assert_int_equal(start.cs, 8);
        assert_int_equal(peek(start.gdt_base + 8, 8), 0x00cf9b000000ffff);
        assert_memory_equal(gm_ptr(&ram, 0x100000, 0x800), file + 0x1000, 0x800);
        assert_int_equal(peek(INFO, 4), 0x336ec578);
        assert_int_equal(peek(INFO + 4, 4), 1);
        assert_int_equal(peek(INFO + 8, 4), 0);
        assert_int_equal(peek(INFO + 12, 4), 2);
        assert_string_equal(peek_text(peek(INFO + 24, 8)), "a b=c");
        assert_int_equal(peek(INFO + 32, 8), 0xe0000);
        check_memory_map(16 * MB);
        check_module(0, "");
        check_module(1, "two words");
        free_ram();
    }
}

static void load_alone(void **state)
{
    struct image_boot boot = boot_of(KERNEL_SIZE, 16 * MB);

    (void)state;
    build_kernel(false);
    LOADED(&boot);
    assert_int_equal(peek(INFO + 12, 4), 0);
    assert_int_equal(peek(INFO + 16, 8), 0);
    assert_string_equal(peek_text(peek(INFO + 24, 8)), "");
    free_ram();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_note),       cmocka_unit_test(refusals),
        cmocka_unit_test(damaged_files), cmocka_unit_test(other_formats_win),
        cmocka_unit_test(load),          cmocka_unit_test(load_alone),
    };
    return cmocka_run_group_tests_name("PVH", tests, NULL, NULL);
}
