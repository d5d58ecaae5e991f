/* SPDX-License-Identifier: BSD-2-Clause */
/* 5-level paging, where the processor has it: SDM Vol 3A, "4-Level Paging and 5-Level Paging". */
#include "tests/guest/guest.h"

enum {
    LEAF_7_ECX_LA57 = 1 << 16,
    PRESENT = 1 << 0,
    WRITE = 1 << 1,
    SCRATCH_PORT = 0x3ff,
};

/* Slots 0 and 1 of the highest table lead to the same 4 GiB; slot 2 leads nowhere. */
#define FAR     (1ul << 48)
#define NOWHERE (2ul << 48)
#define TOO_FAR (1ul << 56)

static uint64_t level_5[512] __attribute__((aligned(4096)));
static volatile uint8_t bytes[4];

void load_cr3_and_cr4(const uint32_t both[2]);

static void switch_to(uintptr_t cr3, unsigned long cr4)
{
    const uint32_t both[2] = {(uint32_t)cr3, (uint32_t)cr4};

    load_cr3_and_cr4(both);
    is_u64(read_cr4(), cr4, "CR4 is as it was set");
}

static struct fault try_read(uintptr_t address)
{
    uint8_t value;

    return TRY("movb (%1), %0", : "=q"(value) : "r"(address));
}

static struct fault try_outsb(uintptr_t from)
{
    return TRY("outsb", : "+S"(from) : "d"(SCRATCH_PORT));
}

static struct fault try_cr4(unsigned long value)
{
    return TRY("mov %0, %%cr4", : : "r"(value) : "memory");
}

static void devices_from_afar(void)
{
    uintptr_t to = FAR + (uintptr_t)&bytes[1];
    unsigned long count = 2;

    mmio_write32(FAR + IOAPIC_BASE + IOAPIC_SELECT, IOAPIC_VERSION);
    uint32_t version = mmio_read32(FAR + IOAPIC_BASE + IOAPIC_WINDOW);
    is_u64(version, mmio_read32(IOAPIC_BASE + IOAPIC_WINDOW), "the I/O APIC from afar");
    is_u64(mmio_read32(FAR + LAPIC_BASE + LAPIC_VERSION), lapic_read(LAPIC_VERSION),
           "the local APIC from afar");
    outb(SCRATCH_PORT, 0xa5);
    asm volatile("rep insb" : "+D"(to), "+c"(count) : "d"(SCRATCH_PORT) : "memory");
    is_u64(bytes[0] << 16 | bytes[1] << 8 | bytes[2], 0xa5a5, "REP INSB to afar");
    is_no_fault(try_outsb(FAR + (uintptr_t)bytes), "OUTSB from afar");
}

static void addresses_with_five_levels(void)
{
    bytes[3] = 0x5a;
    is_u64(*(volatile uint8_t *)(FAR + (uintptr_t)&bytes[3]), 0x5a, "RAM from afar");
    devices_from_afar();
    is_fault(try_read(NOWHERE), PF, 0, "an address that leads nowhere");
    is_fault(try_outsb(NOWHERE), PF, 0, "OUTSB from there");
    is_fault(try_read(TOO_FAR), GP, 0, "one of more than 57 bits");
    is_fault(try_outsb(TOO_FAR), GP, 0, "OUTSB from there");
}

static void with_la57(void)
{
    uintptr_t cr3 = read_cr3();
    unsigned long cr4 = read_cr4();

    is_u64(cpuid(0x80000008, 0).eax >> 8 & 0xff, 57, "linear addresses have 57 bits");
    is_fault(try_cr4(cr4 | CR4_LA57), GP, 0, "LA57 is not set in long mode");
    is_fault(try_read(FAR), GP, 0, "with four levels 48 bits are all");
    is_fault(try_outsb(FAR), GP, 0, "OUTSB from there");

    level_5[0] = level_5[1] = cr3 | PRESENT | WRITE;
    switch_to((uintptr_t)level_5, cr4 | CR4_LA57);
    addresses_with_five_levels();
    is_fault(try_cr4(cr4), GP, 0, "LA57 is not cleared in long mode");
    switch_to(cr3, cr4);
    is_fault(try_read(FAR), GP, 0, "with four levels again 48 bits are all");
}

void test_main(void)
{
    if (cpuid(7, 0).ecx & LEAF_7_ECX_LA57) {
        with_la57();
        return;
    }
    is_u64(cpuid(0x80000008, 0).eax >> 8 & 0xff, 48, "linear addresses have 48 bits");
    is_fault(try_cr4(read_cr4() | CR4_LA57), GP, 0, "LA57 is reserved");
    is_fault(try_wrmsr(MSR_LSTAR, FAR), GP, 0, "WRMSR goes by 48 bits");
}
