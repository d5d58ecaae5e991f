/* SPDX-License-Identifier: BSD-2-Clause */
// variant: intercepted intercept_exceptions=on
/* 32-bit paging with 4 MiB and 4 KiB pages, and PAE paging with its page-directory-pointer table:
   both switched on and off by a guest in protected mode. SDM Vol 3A, "Paging". */
#include "tests/guest/guest.h"

enum {
    PRESENT = 1 << 0,
    WRITE = 1 << 1,
    ACCESSED = 1 << 5,
    DIRTY = 1 << 6,
    LARGE = 1 << 7,
    ERROR_WRITE = 1 << 1,
    PAGE = 4096,
    WINDOW = 0x8000000, /* an address of which only the page tables know */
    WINDOW_PAE_SLOT = WINDOW >> 21 & 511,
};

static uint32_t directory[1024] __attribute__((aligned(4096)));
static uint32_t table[1024] __attribute__((aligned(4096)));
static uint64_t pointers[4] __attribute__((aligned(32)));
static uint64_t other_pointers[4] __attribute__((aligned(32)));
static uint64_t pae_directories[4][512] __attribute__((aligned(4096)));
static uint64_t pae_other[512] __attribute__((aligned(4096)));
static uint64_t pae_table[512] __attribute__((aligned(4096)));
static volatile uint32_t first[PAGE / 4] __attribute__((aligned(4096)));
static volatile uint32_t second[PAGE / 4] __attribute__((aligned(4096)));

static struct fault set_cr0(unsigned long value)
{
    return TRY("mov %0, %%cr0", : : "r"(value) : "memory");
}

static struct fault set_cr3(const void *value)
{
    return TRY("mov %0, %%cr3", : : "r"(value) : "memory");
}

static uint32_t read_window(void)
{
    return *(volatile uint32_t *)WINDOW;
}

static struct fault try_write_window(void)
{
    return TRY("movl $7, (%0)", : : "r"(WINDOW) : "memory");
}

static void exits(const char *name)
{
    is_u64(cpuid(0, 0).ebx != 0, 1, "%s: CPUID", name);
    is_u64(inb(0xea), 0xff, "%s: IN", name);
    is_u64(mmio_read32(LAPIC_BASE + LAPIC_VERSION) != 0xffffffff, 1, "%s: a device", name);
    is_fault(TRY("ud2", :), UD, 0, "%s: an exception", name);
}

static void use_32_bit_paging(void)
{
    for (uint32_t i = 0; i < 1024; i++)
        directory[i] = i << 22 | PRESENT | WRITE | LARGE;
    directory[WINDOW >> 22] = (uintptr_t)table | PRESENT | WRITE;
    table[0] = (uintptr_t)first | PRESENT | WRITE;
    write_cr4(read_cr4() | CR4_PSE);
    write_cr3((uintptr_t)directory);
    is_no_fault(set_cr0(read_cr0() | CR0_PG | CR0_WP), "32-bit: paging on");
    exits("32-bit");

    is_u64(read_window(), first[0], "32-bit: a 4 KiB page");
    is_u64(table[0] & (ACCESSED | DIRTY), ACCESSED, "32-bit: it was accessed");
    is_no_fault(try_write_window(), "32-bit: writing it");
    is_u64(first[0], 7, "32-bit: arrives");
    is_u64(table[0] & DIRTY, DIRTY, "32-bit: it is dirty");
    table[0] = (uintptr_t)second | PRESENT;
    invlpg(WINDOW);
    is_u64(read_window(), 0x22, "32-bit: another page after INVLPG");
    is_fault(try_write_window(), PF, PRESENT | ERROR_WRITE, "32-bit: it is read-only");
    table[0] = 0;
    write_cr3(read_cr3());
    struct fault fault = try_write_window();
    is_fault(fault, PF, ERROR_WRITE, "32-bit: an absent page");
    is_u64(fault.address, WINDOW, "32-bit: CR2");
    is_no_fault(set_cr0(read_cr0() & ~CR0_PG), "32-bit: paging off");
    is_u64(mmio_read32(WINDOW), 0xffffffff, "32-bit: addresses are physical again");
}

