/* SPDX-License-Identifier: BSD-2-Clause */
/* The Multiboot loader: every refusal, and what a kernel finds when it starts.
 * links: core/image/image.c core/image/plan.c core/image/elf.c core/image/linux.c
 * links: core/image/multiboot.c core/image/start32.c core/image/flat.c core/image/firmware.c
 * links: core/image/pvh.c
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
};

static uint8_t module_bytes[2][0x1234];

static void add_multiboot_header(size_t at, uint32_t flags)
{
    set(at, 0x1badb002, 4);
    set(at + 4, flags, 4);
    set(at + 8, -(0x1badb002 + flags), 4);
}

static void build_kernel(bool is_64)
{
    begin_elf(is_64, 0x100020);
    add_segment(1, 0x1000, 0x100000, 0x100000, 0x800, 0x2345);
    fill(0x1000, KERNEL_SIZE);
    add_multiboot_header(HEADER_AT, 3);
}

/* No ELF file: 0x20 bytes that are not loaded, then the image, with its header near the start. */
static void build_flat_kernel(uint32_t load_end, uint32_t bss_end)
{
    memset(file, 0, sizeof(file));
    fill(0x20, FLAT_SIZE);
    add_multiboot_header(FLAT_HEADER_AT, 0x10003);
    set(FLAT_HEADER_AT + 12, 0x200020, 4); /* header_addr */
    set(FLAT_HEADER_AT + 16, 0x200000, 4); /* load_addr */
    set(FLAT_HEADER_AT + 20, load_end, 4);
    set(FLAT_HEADER_AT + 24, bss_end, 4);
    set(FLAT_HEADER_AT + 28, 0x200100, 4); /* entry_addr */
}

static struct image_boot with_modules(struct image_boot boot)
{
    static const char *const args[] = {NULL, "two words"};

