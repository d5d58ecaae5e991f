// hyperv: on
// vcpus: 4
// variant: emulated tpr_shadow=off
/*
 * PV IPIs and PV TLB flushes, by masks and by sparse sets: who is reached, and what is refused.
 */
#include "tests/guest/lib/hv.h"
#include "tests/guest/lib/smp.h"

enum {
    FLUSH_SPACE = 0x02,
    FLUSH_LIST = 0x03,
    FLUSH_SPACE_EX = 0x13,
    FLUSH_LIST_EX = 0x14,
    SEND_IPI = 0x0b,
    SEND_IPI_EX = 0x15,
    VECTOR = 0x61,
    ALL_PROCESSORS = 1,
    ALL_SPACES = 2,
    NON_GLOBAL = 4,
    EXTENDED = 8,
    ROUNDS = 200,
};

static uint64_t *in; /* a page */

static uint64_t ipi_to(uint64_t vector_and_vtl, uint64_t mask)
{
    return hv_call(SEND_IPI | HV_FAST, vector_and_vtl, mask);
}

static uint64_t call(uint64_t input)
{
    return hv_call(input, (uintptr_t)in, 0);
}

/* An Ex call: what comes before the set, and then its format, mask of banks and banks. */
static uint64_t ex(uint64_t input, unsigned before, uint64_t format, uint64_t valid, uint64_t bank0,
                   uint64_t bank1)
{
    in[before] = format;
    in[before + 1] = valid;
    in[before + 2] = bank0;
    in[before + 3] = bank1;
    return call(input);
}

static void ipis(void)
{
    set_handler(VECTOR, count_ipi);
    is_u64(ipi_to(VECTOR, 0x6), HV_SUCCESS, "an IPI to two processors");
    smp_sync();
    ok(taken_by(VECTOR, 0x6, 1), "they take it, and nobody else");
    is_u64(ipi_to(VECTOR, 0x1), HV_SUCCESS, "to oneself");
    smp_sync();
    ok(taken_by(VECTOR, 0x1, 1), "it comes");
    is_u64(ipi_to(VECTOR, ~0ull), HV_SUCCESS, "to all, and processors that are not there");
    smp_sync();
    ok(taken_by(VECTOR, 0xf, 1), "those that are take it");
    is_u64(ipi_to(VECTOR, 0), HV_SUCCESS, "to nobody");
    is_u64(ipi_to(VECTOR | 0x10ull << 32, 0x8), HV_SUCCESS, "to VTL0 by name");
    smp_sync();
    ok(taken_by(VECTOR, 0x8, 1), "one's own");
    in[0] = VECTOR;
    in[1] = 0x4;
    is_u64(call(SEND_IPI), HV_SUCCESS, "with parameters in memory");
    smp_sync();
    ok(taken_by(VECTOR, 0x4, 1), "it comes, too");
}

static void refused_ipis(void)
{
    bool all = true;

    for (unsigned vector = 0; vector < 16; vector++)
        all = all && ipi_to(vector, 0xf) == HV_INVALID_PARAMETER;
    ok(all, "vectors below 16");
    is_u64(ipi_to(0x100, 0xf), HV_INVALID_PARAMETER, "vector 100h");
    is_u64(ipi_to(0x80000061, 0xf), HV_INVALID_PARAMETER, "a large vector");
    is_u64(ipi_to(VECTOR | 0x11ull << 32, 0xf), HV_ACCESS_DENIED, "a higher VTL");
    is_u64(ipi_to(VECTOR | 0x30ull << 32, 0xf), HV_INVALID_PARAMETER, "reserved bits of the VTL");
    is_u64(ipi_to(VECTOR | 0x01ull << 32, 0x1), HV_SUCCESS, "a VTL number that does not count");
    smp_sync();
    ok(taken_by(VECTOR, 0x1, 1), "nobody took any but the last");
}

