/* SPDX-License-Identifier: BSD-2-Clause */
/* The Linux loaders: every refusal, and what a kernel finds when it starts.
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
    SETUP_SIZE = 2 * 512, /* one sector after the boot sector */
    PACKED_SIZE = 0x400,
    BZIMAGE_SIZE = SETUP_SIZE + PACKED_SIZE,
    BZIMAGE_AT = 16 * MB,
    BZIMAGE_INIT_SIZE = 3 * MB,

    VMLINUX_SIZE = 0x3000,
};

#define LINUX_TEXT 0xffffffff81000000ULL

static uint8_t initrd_bytes[5000];

static void build_bzimage(void)
{
    memset(file, 0, sizeof(file));
    fill(SETUP_SIZE, BZIMAGE_SIZE);
    set(0x1f1, 1, 1);
    set(0x1f4, PACKED_SIZE / 16, 4);
    set(0x1fe, 0xaa55, 2);
    set(0x201, 0x6a, 1);
    memcpy(file + 0x202, "HdrS", 4);
    set(0x206, 0x020f, 2);
    set(0x22c, 0x7fffffff, 4);
    set(0x230, 2 * MB, 4);
    set(0x234, 1, 1);
    set(0x236, 1, 2);
    set(0x238, 2047, 4);
    set(0x258, BZIMAGE_AT, 8);
    set(0x260, BZIMAGE_INIT_SIZE, 4);
    set(0x268, 0x12345678, 4); /* the last field of the header */
    set(0x26c, 0x55555555, 4); /* and what is not part of it any more */
}

/* As a real one: text with its physical entry point, data, and a per-CPU segment linked at 0. */
static void build_vmlinux(void)
{
    begin_elf(true, 0x1000040);
    add_segment(1, 0x1000, LINUX_TEXT, 0x1000000, 0x1000, 0x1000);
    add_segment(1, 0x2000, LINUX_TEXT + 0x200000, 0x1200000, 0x800, 0x800);
    add_segment(1, 0x2800, 0, 0x1201000, 0x800, 0x4000);
    add_segment(4, 0x100, LINUX_TEXT, 0x1000000, 0x24, 0x24);
    fill(0x1000, VMLINUX_SIZE);
}

static struct image_boot with_initrd(struct image_boot boot)
{
    memset(initrd_bytes, 0x5a, sizeof(initrd_bytes));
    boot.initrd = (struct image_file){
        .name = "i",
        .data = initrd_bytes,
        .size = sizeof(initrd_bytes),
    };
    return boot;
}

static void unknown_formats(void **state)
{
    struct image_boot boot = boot_of(0, 64 * MB);

    (void)state;
    REFUSED(&boot, "kernel 'k': the file is empty; expected Linux bzImage, vmlinux ELF, PVH "
                   "or Multiboot");
    memcpy(file, "\x1f\x8b\x08\x00\x01\x02\x03\x04\x05", 9);
    boot.kernel.size = 3;
    REFUSED(&boot, "kernel 'k': unknown format: first bytes 1f 8b 08; expected Linux bzImage, "
                   "vmlinux ELF, PVH or Multiboot");
    boot.kernel.size = 9;
    REFUSED(&boot, "kernel 'k': unknown format: first bytes 1f 8b 08 00 01 02 03 04; expected "
                   "Linux bzImage, vmlinux ELF, PVH or Multiboot");
    begin_elf(false, 0);
    boot.kernel.size = 0x1000;
    REFUSED(&boot, "kernel 'k': ELF file of 32 bits without a Multiboot header or a PVH note; "
                   "expected Linux bzImage, vmlinux ELF, PVH or Multiboot");
}

