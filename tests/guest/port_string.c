/* SPDX-License-Identifier: BSD-2-Clause */
/* INS and OUTS: repeated, both directions, all sizes, both address sizes, over page boundaries and
   into pages that are not there. The UART's scratch register stands for a device. */
#include "tests/guest/guest.h"

enum {
    ABSENT = 0xea,
    SCRATCH = 0x3ff,
    FILL = 0x5a,
};

static uint8_t buffer[3 * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

struct string_registers {
    uint64_t address, count;
};

#define INS_OUTS(name, instruction, address_register)                                              \
    static struct string_registers name(uint16_t port, void *address, uint64_t count)              \
    {                                                                                              \
        struct string_registers r = {(uintptr_t)address, count};                                   \
        asm volatile(instruction                                                                   \
                     : "+" address_register(r.address), "+c"(r.count)                              \
                     : "d"(port)                                                                   \
                     : "memory");                                                                  \
        return r;                                                                                  \
    }

INS_OUTS(rep_insb, "rep insb", "D")
INS_OUTS(rep_insw, "rep insw", "D")
INS_OUTS(rep_insl, "rep insl", "D")
INS_OUTS(rep_outsb, "rep outsb", "S")
INS_OUTS(rep_outsw, "rep outsw", "S")
INS_OUTS(rep_outsl, "rep outsl", "S")
INS_OUTS(rep_insb_down, "std; rep insb; cld", "D")
INS_OUTS(rep_outsb_down, "std; rep outsb; cld", "S")
INS_OUTS(one_insb, "insb", "D")
INS_OUTS(one_outsb, "outsb", "S")
INS_OUTS(rep_insb_a32, "addr32 rep insb", "D")
INS_OUTS(rep_outsb_a32, "addr32 rep outsb", "S")

static unsigned count_bytes(const uint8_t *from, uint8_t byte, unsigned count)
{
    unsigned seen = 0;
    for (unsigned i = 0; i < count; i++)
        seen += from[i] == byte;
    return seen;
}

static void input(void)
{
    outb(SCRATCH, FILL);
    memset(buffer, 0, sizeof(buffer));
    struct string_registers r = rep_insb(SCRATCH, buffer + 1, 100);
    is_u64(count_bytes(buffer, FILL, 200), 100, "REP INSB stores 100 bytes");
    is_u64(r.count, 0, "and leaves RCX 0");
    is_u64(r.address, (uintptr_t)buffer + 101, "and RDI behind them");
    is_u64(buffer[0] | buffer[101], 0, "and nothing around them");
    r = rep_insw(ABSENT, buffer, 10);
    is_u64(r.address, (uintptr_t)buffer + 20, "REP INSW moves RDI by words");
    is_u64(count_bytes(buffer, 0xff, 200), 20, "REP INSW stores words");
    r = rep_insl(ABSENT, buffer, 10);
    is_u64(r.address, (uintptr_t)buffer + 40, "REP INSD moves RDI by doublewords");
    is_u64(count_bytes(buffer, 0xff, 200), 40, "REP INSD stores doublewords");
    r = one_insb(SCRATCH, buffer, 7);
    is_u64(r.address, (uintptr_t)buffer + 1, "INSB stores one byte");
    is_u64(r.count, 7, "INSB leaves RCX alone");
}

static void output(void)
{
    for (unsigned i = 0; i < sizeof(buffer); i++)
        buffer[i] = (uint8_t)(i * 7);
    struct string_registers r = rep_outsb(SCRATCH, buffer, 100);
    is_u64(inb(SCRATCH), buffer[99], "REP OUTSB ends with the last byte");
    is_u64(r.count, 0, "and leaves RCX 0");
    is_u64(r.address, (uintptr_t)buffer + 100, "and RSI behind it");
    r = rep_outsw(ABSENT, buffer, 10);
    is_u64(r.address, (uintptr_t)buffer + 20, "REP OUTSW moves RSI by words");
    r = rep_outsl(ABSENT, buffer, 10);
    is_u64(r.address, (uintptr_t)buffer + 40, "REP OUTSD moves RSI by doublewords");
    r = one_outsb(SCRATCH, buffer + 55, 7);
    is_u64(inb(SCRATCH), buffer[55], "OUTSB writes one byte");
    is_u64(r.count, 7, "OUTSB leaves RCX alone");
}

static void downward(void)
{
    memset(buffer, 0, sizeof(buffer));
    outb(SCRATCH, FILL);
    struct string_registers r = rep_insb_down(SCRATCH, buffer + 99, 100);
    is_u64(count_bytes(buffer, FILL, 100), 100, "REP INSB downward");
    is_u64(r.address, (uintptr_t)buffer - 1, "REP INSB downward leaves RDI before");
    buffer[10] = 0x33;
    r = rep_outsb_down(SCRATCH, buffer + 50, 41);
    is_u64(inb(SCRATCH), 0x33, "REP OUTSB downward ends with the lowest byte");
    is_u64(r.address, (uintptr_t)buffer + 9, "REP OUTSB downward leaves RSI before");
}

static void address_size(void)
{
    memset(buffer, 0, sizeof(buffer));
    outb(SCRATCH, FILL);
    void *high = (void *)((uintptr_t)buffer | 0xabcd00000000);
    struct string_registers r = rep_insb_a32(SCRATCH, high, 0x1200000010);
    is_u64(count_bytes(buffer, FILL, 100), 16, "REP INSB with 32-bit addresses uses EDI and ECX");
    is_u64(r.address, (uintptr_t)buffer + 16, "and clears the upper half of RDI");
    is_u64(r.count, 0, "and of RCX");
    buffer[15] = 0x44;
    r = rep_outsb_a32(SCRATCH, high, 0x1200000010);
    is_u64(inb(SCRATCH), 0x44, "REP OUTSB with 32-bit addresses uses ESI and ECX");
    is_u64(r.address, (uintptr_t)buffer + 16, "and clears the upper half of RSI");
}

static void nothing_to_do(void)
{
    buffer[0] = 1;
    struct string_registers r = rep_insb(ABSENT, buffer, 0);
    is_u64(buffer[0], 1, "REP INSB with RCX 0 stores nothing");
    is_u64(r.address, (uintptr_t)buffer, "and leaves RDI");
    is_no_fault(TRY("rep insb",
                    :
                    : "d"(ABSENT), "c"(0), "D"(1ull << 47)
                    : "memory"),
                "and does not look at its address");
}

static void segment_override(void)
{
    buffer[77] = 0x66;
    wrmsr(MSR_FS_BASE, (uintptr_t)buffer + 70);
    asm volatile("fs outsb" : : "d"(SCRATCH), "S"(7) : "memory");
    wrmsr(MSR_FS_BASE, 0);
    is_u64(inb(SCRATCH), 0x66, "OUTSB reads from the segment a prefix names");
}

static void over_pages(void)
{
    memset(buffer, 0, sizeof(buffer));
    outb(SCRATCH, FILL);
    struct string_registers r = rep_insb(SCRATCH, buffer + 10, 2 * PAGE_SIZE);
    is_u64(count_bytes(buffer, FILL, sizeof(buffer)), 2 * PAGE_SIZE, "REP INSB over three pages");
    is_u64(r.address, (uintptr_t)buffer + 10 + 2 * PAGE_SIZE, "with RDI behind them");
    memset(buffer, 0, sizeof(buffer));
    rep_insl(ABSENT, buffer + PAGE_SIZE - 2, 1);
    is_u64(count_bytes(buffer, 0xff, sizeof(buffer)), 4, "INSD across a page boundary");
    is_u64(buffer[PAGE_SIZE - 2] & buffer[PAGE_SIZE + 1], 0xff, "lies on both pages");
}

/* The second page is away: the elements before it are done, the registers say which. */
static void faults(void)
{
    uint64_t *entry = page_entry((uintptr_t)buffer + PAGE_SIZE);
    uint64_t present = *entry;
    struct string_registers r = {(uintptr_t)buffer + PAGE_SIZE - 5, 20};
    map_page((uintptr_t)buffer + PAGE_SIZE, present & ~(uint64_t)PAGE_PRESENT);
    outb(SCRATCH, FILL);
    memset(buffer, 0, PAGE_SIZE);
    struct fault f = TRY("rep insb", : "+D"(r.address), "+c"(r.count) : "d"(SCRATCH) : "memory");
    is_fault(f, PF, PAGE_WRITE, "REP INSB into an absent page");
    is_u64(f.address, (uintptr_t)buffer + PAGE_SIZE, "CR2 is the first missing byte");
    is_u64(f.offset, 0, "the faulting instruction is REP INSB itself");
    is_u64(r.count, 15, "RCX counts what is left");
    is_u64(r.address, (uintptr_t)buffer + PAGE_SIZE, "RDI is the missing byte");
    is_u64(count_bytes(buffer, FILL, PAGE_SIZE), 5, "what was before it is stored");
    map_page((uintptr_t)buffer + PAGE_SIZE, present);
    rep_insb(SCRATCH, (void *)r.address, r.count);
    is_u64(count_bytes(buffer + PAGE_SIZE, FILL, PAGE_SIZE), 15, "run again it does the rest");

    map_page((uintptr_t)buffer + PAGE_SIZE, present & ~(uint64_t)PAGE_PRESENT);
    r = (struct string_registers){(uintptr_t)buffer + PAGE_SIZE - 3, 20};
    f = TRY("rep outsb", : "+S"(r.address), "+c"(r.count) : "d"(ABSENT) : "memory");
    is_fault(f, PF, 0, "REP OUTSB from an absent page");
    is_u64(f.address, (uintptr_t)buffer + PAGE_SIZE, "CR2 is the first missing byte");
    is_u64(r.count, 17, "RCX counts what is left");
    map_page((uintptr_t)buffer + PAGE_SIZE, present & ~(uint64_t)PAGE_WRITE);
    f = TRY("insb", : : "D"(buffer + PAGE_SIZE), "d"(ABSENT) : "memory");
    is_fault(f, PF, PAGE_PRESENT | PAGE_WRITE, "INSB into a read-only page");
    map_page((uintptr_t)buffer + PAGE_SIZE, present);
    is_fault(TRY("insb",
                 :
                 : "D"(1ull << 47), "d"(ABSENT)
                 : "memory"),
             GP, 0, "INSB to a non-canonical address");
}

static void accessed_and_dirty(void)
{
    uint64_t *entry = page_entry((uintptr_t)buffer);
    map_page((uintptr_t)buffer, *entry & ~(uint64_t)(PAGE_ACCESSED | PAGE_DIRTY));
    rep_outsb(ABSENT, buffer, 1);
    is_u64(*entry & (PAGE_ACCESSED | PAGE_DIRTY), PAGE_ACCESSED, "OUTSB sets the accessed bit");
    rep_insb(ABSENT, buffer, 1);
    is_u64(*entry & PAGE_DIRTY, PAGE_DIRTY, "INSB sets the dirty bit");
}

void test_main(void)
{
    input();
    output();
    downward();
    address_size();
    nothing_to_do();
    segment_override();
    over_pages();
    faults();
    accessed_and_dirty();
}