static void sparse_ipis(void)
{
    in[0] = VECTOR;
    is_u64(ex(SEND_IPI_EX | HV_VARIABLE(1), 1, 0, 1, 0xa, 0), HV_SUCCESS, "a set with one bank");
    smp_sync();
    ok(taken_by(VECTOR, 0xa, 1), "those in it take the IPI");
    is_u64(ex(SEND_IPI_EX | HV_VARIABLE(2), 1, 0, 1ull << 63 | 1, 0x5, ~0ull), HV_SUCCESS,
           "two banks, one of processors that are not there");
    smp_sync();
    ok(taken_by(VECTOR, 0x5, 1), "those that are take it");
    is_u64(ex(SEND_IPI_EX | HV_VARIABLE(1), 1, 0, 2, 0xf, 0), HV_SUCCESS, "the second bank alone");
    is_u64(ex(SEND_IPI_EX, 1, 1, 0, 0, 0), HV_SUCCESS, "all");
    smp_sync();
    ok(taken_by(VECTOR, 0xf, 1), "all take it");
    is_u64(ex(SEND_IPI_EX, 1, 0, 0, 0, 0), HV_SUCCESS, "an empty set");
    is_u64(ex(SEND_IPI_EX | HV_VARIABLE(1), 1, 0, 3, 1, 1), HV_INVALID_PARAMETER,
           "fewer banks than the mask says");
    is_u64(ex(SEND_IPI_EX | HV_VARIABLE(2), 1, 0, 1, 1, 1), HV_INVALID_PARAMETER, "more banks");
    is_u64(ex(SEND_IPI_EX | HV_VARIABLE(1), 1, 1, 1, 1, 1), HV_INVALID_PARAMETER,
           "banks in the format without");
    is_u64(ex(SEND_IPI_EX, 1, 2, 0, 0, 0), HV_INVALID_PARAMETER, "an unknown format");
    in[0] = 15;
    is_u64(ex(SEND_IPI_EX, 1, 1, 0, 0, 0), HV_INVALID_PARAMETER, "vector 15");
    in[0] = VECTOR | 0x12ull << 32;
    is_u64(ex(SEND_IPI_EX, 1, 1, 0, 0, 0), HV_ACCESS_DENIED, "a higher VTL");
    smp_sync();
    ok(taken_by(VECTOR, 0xf, 0), "nobody took any of these");
}

/* ---- Flushes ---- */

static uint64_t flush(uint64_t code, uint64_t flags, uint64_t mask)
{
    in[0] = 0;
    in[1] = flags;
    in[2] = mask;
    in[3] = 0x123000;
    return call(code);
}

static void flush_statuses(void)
{
    uint64_t list = FLUSH_LIST | HV_REPS(1), list_ex = FLUSH_LIST_EX | HV_REPS(1);

    is_u64(flush(FLUSH_SPACE, ALL_SPACES, 0xf), HV_SUCCESS, "flush: all spaces, by mask");
    is_u64(flush(FLUSH_SPACE, ALL_PROCESSORS | NON_GLOBAL, 0), HV_SUCCESS, "all processors");
    is_u64(flush(FLUSH_SPACE, 0, 0xf), HV_SUCCESS, "one space");
    is_u64(flush(FLUSH_SPACE, ALL_SPACES, 0), HV_INVALID_PARAMETER, "nobody");
    is_u64(flush(FLUSH_SPACE, EXTENDED, 0xf), HV_INVALID_PARAMETER, "ranges without a list");
    is_u64(flush(FLUSH_SPACE, 0x10, 0xf), HV_INVALID_PARAMETER, "an unknown flag");
    is_u64(flush(FLUSH_SPACE, 1ull << 63, 0xf), HV_INVALID_PARAMETER, "another");
    is_u64(flush(list, 0, 0xf), HV_REPS(1), "a list");
    is_u64(flush(list, EXTENDED, 0xf), HV_REPS(1), "of extended ranges");
    is_u64(flush(FLUSH_LIST | HV_REPS(509), 0, 0x1), HV_REPS(509), "a page of them");
    is_u64(flush(list, NON_GLOBAL, 0xf), HV_INVALID_PARAMETER, "non-global ones of a list");
    is_u64(flush(list, 0, 0), HV_INVALID_PARAMETER, "a list for nobody");
    in[1] = 0;
    is_u64(ex(FLUSH_SPACE_EX | HV_VARIABLE(1), 2, 0, 1, 0xf, 0), HV_SUCCESS, "Ex: a set");
    is_u64(ex(FLUSH_SPACE_EX, 2, 1, 0, 0, 0), HV_SUCCESS, "all");
    is_u64(ex(list_ex | HV_VARIABLE(1), 2, 0, 1, 0xf, 0x5000), HV_REPS(1), "a list");
    is_u64(ex(FLUSH_SPACE_EX, 2, 0, 0, 0, 0), HV_INVALID_PARAMETER, "an empty set");
    is_u64(ex(FLUSH_SPACE_EX, 2, 3, 0, 0, 0), HV_INVALID_PARAMETER, "an unknown format");
    is_u64(ex(FLUSH_SPACE_EX | HV_VARIABLE(1), 2, 0, 3, 1, 1), HV_INVALID_PARAMETER,
           "too few banks");
    in[1] = NON_GLOBAL;
    is_u64(ex(list_ex, 2, 1, 0, 0x5000, 0), HV_INVALID_PARAMETER, "non-global ones of a list");
    in[1] = ALL_PROCESSORS;
    is_u64(ex(FLUSH_SPACE_EX, 2, 0, 0, 0, 0), HV_SUCCESS, "all processors, whatever the set");
}