    boot.module_count = 2;
    for (unsigned i = 0; i < 2; i++) {
        memset(module_bytes[i], 'a' + (int)i, sizeof(module_bytes[i]));
        boot.modules[i] = (struct image_file){
            .name = i ? "m1" : "m0",
            .args = args[i],
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
    add_multiboot_header(HEADER_AT, 0xb);
    REFUSED(&boot, "kernel 'k': Multiboot header with flags 0xb; expected none of the low 16 but "
                   "0x7");
    add_multiboot_header(HEADER_AT, 7);
    ACCEPTED(&boot);
    add_multiboot_header(HEADER_AT, 0x8000);
    REFUSED(&boot, "kernel 'k': Multiboot header with flags 0x8000; expected none of the low 16 "
                   "but 0x7");
    add_multiboot_header(HEADER_AT, 0);
    boot.initrd = (struct image_file){.name = "i", .data = module_bytes[0], .size = 1};
    REFUSED(&boot, "kernel 'k': a Multiboot 1 kernel takes no initrd; expected a module");
    boot.initrd.data = NULL;
    set(HEADER_AT + 8, 0, 4); /* checksum */
    REFUSED(&boot, "kernel 'k': ELF file of 32 bits without a Multiboot header or a PVH note; "
                   "expected Linux bzImage, vmlinux ELF, PVH or Multiboot");
    file[0] = 0;
    add_multiboot_header(HEADER_AT, 0);
    REFUSED(&boot, "kernel 'k': Multiboot kernel without address fields; expected an ELF file");
    build_kernel(false);
    set(18, 40, 2);
    REFUSED(&boot, "kernel 'k': ELF file of class 1, data encoding 1, type 2, machine 40; expected "
                   "a little-endian executable (type 2) for x86");
}

/* The header counts only if it ends within the first 8192 bytes, on a boundary of 4. */
static void header_position(void **state)
{
    static const struct {
        size_t at;
        bool found;
    } places[] = {{0, true}, {8180, true}, {8184, false}, {8182, false}, {0x302, false}};

    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct image_boot boot = boot_of(0x4000, 16 * MB);
        memset(file, 0, sizeof(file));
        add_multiboot_header(places[i].at, 0);
        assert_false(check_copy(&boot));
        assert_int_equal(!strstr(error.text, "unknown format"), places[i].found);
    }
}

static void flat_refusals(void **state)
{
    struct image_boot boot = boot_of(FLAT_SIZE, 16 * MB);

    (void)state;
    build_flat_kernel(0, 0);
    boot.kernel.size = 0x5f;
    REFUSED(&boot, "kernel 'k': truncated: the Multiboot header needs bytes 0x40-0x5f, the file "
                   "has 0x5f");
    boot.kernel.size = FLAT_SIZE;
    set(FLAT_HEADER_AT + 12, 0x200041, 4);
    REFUSED(&boot, "kernel 'k': Multiboot header at 0x40 in the file says it is loaded to "
                   "0x200041, in an image that starts at 0x200000");
    set(FLAT_HEADER_AT + 12, 0x1fffff, 4);
    REFUSED(&boot, "kernel 'k': Multiboot header at 0x40 in the file says it is loaded to "
                   "0x1fffff, in an image that starts at 0x200000");
    build_flat_kernel(0x2007e1, 0);
    REFUSED(&boot, "kernel 'k': truncated: the Multiboot header loads 0x200000-0x2007e1 from 0x20 "
                   "on, the file has 0x800 bytes");
    build_flat_kernel(0x100000, 0);
    REFUSED(&boot, "kernel 'k': truncated: the Multiboot header loads 0x200000-0x100000 from 0x20 "
                   "on, the file has 0x800 bytes");
    build_flat_kernel(0x200100, 0);
    REFUSED(&boot, "kernel 'k': the entry point 0x200100 is outside of what is loaded, "
                   "0x200000-0x2000ff");
    build_flat_kernel(0, 0xd0000000);
    REFUSED(&boot, "kernel 'k': the kernel (0x200000-0xcfffffff) lies outside the RAM that a guest "
                   "can have below 4 GiB; expected 0x0-0x9fbff or 0x100000-0xbfffffff");
    build_flat_kernel(0, 16 * MB + 1);
    REFUSED(&boot, "kernel 'k': needs at least 18M of memory; the VM has 16M");
}

static void module_refusals(void **state)
{
    struct image_boot boot = with_modules(boot_of(KERNEL_SIZE, 16 * MB));

    (void)state;
    build_kernel(false);
    boot.modules[1].size = 0;
    REFUSED(&boot, "module 'm1': the file is empty");
    boot.modules[1].size = 15 * MB;
    REFUSED(&boot, "kernel 'k': needs at least 18M of memory with its modules; the VM has 16M");
    boot.memory = 18 * MB;
    ACCEPTED(&boot);
    assert_int_equal(info.memory_min, 18 * MB);
    boot.modules[1].size = GUEST_LOW_RAM_TOP;
    REFUSED(&boot, "module 'm1': 0xc0000000 bytes do not fit between 0x104234, where the kernel "
                   "and other modules end, and 0xc0000000");
    add_segment(1, 0, 0x300000, 0x300000, 0, GUEST_LOW_RAM_TOP - 0x300000);
    add_segment(1, 0, 0x1000, 0x1000, 0, GUEST_CONVENTIONAL_TOP - 0x1000);
    add_segment(1, 0, 0x103000, 0x103000, 0, 0x300000 - 0x103000);
    boot.module_count = 0;
    REFUSED(&boot, "kernel 'k': no room for the kernel's information (0x202 bytes) in RAM");
}

static void damaged_files(void **state)
{
    struct image_boot boot = boot_of(0, 16 * MB);

    (void)state;
    build_kernel(false);
    DAMAGED(&boot, KERNEL_SIZE, 0x60);
    build_kernel(true);
    DAMAGED(&boot, KERNEL_SIZE, 0x80);
    build_flat_kernel(0x2007e0, 0x300000);
    DAMAGED(&boot, FLAT_SIZE, 0x60);
}

static void check_start_state(uint64_t rip)
{
    assert_int_equal(start.mode, GUEST_ENTRY_PROTECTED32);
    assert_int_equal(start.rip, rip);
    assert_int_equal(start.rax, 0x2badb002);
    assert_int_equal(start.cr3, 0);
    assert_int_equal(start.cs, 0x08);
    assert_int_equal(start.ds, 0x18);
    assert_int_equal(peek(start.gdt_base + 0x08, 8), 0x00cf9b000000ffff);
    assert_int_equal(peek(start.gdt_base + 0x18, 8), 0x00cf93000000ffff);
}

static void check_memory_map(uint64_t memory)
{
    struct guest_map_entry map[GUEST_MAP_MAX];
    size_t count = guest_memory_map(memory, map);
    uint64_t at = peek(start.rbx + 48, 4), end = at + peek(start.rbx + 44, 4);

    for (size_t i = 0; i < count; i++) {
        assert_true(at < end);
        assert_int_equal(peek(at, 4), 20);
        assert_int_equal(peek(at + 4, 8), map[i].gpa);
        assert_int_equal(peek(at + 12, 8), map[i].size);
        assert_int_equal(peek(at + 20, 4), map[i].type);
        at += peek(at, 4) + 4;
    }
    assert_int_equal(at, end);
}

static void check_modules(const struct image_boot *boot, const char *const *strings)
{
    uint64_t list = peek(start.rbx + 24, 4);
    uint64_t last = 0x102345; /* end of the kernel */

    assert_int_equal(peek(start.rbx + 20, 4), boot->module_count);
    for (unsigned i = 0; i < boot->module_count; i++) {
        uint64_t from = peek(list + i * 16, 4), to = peek(list + i * 16 + 4, 4);
        assert_int_equal(from & 0xfff, 0);
        assert_true(from >= last);
        assert_int_equal(to - from, boot->modules[i].size);
        assert_memory_equal(gm_ptr(&ram, from, to - from), boot->modules[i].data, to - from);
        assert_string_equal(peek_text(peek(list + i * 16 + 8, 4)), strings[i]);
        assert_int_equal(peek(list + i * 16 + 12, 4), 0);
        last = to;
    }
}

static void load_elf(void **state)
{
    static const char *const strings[] = {"m0", "m1 two words"};

    for (int is_64 = 0; is_64 < 2; is_64++) {
        struct image_boot boot = with_modules(boot_of(KERNEL_SIZE, 16 * MB));

        (void)state;
        build_kernel(is_64);
        boot.kernel.args = "a b=c";
        ACCEPTED(&boot);
        assert_int_equal(info.format, IMAGE_MULTIBOOT1);
        assert_int_equal(info.memory_min, 4 * MB);
        LOADED(&boot);
        check_start_state(0x100020);
        assert_memory_equal(gm_ptr(&ram, 0x100000, 0x800), file + 0x1000, 0x800);
        assert_int_equal(peek(0x100800, 8), 0);
        assert_int_equal(peek(start.rbx, 4), 0x24d);
        assert_int_equal(peek(start.rbx + 4, 4), 639);
        assert_int_equal(peek(start.rbx + 8, 4), 15 * 1024);
        assert_string_equal(peek_text(peek(start.rbx + 16, 4)), "k a b=c");
        assert_string_equal(peek_text(peek(start.rbx + 64, 4)), "Lapwing");
        check_memory_map(16 * MB);
        check_modules(&boot, strings);
        free_ram();
    }
}

static void load_flat(void **state)
{
    struct image_boot boot = boot_of(FLAT_SIZE, 16 * MB);

    (void)state;
    build_flat_kernel(0, 0x201000);
    LOADED(&boot);
    check_start_state(0x200100);
    assert_memory_equal(gm_ptr(&ram, 0x200000, FLAT_SIZE - 0x20), file + 0x20, FLAT_SIZE - 0x20);
    assert_int_equal(peek(0x200000 + FLAT_SIZE - 0x20, 4), 0);
    assert_string_equal(peek_text(peek(start.rbx + 16, 4)), "k");
    assert_int_equal(peek(start.rbx + 20, 4), 0);
    free_ram();
    build_flat_kernel(0x200200, 0);
    LOADED(&boot);
    assert_memory_equal(gm_ptr(&ram, 0x200000, 0x200), file + 0x20, 0x200);
    assert_int_equal(peek(0x200200, 8), 0);
    free_ram();
}

/* The address fields win over ELF headers. */
static void flat_inside_elf(void **state)
{
    struct image_boot boot = boot_of(KERNEL_SIZE, 16 * MB);

    (void)state;
    build_kernel(false);
    add_multiboot_header(HEADER_AT, 0x10000);
    set(HEADER_AT + 12, 0x400000, 4);
    set(HEADER_AT + 16, 0x400000, 4);
    set(HEADER_AT + 20, 0, 8);
    set(HEADER_AT + 28, 0x400040, 4);
    LOADED(&boot);
    check_start_state(0x400040);
    assert_memory_equal(gm_ptr(&ram, 0x400000, 0x800), file + 0x1000, 0x800);
    free_ram();
}

/* A kernel linked high: its entry is a virtual address. */
static void virtual_entry(void **state)
{
    struct image_boot boot = boot_of(KERNEL_SIZE, 16 * MB);

    (void)state;
    build_kernel(false);
    begin_elf(false, 0xc0100020);
    add_segment(1, 0x1000, 0xc0100000, 0x100000, 0x800, 0x2345);
    fill(0x1000, KERNEL_SIZE);
    add_multiboot_header(HEADER_AT, 0);
    LOADED(&boot);
    check_start_state(0x100020);
    free_ram();
}

/* The information never lands in what the kernel occupies. */
static void information_gives_way(void **state)
{
    static const struct {
        uint32_t gpa, size, info;
    } kernels[] = {
        {0x100000, 0x1000, 0x10000},
        {0x10000, 0x1001, 0x12000},
        {0x8000, GUEST_CONVENTIONAL_TOP - 0x8000, 0x100000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
        struct image_boot boot = boot_of(KERNEL_SIZE, 16 * MB);
        begin_elf(false, kernels[i].gpa);
        add_segment(1, 0x1000, kernels[i].gpa, kernels[i].gpa, 0x800, kernels[i].size);
        add_multiboot_header(HEADER_AT, 0);
        LOADED(&boot);
        assert_int_equal(start.rbx, kernels[i].info);
        free_ram();
    }
}

/* Room is taken for exactly the strings: one more byte than a free page has moves the block. */
static void information_size(void **state)
{
    enum { BETWEEN = 0x1000, FIXED = 120 + 32 + 4 * 24 + 16 * 16 + sizeof("Lapwing") };
    static const size_t strings[] = {sizeof("k "),
                                     sizeof("k ") + sizeof("m0") + sizeof("m1 two words")};
    static char args[BETWEEN];

    (void)state;
    for (int modules = 0; modules < 2; modules++) {
        struct image_boot boot = boot_of(KERNEL_SIZE, 16 * MB);
        size_t length = BETWEEN - FIXED - strings[modules];

        begin_elf(false, 0x11000);
        add_segment(1, 0x1000, 0x11000, 0x11000, 0x800, 0x1000);
        add_multiboot_header(HEADER_AT, 0);
        if (modules)
            boot = with_modules(boot);
        memset(args, 'x', length + 1);
        args[length] = '\0';
        boot.kernel.args = args;
        LOADED(&boot);
        assert_int_equal(start.rbx, 0x10000);
        free_ram();
        args[length] = 'x';
        args[length + 1] = '\0';
        LOADED(&boot);
        assert_int_equal(start.rbx, 0x12000);
        free_ram();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),         cmocka_unit_test(header_position),
        cmocka_unit_test(flat_refusals),    cmocka_unit_test(module_refusals),
        cmocka_unit_test(damaged_files),    cmocka_unit_test(load_elf),
        cmocka_unit_test(load_flat),        cmocka_unit_test(flat_inside_elf),
        cmocka_unit_test(virtual_entry),    cmocka_unit_test(information_gives_way),
        cmocka_unit_test(information_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