static void bzimage_refusals(void **state)
{
    struct image_boot boot = boot_of(BZIMAGE_SIZE, 64 * MB);
    char cmdline[300];

    (void)state;
    build_bzimage();
    boot.kernel.size = 0x28f;
    REFUSED(&boot, "kernel 'k': truncated: the setup header needs bytes up to 0x290, the file has "
                   "0x28f");
    boot.kernel.size = BZIMAGE_SIZE - 16;
    REFUSED(&boot, "kernel 'k': truncated: the packed kernel needs bytes 0x400-0x7ff, the file has "
                   "0x7f0");
    boot.kernel.size = BZIMAGE_SIZE - 15; /* its size is in units of 16 bytes */
    ACCEPTED(&boot);
    boot.kernel.size = BZIMAGE_SIZE;
    set(0x206, 0x020b, 2);
    REFUSED(&boot, "kernel 'k': bzImage of boot protocol 2.11; expected 2.12 or newer");
    build_bzimage();
    set(0x236, 0xfffe, 2);
    REFUSED(&boot, "kernel 'k': bzImage without a 64-bit entry point; expected a kernel for "
                   "x86-64");
    build_bzimage();
    set(0x1f4, 0x20, 4);
    REFUSED(&boot, "kernel 'k': a packed kernel of 0x200 bytes has no 64-bit entry point at 0x200");
    build_bzimage();
    set(0x1f4, 0xffffffff, 4);
    REFUSED(&boot, "kernel 'k': truncated: the packed kernel needs bytes 0x400-0x10000003ef, the "
                   "file has 0x800");
    build_bzimage();
    set(0x258, UINT64_MAX - 0xfff, 8);
    REFUSED(&boot, "kernel 'k': the kernel (0xfffffffffffff000-0x2fefff) lies outside the RAM that "
                   "a guest can have below 4 GiB; expected 0x0-0x9fbff or 0x100000-0xbfffffff");
    set(0x258, GUEST_LOW_RAM_TOP - 2 * MB, 8);
    REFUSED(&boot, "kernel 'k': the kernel (0xbfe00000-0xc00fffff) lies outside the RAM that a "
                   "guest can have below 4 GiB; expected 0x0-0x9fbff or 0x100000-0xbfffffff");
    set(0x258, 0xa000, 8);
    set(0x260, 0x1000, 4);
    REFUSED(&boot, "kernel 'k': the kernel (0xa000-0xafff) overlaps the boot structures "
                   "(0x1000-0xafff)");
    build_bzimage();
    set(0x238, 255, 4);
    memset(cmdline, 'c', sizeof(cmdline));
    cmdline[256] = '\0';
    boot.kernel.args = cmdline;
    REFUSED(&boot, "kernel 'k': the command line has 256 bytes; expected at most 255");
    cmdline[255] = '\0';
    ACCEPTED(&boot);
    boot.module_count = 1;
    REFUSED(&boot, "kernel 'k': a Linux kernel takes no modules; expected an initrd");
}

static void vmlinux_refusals(void **state)
{
    struct image_boot boot = boot_of(VMLINUX_SIZE, 64 * MB);

    (void)state;
    build_vmlinux();
    boot.kernel.size = 51;
    REFUSED(&boot, "kernel 'k': truncated: the ELF header needs 52 bytes, the file has 51");
    boot.kernel.size = 63;
    REFUSED(&boot, "kernel 'k': truncated: the ELF header needs 64 bytes, the file has 63");
    boot.kernel.size = 0x11f;
    REFUSED(&boot, "kernel 'k': truncated: 4 program headers of 56 bytes start at 0x40, the file "
                   "has 0x11f bytes");
    boot.kernel.size = VMLINUX_SIZE - 1;
    REFUSED(&boot, "kernel 'k': truncated: segment 3 needs 0x800 bytes from 0x2800 on, the file "
                   "has 0x2fff bytes");
    boot.kernel.size = VMLINUX_SIZE;
    set(18, 183, 2);
    REFUSED(&boot, "kernel 'k': ELF file of class 2, data encoding 1, type 2, machine 183; "
                   "expected a little-endian executable (type 2) for x86");
    build_vmlinux();
    set(16, 3, 2);
    REFUSED(&boot, "kernel 'k': ELF file of class 2, data encoding 1, type 3, machine 62; "
                   "expected a little-endian executable (type 2) for x86");
    build_vmlinux();
    set(54, 55, 2);
    REFUSED(&boot, "kernel 'k': program headers of 55 bytes; expected at least 56");
    build_vmlinux();
    set(32, UINT64_MAX - 10, 8);
    REFUSED(&boot, "kernel 'k': truncated: 4 program headers of 56 bytes start at "
                   "0xfffffffffffffff5, the file has 0x3000 bytes");
    begin_elf(true, 0x1000000);
    REFUSED(&boot, "kernel 'k': no segment to load");
    add_segment(1, 0x1000, LINUX_TEXT, 0x1000000, 0x1000, 0xfff);
    REFUSED(&boot, "kernel 'k': segment 1 has 0x1000 bytes in the file, more than its 0xfff in "
                   "memory");
    begin_elf(true, 0x1000000);
    add_segment(1, UINT64_MAX, LINUX_TEXT, 0x1000000, 2, 2);
    REFUSED(&boot, "kernel 'k': truncated: segment 1 needs 0x2 bytes from 0xffffffffffffffff on, "
                   "the file has 0x3000 bytes");
    begin_elf(true, 0x1000000);
    add_segment(1, 0x1000, LINUX_TEXT, 0x1000000, 0, UINT64_MAX);
    REFUSED(&boot, "kernel 'k': segment 1 (0x1000000-0xfffffe) lies outside the RAM that a guest "
                   "can have below 4 GiB; expected 0x0-0x9fbff or 0x100000-0xbfffffff");
    begin_elf(true, 0x1000000);
    add_segment(1, 0x1000, LINUX_TEXT, 0x1000000, 0x1000, 0x1000);
    add_segment(1, 0x1000, LINUX_TEXT, 0x1000fff, 0x1000, 0x1000);
    REFUSED(&boot, "kernel 'k': segment 2 (0x1000fff-0x1001ffe) overlaps segment 1 "
                   "(0x1000000-0x1000fff)");
    begin_elf(true, 0x1001000);
    add_segment(1, 0x1000, LINUX_TEXT, 0x1000000, 0x1000, 0x2000);
    REFUSED(&boot, "kernel 'k': the entry point 0x1001000 is in no segment");
    begin_elf(true, 0x1000000);
    add_segment(1, 0x1000, 0x1000000, 0x1000000, 0x1000, 0x1000);
    REFUSED(&boot, "kernel 'k': ELF64 file that is no Linux kernel (no segment at or above "
                   "0xffffffff80000000) and has no Multiboot header or PVH note");
    begin_elf(true, 0x1000000);
    for (unsigned i = 0; i < 33; i++)
        add_segment(1, 0, LINUX_TEXT, 0x1000000 + i * 0x1000, 0x1000, 0x1000);
    REFUSED(&boot, "kernel 'k': too many segments; expected at most 32");
}

