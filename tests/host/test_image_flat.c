/* SPDX-License-Identifier: BSD-2-Clause */
/* Plain code at a load address, and firmware below 1 MiB.
 * links: core/image/image.c core/image/plan.c core/image/elf.c core/image/linux.c
 * links: core/image/multiboot.c core/image/start32.c core/image/flat.c core/image/firmware.c
 * links: core/image/pvh.c
 * links: core/image/multiboot2.c core/guest/layout.c core/guest/memory.c core/format.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/host/image_builder.h"

enum { SIZE = 0x1234 };

static struct image_boot code_at(uint64_t address)
{
    struct image_boot boot = boot_of(SIZE, 4 * MB);

    fill(0, SIZE);
    boot.load_address = address;
    return boot;
}

static void refusals(void **state)
{
    static uint8_t byte;
    const struct image_file some_file = {.name = "f", .data = &byte, .size = 1};
    struct image_boot boot = code_at(0x9f000);

    (void)state;
    REFUSED(&boot, "kernel 'k': the kernel (0x9f000-0xa0233) lies outside the RAM that a guest can "
                   "have below 4 GiB; expected 0x0-0x9fbff or 0x100000-0xbfffffff");
    boot = code_at(0xbffff000);
    REFUSED(&boot, "kernel 'k': the kernel (0xbffff000-0xc0000233) lies outside the RAM that a "
                   "guest can have below 4 GiB; expected 0x0-0x9fbff or 0x100000-0xbfffffff");
    boot = code_at(4 * MB - 0x1000);
    REFUSED(&boot, "kernel 'k': needs at least 6M of memory; the VM has 4M");
    boot = code_at(0x100000);
    boot.kernel.size = 0;
    REFUSED(&boot, "kernel 'k': the file is empty");
    boot.kernel.size = SIZE;
    boot.kernel.args = "";
    ACCEPTED(&boot);
    boot.kernel.args = "x";
    REFUSED(&boot, "kernel 'k': a kernel with a load address takes no command line, initrd or "
                   "modules");
    boot.kernel.args = NULL;
    boot.initrd = some_file;
    REFUSED(&boot, "kernel 'k': a kernel with a load address takes no command line, initrd or "
                   "modules");
    boot.initrd = (struct image_file){0};
    boot.modules[0] = some_file;
    boot.module_count = 1;
    REFUSED(&boot, "kernel 'k': a kernel with a load address takes no command line, initrd or "
                   "modules");
}

static uint8_t rom[0x50001];

static struct image_boot firmware(size_t size)
{
    struct image_boot boot = boot_of(size, 4 * MB);

    boot.kernel.data = rom;
    boot.firmware = true;
    return boot;
}

static void firmware_refusals(void **state)
{
    static uint8_t byte;
    struct image_boot boot = firmware(0);

    (void)state;
    REFUSED(&boot, "kernel 'k': firmware of 0x0 bytes; expected 0x10000, 0x20000, 0x30000 or "
                   "0x40000");
    boot = firmware(0x10001);
    REFUSED(&boot, "kernel 'k': firmware of 0x10001 bytes; expected 0x10000, 0x20000, 0x30000 or "
                   "0x40000");
    boot = firmware(0x50000);
    REFUSED(&boot, "kernel 'k': firmware of 0x50000 bytes; expected 0x10000, 0x20000, 0x30000 or "
                   "0x40000");
    boot = firmware(0x10000);
    boot.load_address = 0x1000;
    REFUSED(&boot, "kernel 'k': firmware has its place: expected no load address");
    boot = firmware(0x10000);
    boot.kernel.args = "x";
    REFUSED(&boot, "kernel 'k': firmware takes no command line, initrd or modules");
    boot.kernel.args = "";
    boot.initrd = (struct image_file){.name = "i", .data = &byte, .size = 1};
    REFUSED(&boot, "kernel 'k': firmware takes no command line, initrd or modules");
    boot.initrd = (struct image_file){0};
    boot.module_count = 1;
    REFUSED(&boot, "kernel 'k': firmware takes no command line, initrd or modules");
}

/* It ends at 1 MiB, whatever its size. */
static void firmware_load(void **state)
{
    (void)state;
    for (size_t size = 0x10000; size <= 0x40000; size += 0x10000) {
        struct image_boot boot = firmware(size);
        for (size_t i = 0; i < size; i++)
            rom[i] = (uint8_t)(i * 7 + i / 256);
        ACCEPTED(&boot);
        assert_int_equal(info.format, IMAGE_FIRMWARE);
        assert_int_equal(info.memory_min, GUEST_MEMORY_MIN);
        LOADED(&boot);
        assert_int_equal(start.mode, GUEST_ENTRY_RESET);
        assert_int_equal(start.cs_base, 0xf0000);
        assert_memory_equal(gm_ptr(&ram, 0x100000 - size, size), rom, size);
        assert_int_equal(peek(0x100000 - size - 1, 1), 0);
        assert_int_equal(peek(0x100000, 1), 0);
        free_ram();
    }
}

/* Whatever the file looks like. */
static void load(void **state)
{
    static const uint64_t addresses[] = {0x7c00, 0x10000, 0x100000, 0x200123};

    (void)state;
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        uint64_t at = addresses[i];
        struct image_boot boot = code_at(at);
        memcpy(file, "\177ELF", 4);
        ACCEPTED(&boot);
        assert_int_equal(info.format, IMAGE_FLAT);
        LOADED(&boot);
        assert_memory_equal(gm_ptr(&ram, at, SIZE), file, SIZE);
        assert_int_equal(start.mode, GUEST_ENTRY_PROTECTED32);
        assert_int_equal(start.rip, at);
        assert_int_equal(start.rax | start.rbx | start.rsi, 0);
        assert_int_equal(start.cs, 8);
        assert_int_equal(start.ds, 0x18);
        assert_int_equal(peek(start.gdt_base + 8, 8), 0x00cf9b000000ffff);
        assert_int_equal(peek(start.gdt_base + 0x18, 8), 0x00cf93000000ffff);
        assert_true(start.gdt_base >= at + SIZE || start.gdt_base + 0x20 <= at);
        free_ram();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),
        cmocka_unit_test(load),
        cmocka_unit_test(firmware_refusals),
        cmocka_unit_test(firmware_load),
    };
    return cmocka_run_group_tests_name("plain code and firmware", tests, NULL, NULL);
}