static void use_pae_paging(void)
{
    for (uint64_t i = 0; i < 4 * 512; i++)
        pae_directories[i / 512][i % 512] = i << 21 | PRESENT | WRITE | LARGE;
    for (unsigned i = 0; i < 4; i++)
        other_pointers[i] = pointers[i] = (uintptr_t)pae_directories[i] | PRESENT;
    memcpy(pae_other, pae_directories[0], sizeof(pae_other));
    other_pointers[0] = (uintptr_t)pae_other | PRESENT;
    pae_directories[0][WINDOW_PAE_SLOT] = (uintptr_t)pae_table | PRESENT | WRITE;
    pae_table[0] = (uintptr_t)first | PRESENT | WRITE;

    write_cr4(read_cr4() | CR4_PAE);
    pointers[1] |= 1 << 1;
    write_cr3((uintptr_t)pointers);
    is_fault(set_cr0(read_cr0() | CR0_PG), GP, 0, "PAE: a reserved bit in the pointers, paging on");
    is_u64(read_cr0() & CR0_PG, 0, "PAE: paging is still off");
    pointers[1] &= ~2ull;
    is_no_fault(set_cr0(read_cr0() | CR0_PG | CR0_WP), "PAE: paging on");
    exits("PAE");
    first[0] = 0x11;
    is_u64(read_window(), 0x11, "PAE: a 4 KiB page");
    is_no_fault(try_write_window(), "PAE: writing it");
    is_u64(first[0], 7, "PAE: arrives");
    is_u64(pae_table[0] & (ACCESSED | DIRTY), ACCESSED | DIRTY, "PAE: accessed and dirty");
}

static void pae_pointers(void)
{
    static uint64_t second_table[512] __attribute__((aligned(4096)));
    second_table[0] = (uintptr_t)second | PRESENT | WRITE;
    pae_other[WINDOW_PAE_SLOT] = (uintptr_t)second_table | PRESENT | WRITE;
    is_no_fault(set_cr3(other_pointers), "PAE: other pointers");
    is_u64(read_window(), 0x22, "PAE: they are used");
    is_no_fault(set_cr3(pointers), "PAE: the first pointers again");
    is_u64(read_window(), 7, "PAE: and those");

    pointers[0] = (uintptr_t)pae_other | PRESENT;
    invlpg(WINDOW);
    is_u64(read_window(), 7, "PAE: pointers are not read again by INVLPG");
    write_cr4(read_cr4() ^ CR4_PGE);
    is_u64(read_window(), 0x22, "PAE: but when CR4.PGE changes");
    pointers[0] = (uintptr_t)pae_directories[0] | PRESENT;
    set_cr0(read_cr0() | CR0_CD);
    set_cr0(read_cr0() & ~(unsigned long)CR0_CD);
    is_u64(read_window(), 7, "PAE: and when CR0.CD changes");

    other_pointers[2] |= 1 << 5;
    is_fault(set_cr3(other_pointers), GP, 0, "PAE: pointers with a reserved bit");
    is_u64(read_cr3(), (uintptr_t)pointers, "PAE: CR3 is unchanged");
    is_u64(read_window(), 7, "PAE: the old pointers are still used");
}

static void pae_off(void)
{
    is_no_fault(set_cr0(read_cr0() & ~CR0_PG), "PAE: paging off");
    write_cr4(read_cr4() & ~(unsigned long)(CR4_PAE | CR4_PGE));
    is_u64(mmio_read32(WINDOW), 0xffffffff, "PAE: addresses are physical again");
}

void test_main(void)
{
    first[0] = 0x11;
    second[0] = 0x22;
    use_32_bit_paging();
    use_pae_paging();
    pae_pointers();
    pae_off();
}
