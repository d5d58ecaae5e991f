// hyperv: on
// vcpus: 2
/*
 * Reference time in both its forms, and synthetic timers: one-shot and periodic, by message and
 * direct, never early.
 */
#include "tests/guest/lib/hv.h"
#include "tests/guest/lib/smp.h"

enum {
    ENABLED = 1,
    PERIODIC = 2,
    LAZY = 4,
    AUTO_ENABLE = 8,
    DIRECT = 1 << 12,
    VECTOR = 0x71,
    SINT = 3,
    MS = 10000, /* in reference time */
    TIMER_EXPIRED = (int)0x80000010,
};

#define CONFIG(n)       (HV_MSR_STIMER0_CONFIG + 2 * (n))
#define COUNT(n)        (HV_MSR_STIMER0_COUNT + 2 * (n))
#define BY_MESSAGE      ((uint64_t)SINT << 16)
#define BY_VECTOR(v)    (DIRECT | (uint64_t)(v) << 4)
#define LATE_BY_AT_MOST (2 * MS)

static volatile struct {
    uint32_t sequence, reserved;
    uint64_t scale;
    int64_t offset;
    uint64_t rest[509];
} * tsc_page;

static volatile struct {
    uint32_t type;
    uint8_t size, flags;
    uint16_t reserved;
    uint64_t origin;
    uint32_t timer, reserved2;
    uint64_t expired, delivered;
    uint8_t rest[216];
} * slots;

static volatile uint64_t fired_at[256];

static uint64_t now(void)
{
    return rdmsr(HV_MSR_TIME_REF_COUNT);
}

static uint64_t page_time(void)
{
    return (uint64_t)((unsigned __int128)rdtsc() * tsc_page->scale >> 64) +
           (uint64_t)tsc_page->offset;
}

static void note_time(struct trap_frame *frame)
{
    fired_at[frame->vector] = now();
    count_trap(frame);
    if (rdmsr(COUNT(1)) == 1 && trap_count[frame->vector] >= 5)
        wrmsr(CONFIG(1), 0);
    lapic_eoi();
}

static void reference_time(void)
{
    uint64_t frequency = rdmsr(HV_MSR_TSC_FREQUENCY);
    bool zero = true, ordered = true;

    in_range(frequency / 1000, tsc_per_ms() * 99 / 100, tsc_per_ms() * 101 / 100,
             "the TSC's frequency");
    is_u64(rdmsr(HV_MSR_APIC_FREQUENCY), frequency, "the APIC timer's is the same");
    is_fault(try_wrmsr(HV_MSR_TIME_REF_COUNT, 0), GP, 0, "the counter cannot be written");
    is_fault(try_wrmsr(HV_MSR_TSC_FREQUENCY, 0), GP, 0, "nor the frequencies");
    is_fault(try_wrmsr(HV_MSR_APIC_FREQUENCY, 0), GP, 0, "either of them");
    tsc_page = page_alloc();
    wrmsr(HV_MSR_REFERENCE_TSC, (uintptr_t)tsc_page | 1);
    is_u64(rdmsr(HV_MSR_REFERENCE_TSC), (uintptr_t)tsc_page | 1, "the TSC page is enabled");
    ok(tsc_page->sequence != 0, "it is valid");
    for (unsigned i = 0; i < 509; i++)
        zero = zero && tsc_page->rest[i] == 0;
    ok(zero, "its rest is 0");
    for (unsigned i = 0; i < 100; i++) {
        uint64_t a = page_time(), b = now(), c = page_time(), d = now();
        ordered = ordered && a <= b && b <= c && c <= d && b < d;
    }
    ok(ordered, "page and counter show one time");
    uint64_t start = now();
    delay_us(10000);
    in_range(now() - start, 99 * MS / 10, 115 * MS / 10, "10 ms of it");
}

static volatile uint64_t other_time;

static void look_at_time(uintptr_t unused)
{
    (void)unused;
    other_time = now();
}

static void timer_registers(void)
{
    bool all = true;

    for (unsigned n = 0; n < 4; n++)
        all = all && rdmsr(CONFIG(n)) == 0 && rdmsr(COUNT(n)) == 0;
    ok(all, "four timers are 0 after reset");
    is_fault(try_wrmsr(CONFIG(4), 0), GP, 0, "there is no fifth");
    for (unsigned bit = 13; bit < 64; bit++)
        if (bit < 16 || bit >= 20)
            all = all && try_wrmsr(CONFIG(0), 1ull << bit).vector == GP;
    ok(all, "reserved bits are refused");
    is_fault(try_wrmsr(CONFIG(0), BY_VECTOR(15)), GP, 0, "vector 15");
    wrmsr(CONFIG(0), ENABLED);
    is_u64(rdmsr(CONFIG(0)), 0, "by message of SINT0: it is not enabled");
    wrmsr(CONFIG(0), AUTO_ENABLE | BY_VECTOR(VECTOR));
    is_u64(rdmsr(CONFIG(0)), AUTO_ENABLE | BY_VECTOR(VECTOR), "to be enabled by its count");
    wrmsr(COUNT(0), ~0ull);
    is_u64(rdmsr(CONFIG(0)), ENABLED | AUTO_ENABLE | BY_VECTOR(VECTOR), "it is");
    wrmsr(COUNT(0), 0);
    is_u64(rdmsr(CONFIG(0)), AUTO_ENABLE | BY_VECTOR(VECTOR), "a count of 0 disables it");
    wrmsr(CONFIG(0), 0);
}