/*
 * Another processor reads through a mapping all the time. Once the flush after a change of the
 * mapping has returned it must not see the old page any more.
 */
static uint8_t *window;
static volatile uint64_t generation; /* of the mapping: even and odd pages */
static volatile bool stop;
static volatile uint64_t stale[CPUS_MAX], looks[CPUS_MAX];

static void look(uintptr_t argument)
{
    unsigned me = this_cpu()->number;
    (void)argument;

    while (!stop) {
        uint64_t before = generation;
        uint64_t seen = *(volatile uint64_t *)window;
        if (seen < before)
            stale[me]++;
        looks[me]++;
    }
}

static void flushes_reach(void)
{
    uint64_t *pages[2] = {page_alloc(), page_alloc()};

    window = page_alloc();
    map_page((uintptr_t)window, (uintptr_t)pages[0] | PAGE_PRESENT | PAGE_WRITE);
    for (unsigned i = 1; i < cpu_count; i++)
        cpu_begin(cpus[i], look, 0);
    for (uint64_t i = 1; i <= ROUNDS; i++) {
        *pages[i & 1] = i;
        *(volatile uint64_t *)page_entry((uintptr_t)window) =
            (uintptr_t)pages[i & 1] | PAGE_PRESENT | PAGE_WRITE;
        if (i % 3 == 0) {
            flush(FLUSH_SPACE, ALL_SPACES, 0xf);
        } else if (i % 3 == 1) {
            in[1] = 0;
            ex(FLUSH_LIST_EX | HV_REPS(1) | HV_VARIABLE(1), 2, 0, 1, 0xf, (uintptr_t)window);
        } else {
            flush(FLUSH_LIST | HV_REPS(1), ALL_PROCESSORS, 0);
        }
        generation = i; /* from here on the old page is gone for all */
    }
    stop = true;
    for (unsigned i = 1; i < cpu_count; i++) {
        cpu_wait(cpus[i]);
        is_u64(stale[i], 0, "processor %u saw no page after its flush (%lu looks)", i, looks[i]);
        ok(looks[i] > ROUNDS, "and looked often");
    }
    is_u64(*(volatile uint64_t *)window, ROUNDS, "nor did the one that flushed");
}

/* Two flush at each other's processor; each is outside the guest when it waits. */
static void flush_often(uintptr_t argument)
{
    register uint64_t mask asm("r8") = 0;
    (void)argument;
    (void)mask;
    for (unsigned i = 0; i < ROUNDS; i++)
        hv_call(SEND_IPI | HV_FAST, VECTOR, 1ull << (this_cpu()->number ^ 1));
    static uint64_t parameters[CPUS_MAX][4] __attribute__((aligned(64)));
    uint64_t *mine = parameters[this_cpu()->number];
    mine[1] = ALL_PROCESSORS | ALL_SPACES;
    for (unsigned i = 0; i < ROUNDS; i++)
        hv_call(FLUSH_SPACE, (uintptr_t)mine, 0);
}

void test_main(void)
{
    in = page_alloc();
    smp_start();
    wrmsr(HV_MSR_GUEST_OS_ID, HV_TEST_OS_ID);
    ipis();
    refused_ipis();
    sparse_ipis();
    flush_statuses();
    flushes_reach();
    cpu_call_all(flush_often, 0);
    ok(true, "all processors flush at each other");
}
