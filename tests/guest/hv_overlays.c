// hyperv: on
// vcpus: 2
/*
 * Overlay pages and who sees them: the other processor, at once, and what happens where two lie at
 * one address.
 */
#include "tests/guest/lib/hv.h"
#include "tests/guest/lib/smp.h"

enum { ROUNDS = 200, RAM = 0x5a5a5a5a };

static volatile uint32_t *page;
static volatile unsigned round, done;
static volatile uint32_t seen[ROUNDS + 1];

/* Reads the page all the time, so that its translation is in the TLB when the overlay changes. */
static void watch(uintptr_t unused)
{
    (void)unused;
    for (unsigned i = 1; i <= ROUNDS; i++) {
        while (round != i)
            (void)page[0];
        seen[i] = page[0];
        done = i;
    }
}

/* @covered: what the overlay has there. */
static void seen_by_others(uint32_t msr, uint32_t covered, const char *what)
{
    unsigned wrong = 0;

    round = done = 0;
    cpu_begin(cpus[1], watch, 0);
    for (unsigned i = 1; i <= ROUNDS; i++) {
        wrmsr(msr, (uintptr_t)page | (i & 1));
        round = i;
        if (!WAIT_UNTIL(done == i, 1000))
            bail_out("the other processor does not look");
        wrong += seen[i] != (i & 1 ? covered : RAM);
    }
    cpu_wait(cpus[1]);
    is_u64(wrong, 0, "%s: another processor sees it come and go when the WRMSR ends", what);
}

/* The messages' page has 1 at its start, the event flags' 2. */
static void at_one_address(void)
{
    wrmsr(HV_MSR_SIMP, (uintptr_t)page | 1);
    page[0] = 1;
    wrmsr(HV_MSR_SIMP, 0);
    wrmsr(HV_MSR_SIEFP, (uintptr_t)page | 1);
    page[0] = 2;
    is_u64(page[0], 2, "one page");
    wrmsr(HV_MSR_SIMP, (uintptr_t)page | 1);
    is_u64(page[0], 1, "another at the same address is seen");
    wrmsr(HV_MSR_SIEFP, 0);
    is_u64(page[0], RAM, "disabling the first uncovers the memory");
    wrmsr(HV_MSR_SIMP, (uintptr_t)page | 1);
    is_u64(page[0], 1, "the second, written again, is there again");
    wrmsr(HV_MSR_SIEFP, (uintptr_t)page | 1);
    is_u64(page[0], 2, "the first, too, and now it is the later one");
    wrmsr(HV_MSR_SIEFP, 0);
    is_u64(page[0], RAM, "disabling it uncovers the memory, not the earlier one");
    wrmsr(HV_MSR_SIMP, 0);
    is_u64(page[0], RAM, "disabling that, too");
}

void test_main(void)
{
    smp_start();
    smp_idle(false);
    wrmsr(HV_MSR_GUEST_OS_ID, HV_TEST_OS_ID);
    page = page_alloc();
    memset((void *)page, RAM & 0xff, PAGE_SIZE);
    seen_by_others(HV_MSR_REFERENCE_TSC, 1, "a page of the partition's");
    seen_by_others(HV_MSR_SIMP, 0, "a page of a processor's");
    at_one_address();
}