static void one_shots(void)
{
    for (unsigned n = 0; n < 4; n++) {
        trap_count[VECTOR + n] = 0;
        set_handler(VECTOR + n, note_time);
        wrmsr(CONFIG(n), BY_VECTOR(VECTOR + n));
        wrmsr(COUNT(n), now());
        delay_us(100);
        is_u64(trap_count[VECTOR + n], 0, "timer %u stands until it is enabled", n);
        uint64_t due = now() + (n + 1) * MS;
        wrmsr(COUNT(n), due);
        wrmsr(CONFIG(n), ENABLED | (n & 1 ? LAZY : 0) | BY_VECTOR(VECTOR + n));
        ok(wait_for(&trap_count[VECTOR + n], 1, 100), "then it fires");
        in_range(fired_at[VECTOR + n], due, due + LATE_BY_AT_MOST, "not early");
        is_u64(rdmsr(CONFIG(n)) & ENABLED, 0, "it is not enabled any more");
        delay_us(3000);
        is_u64(trap_count[VECTOR + n], 1, "and does not fire again");
    }
    trap_count[VECTOR] = 0;
    wrmsr(CONFIG(0), AUTO_ENABLE | BY_VECTOR(VECTOR));
    wrmsr(COUNT(0), now() - MS);
    ok(wait_for(&trap_count[VECTOR], 1, 10), "a time that has passed: at once");
    wrmsr(COUNT(0), now() + 2 * MS);
    wrmsr(COUNT(0), 0);
    delay_us(4000);
    is_u64(trap_count[VECTOR], 1, "one that is taken back does not come");
    uint64_t due = now() + 2 * MS;
    wrmsr(COUNT(0), due);
    while (trap_count[VECTOR] == 1)
        asm volatile("hlt");
    in_range(fired_at[VECTOR], due, due + LATE_BY_AT_MOST, "it ends HLT, not early");
}

static void periods(void)
{
    uint64_t start = now();
    bool never_early = true;

    trap_count[VECTOR + 1] = 0;
    wrmsr(COUNT(1), MS);
    wrmsr(CONFIG(1), ENABLED | PERIODIC | BY_VECTOR(VECTOR + 1));
    for (unsigned i = 1; i <= 10; i++) {
        while (trap_count[VECTOR + 1] < i)
            asm volatile("hlt");
        never_early = never_early && fired_at[VECTOR + 1] >= start + i * MS;
    }
    uint64_t ten = now() - start;
    ok(never_early, "ten periods, none early");
    in_range(ten, 10 * MS, 10 * MS + LATE_BY_AT_MOST, "they do not drift");
    is_u64(rdmsr(CONFIG(1)) & ENABLED, ENABLED, "it stays enabled");
    asm volatile("cli");
    delay_us(5000);
    asm volatile("sti; nop");
    unsigned before = trap_count[VECTOR + 1];
    delay_us(3000);
    in_range(trap_count[VECTOR + 1] - before, 2, 4, "periods that were missed come once");
    wrmsr(CONFIG(1), 0);
    before = trap_count[VECTOR + 1];
    delay_us(3000);
    is_u64(trap_count[VECTOR + 1], before, "disabled: it stops");
    trap_count[VECTOR + 1] = 0;
    wrmsr(COUNT(1), 1);
    wrmsr(CONFIG(1), ENABLED | PERIODIC | BY_VECTOR(VECTOR + 1));
    while (rdmsr(CONFIG(1)) != 0)
        pause();
    ok(trap_count[VECTOR + 1] >= 5, "a period of 100 ns leaves the guest time to stop it");
}

static void end_message(unsigned sint)
{
    slots[sint].type = 0;
    asm volatile("mfence" : : : "memory");
    if (slots[sint].flags & 1)
        wrmsr(HV_MSR_EOM, 0);
}