static void initrd_refusals(void **state)
{
    struct image_boot boot = with_initrd(boot_of(BZIMAGE_SIZE, 64 * MB));

    (void)state;
    build_bzimage();
    boot.initrd.size = 0;
    REFUSED(&boot, "initrd 'i': the file is empty");
    boot.initrd.size = sizeof(initrd_bytes);
    set(0x22c, 19 * MB + 4999 - 1, 4);
    REFUSED(&boot, "initrd 'i': 0x1388 bytes do not fit between the kernel, which ends at "
                   "0x1300000, and 0x1301387");
    set(0x22c, 19 * MB + 5000 - 1, 4);
    ACCEPTED(&boot);
    set(0x22c, 0xffffffff, 4);
    boot.memory = 8ULL << 30;
    boot.initrd.size = GUEST_LOW_RAM_TOP;
    REFUSED(&boot, "initrd 'i': 0xc0000000 bytes do not fit between the kernel, which ends at "
                   "0x1300000, and 0xc0000000");
}

static void least_memory(void **state)
{
    struct image_boot boot = boot_of(BZIMAGE_SIZE, 20 * MB);

    (void)state;
    build_bzimage();
    ACCEPTED(&boot);
    assert_int_equal(info.format, IMAGE_LINUX_BZIMAGE);
    assert_int_equal(info.memory_min, 20 * MB);
    boot.memory = 18 * MB;
    REFUSED(&boot, "kernel 'k': needs at least 20M of memory; the VM has 18M");
    boot = with_initrd(boot);
    boot.initrd.size = MB + 1; /* only the size counts before loading */
    boot.memory = 20 * MB;
    REFUSED(&boot, "kernel 'k': needs at least 22M of memory with its initrd; the VM has 20M");
    boot.memory = 22 * MB;
    ACCEPTED(&boot);
    assert_int_equal(info.memory_min, 22 * MB);
    build_vmlinux();
    boot = boot_of(VMLINUX_SIZE, 20 * MB);
    ACCEPTED(&boot);
    assert_int_equal(info.format, IMAGE_LINUX_VMLINUX);
    assert_int_equal(info.memory_min, 20 * MB);
}

static void damaged_files(void **state)
{
    struct image_boot boot = boot_of(0, 64 * MB);

    (void)state;
    build_bzimage();
    DAMAGED(&boot, BZIMAGE_SIZE - 15, 0x270);
    build_vmlinux();
    DAMAGED(&boot, VMLINUX_SIZE, 0x120);
}