static void messages(void)
{
    slots = page_alloc();
    set_handler(VECTOR + 8, note_time);
    wrmsr(HV_MSR_SINT0 + SINT, VECTOR + 8);
    uint64_t due = now() + MS;
    wrmsr(CONFIG(2), AUTO_ENABLE | BY_MESSAGE);
    wrmsr(COUNT(2), due);
    delay_us(2000);
    wrmsr(HV_MSR_SCONTROL, 1);
    is_u64(trap_count[VECTOR + 8], 0, "an expiry without a message page waits");
    wrmsr(HV_MSR_SIMP, (uintptr_t)slots | 1);
    ok(wait_for(&trap_count[VECTOR + 8], 1, 10), "its message comes with the page");
    ok(slots[SINT].type == (uint32_t)TIMER_EXPIRED && slots[SINT].size == 24 &&
           slots[SINT].origin == 0 && slots[SINT].timer == 2,
       "it says which timer");
    is_u64(slots[SINT].expired, due, "when it expired");
    in_range(slots[SINT].delivered, due + MS, now(), "and when it was delivered");
    due = now() + MS;
    wrmsr(CONFIG(3), AUTO_ENABLE | BY_MESSAGE);
    wrmsr(COUNT(3), due);
    delay_us(2000);
    is_u64(slots[SINT].timer, 2, "another timer of this SINT waits for the slot");
    is_u64(slots[SINT].flags, 1, "and says so");
    end_message(SINT);
    ok(wait_for(&trap_count[VECTOR + 8], 2, 10), "it comes after EOM");
    ok(slots[SINT].timer == 3 && slots[SINT].expired == due, "with the time it was due");
    /* The slot is taken; a period passes several times. */
    wrmsr(COUNT(2), MS);
    wrmsr(CONFIG(2), ENABLED | PERIODIC | BY_MESSAGE);
    delay_us(3500);
    end_message(SINT);
    ok(wait_for(&trap_count[VECTOR + 8], 3, 10), "a periodic one comes once");
    wrmsr(CONFIG(2), 0);
    delay_us(500);
    end_message(SINT);
    delay_us(500);
    is_u64(trap_count[VECTOR + 8], 3, "however often it expired");
    wrmsr(CONFIG(2), AUTO_ENABLE | BY_MESSAGE);
    wrmsr(COUNT(2), now());
    wait_for(&trap_count[VECTOR + 8], 4, 10);
    wrmsr(CONFIG(3), AUTO_ENABLE | BY_MESSAGE);
    wrmsr(COUNT(3), now());
    delay_us(500);
    wrmsr(CONFIG(3), 0);
    end_message(SINT);
    delay_us(500);
    is_u64(trap_count[VECTOR + 8], 4, "an expiry that waits goes with its timer");
}

static volatile unsigned other_fired;

static void on_other(struct trap_frame *frame)
{
    (void)frame;
    other_fired = this_cpu()->number + 1;
    lapic_eoi();
}

static void set_timer(uintptr_t unused)
{
    (void)unused;
    wrmsr(CONFIG(0), AUTO_ENABLE | BY_VECTOR(VECTOR + 9));
    wrmsr(COUNT(0), now() + MS);
}

static void other_processor(void)
{
    uint64_t a = now();
    cpu_call(cpus[1], look_at_time, 0);
    in_range(other_time, a, now(), "the other processor has the same time");
    set_handler(VECTOR + 9, on_other);
    cpu_call(cpus[1], set_timer, 0);
    wait_for(&other_fired, 1, 20);
    is_u64(other_fired, 2, "its timers interrupt it");
    is_u64(rdmsr(CONFIG(0)), AUTO_ENABLE | BY_VECTOR(VECTOR), "each has its own");
}

static volatile int64_t page_ahead;

/* Of the counter, in reference time. */
static void compare_times(uintptr_t unused)
{
    (void)unused;
    uint64_t by_page = page_time();
    page_ahead = (int64_t)(by_page - now());
}

static void shift_tsc(uintptr_t ticks)
{
    wrmsr(MSR_TSC, rdtsc() + ticks);
    compare_times(0);
}

/* The page knows one TSC, the counter counts the VM's. */
static void changed_tsc(void)
{
    uint64_t before = now();
    cpu_call(cpus[1], shift_tsc, 1000 * tsc_per_ms());
    in_range((uint64_t)page_ahead, 990 * MS, 1010 * MS,
             "a TSC set one second ahead: so is the page's time");
    cpu_call(cpus[1], look_at_time, 0);
    in_range(other_time, before, now(), "not the counter's");
    compare_times(0);
    in_range((uint64_t)-page_ahead, 0, MS, "nor the page's on the other processor");
}

static void set_late_timer(uintptr_t due)
{
    wrmsr(CONFIG(1), AUTO_ENABLE | BY_VECTOR(VECTOR + 9));
    wrmsr(COUNT(1), due);
}

/* An INIT resets the processor and its APIC, and nothing of Hyper-V's. */
static void timer_and_init(void)
{
    uint64_t due = now() + 50 * MS;
    other_fired = 0;
    cpu_call(cpus[1], set_late_timer, due);
    ok(smp_restart(cpus[1]->apic_id, 0, 1 << 1, STARTUP_PAGE), "a processor starts anew");
    ok(now() < due && other_fired == 0, "while its timer runs");
    wait_for(&other_fired, 1, 100);
    is_u64(other_fired, 2, "which then interrupts it");
    ok(now() >= due, "and not early");
}

void test_main(void)
{
    smp_start();
    wrmsr(HV_MSR_GUEST_OS_ID, HV_TEST_OS_ID);
    reference_time();
    timer_registers();
    one_shots();
    periods();
    messages();
    other_processor();
    changed_tsc();
    timer_and_init();
}