/* What the boot protocol promises a 64-bit entry. */
static void check_start_state(uint64_t rip)
{
    assert_int_equal(start.mode, GUEST_ENTRY_LONG64);
    assert_int_equal(start.rip, rip);
    assert_int_equal(start.cs, 0x10);
    assert_int_equal(start.ds, 0x18);
    assert_int_equal(start.gdt_limit, 0x1f);
    assert_int_equal(peek(start.gdt_base, 8), 0);
    assert_int_equal(peek(start.gdt_base + 0x10, 8), 0x00af9b000000ffff);
    assert_int_equal(peek(start.gdt_base + 0x18, 8), 0x00cf93000000ffff);
    assert_int_equal(start.rsp & 0xf, 0);
    assert_int_equal(peek(start.rsp - 8, 8), 0);
}

/* Walks the page tables for an address. */
static uint64_t translate(uint64_t va)
{
    uint64_t table = start.cr3;

    for (int shift = 39; shift >= 21; shift -= 9) {
        uint64_t entry = peek(table + (va >> shift & 511) * 8, 8);
        if (shift == 21) {
            assert_int_equal(entry & 0xfff, 0x83);
            return (entry & ~0xfffULL) + (va & 0x1fffff);
        }
        if (!(entry & 1))
            return UINT64_MAX;
        assert_int_equal(entry & 0xfff, 0x3);
        table = entry & ~0xfffULL;
    }
    return UINT64_MAX;
}

static void check_identity_map(void)
{
    for (uint64_t va = 0; va < 4ULL << 30; va += 0x1ff000)
        assert_int_equal(translate(va), va);
    assert_int_equal(translate(4ULL << 30), UINT64_MAX);
    assert_int_equal(translate(1ULL << 39), UINT64_MAX);
}

static void load_bzimage(void **state)
{
    struct image_boot boot = with_initrd(boot_of(BZIMAGE_SIZE, 64 * MB));

    (void)state;
    build_bzimage();
    boot.kernel.args = "console=ttyS0 quiet";
    LOADED(&boot);
    check_start_state(BZIMAGE_AT + 0x200);
    check_identity_map();
    assert_memory_equal(gm_ptr(&ram, BZIMAGE_AT, PACKED_SIZE), file + SETUP_SIZE, PACKED_SIZE);

    uint64_t params = start.rsi;
    assert_int_equal(peek(params + 0x1ef, 1), 0); /* sentinel */
    assert_memory_equal(gm_ptr(&ram, params + 0x202, 1), "HdrS", 4);
    assert_int_equal(peek(params + 0x206, 2), 0x020f);
    assert_int_equal(peek(params + 0x210, 1), 0xff);
    assert_int_equal(peek(params + 0x260, 4), BZIMAGE_INIT_SIZE);
    assert_int_equal(peek(params + 0x268, 4), 0x12345678);
    assert_int_equal(peek(params + 0x26c, 4), 0);
    assert_int_equal(peek(params + 0x70, 8), 0xe0000);
    assert_string_equal(peek_text(peek(params + 0x228, 4)), "console=ttyS0 quiet");

    uint64_t initrd = peek(params + 0x218, 4);
    assert_int_equal(initrd, 64 * MB - 0x2000);
    assert_int_equal(peek(params + 0x21c, 4), sizeof(initrd_bytes));
    assert_memory_equal(gm_ptr(&ram, initrd, sizeof(initrd_bytes)), initrd_bytes,
                        sizeof(initrd_bytes));
    free_ram();
}

/* No sector count stands for four, and a header that claims to be longer than its place is cut. */
static void odd_setup_header(void **state)
{
    struct image_boot boot = boot_of(5 * 512 + PACKED_SIZE, 64 * MB);

    (void)state;
    build_bzimage();
    fill(5 * 512, 5 * 512 + PACKED_SIZE);
    set(0x1f1, 0, 1);
    set(0x201, 0xff, 1);
    set(0x288, UINT64_MAX, 8);
    set(0x290, UINT64_MAX, 8);
    LOADED(&boot);
    assert_memory_equal(gm_ptr(&ram, BZIMAGE_AT, PACKED_SIZE), file + 5 * 512, PACKED_SIZE);
    assert_int_equal(peek(start.rsi + 0x288, 8), UINT64_MAX);
    assert_int_equal(peek(start.rsi + 0x290, 8), 0);
    free_ram();
}

static void memory_map(void **state)
{
    struct image_boot boot = boot_of(BZIMAGE_SIZE, 64 * MB);

    (void)state;
    build_bzimage();
    LOADED(&boot);
    uint64_t params = start.rsi;
    assert_int_equal(peek(params + 0x1e8, 1), 3);
    static const uint64_t lines[][3] = {
        {0, 0x9fc00, 1}, {0x9fc00, 0x60400, 2}, {0x100000, 63 * MB, 1}, {0, 0, 0}};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(peek(params + 0x2d0 + i * 20, 8), lines[i][0]);
        assert_int_equal(peek(params + 0x2d8 + i * 20, 8), lines[i][1]);
        assert_int_equal(peek(params + 0x2e0 + i * 20, 4), lines[i][2]);
    }
    assert_int_equal(peek(params + 0x218, 8), 0); /* no initrd */
    assert_string_equal(peek_text(peek(params + 0x228, 4)), "");
    free_ram();
}

/* With more memory than the hole leaves room for; the pages of the big block are never touched. */
static void memory_above_the_hole(void **state)
{
    struct image_boot boot = with_initrd(boot_of(BZIMAGE_SIZE, 5ULL << 30));

    (void)state;
    build_bzimage();
    LOADED(&boot);
    assert_int_equal(peek(start.rsi + 0x1e8, 1), 4);
    assert_int_equal(peek(start.rsi + 0x2d0 + 40, 8), 0x100000);
    assert_int_equal(peek(start.rsi + 0x2d8 + 40, 8), GUEST_LOW_RAM_TOP - 0x100000);
    assert_int_equal(peek(start.rsi + 0x2d0 + 60, 8), GUEST_HIGH_RAM);
    assert_int_equal(peek(start.rsi + 0x2d8 + 60, 8), 2ULL << 30);
    assert_int_equal(peek(start.rsi + 0x218, 4), 0x7fffe000); /* below initrd_addr_max */
    free_ram();
}

static void load_vmlinux(void **state)
{
    struct image_boot boot = with_initrd(boot_of(VMLINUX_SIZE, 64 * MB));

    (void)state;
    build_vmlinux();
    LOADED(&boot);
    check_start_state(0x1000040);
    check_identity_map();
    assert_memory_equal(gm_ptr(&ram, 0x1000000, 0x1000), file + 0x1000, 0x1000);
    assert_memory_equal(gm_ptr(&ram, 0x1200000, 0x800), file + 0x2000, 0x800);
    assert_memory_equal(gm_ptr(&ram, 0x1201000, 0x800), file + 0x2800, 0x800);
    assert_int_equal(peek(0x1201800, 8), 0);
    assert_int_equal(peek(start.rsi + 0x1fe, 2), 0xaa55);
    assert_memory_equal(gm_ptr(&ram, start.rsi + 0x202, 1), "HdrS", 4);
    assert_int_equal(peek(start.rsi + 0x218, 4), 64 * MB - 0x2000);
    assert_int_equal(peek(start.rsi + 0x70, 8), 0xe0000);
    free_ram();
}

/* An entry point given as virtual address. */
static void virtual_entry(void **state)
{
    struct image_boot boot = boot_of(VMLINUX_SIZE, 64 * MB);

    (void)state;
    build_vmlinux();
    set(24, LINUX_TEXT + 0x123, 8);
    LOADED(&boot);
    assert_int_equal(start.rip, 0x1000123);
    free_ram();
}

static void no_ram(void **state)
{
    struct image_boot boot = boot_of(BZIMAGE_SIZE, 64 * MB);

    (void)state;
    build_bzimage();
    make_ram(16 * MB);
    assert_false(image_load(&boot, &ram, &start, &error));
    assert_string_equal(error.text, "kernel 'k': the guest's RAM is not where its 64M should be");
    free_ram();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_formats),  cmocka_unit_test(bzimage_refusals),
        cmocka_unit_test(vmlinux_refusals), cmocka_unit_test(initrd_refusals),
        cmocka_unit_test(least_memory),     cmocka_unit_test(damaged_files),
        cmocka_unit_test(load_bzimage),     cmocka_unit_test(odd_setup_header),
        cmocka_unit_test(memory_map),       cmocka_unit_test(memory_above_the_hole),
        cmocka_unit_test(load_vmlinux),     cmocka_unit_test(virtual_entry),
        cmocka_unit_test(no_ram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
