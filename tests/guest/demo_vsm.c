/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "make run DEMO=vsm": what Virtual Trust Levels are for. VTL1 keeps a secret that VTL0 cannot
 * read, an IPI stays in the level it was sent in, and a timer of VTL1 takes the processor from
 * VTL0.
 */
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/vsm.h"

enum {
    SELF = HV_VP_SELF,
    REG_RIP = 0x20010,
    REG_PARTITION_CONFIG = 0xd0007,
    CONFIG_ON = 1 | VSM_RWX << 1 | 1 << 5,
    VECTOR_IPI = 0x51,
    VECTOR_TIMER = 0x52,
    MESSAGE_RIP = 16 + 24, /* offsets in the intercept message */
    MESSAGE_GPA = 16 + 56,
};

static char safe[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static uint8_t *messages;
static volatile uint64_t behind;
static volatile unsigned taken[2], ticks;

static unsigned level(void)
{
    return vsm_self() ? 1 : 0;
}

static void say(const char *text)
{
    printf("    VTL%u: %s\n", level(), text);
}

/* ---- In VTL1 ---- */

static void on_intercept(struct trap_frame *frame)
{
    uint64_t gpa, rip;
    (void)frame;
    memcpy(&gpa, messages + MESSAGE_GPA, sizeof(gpa));
    memcpy(&rip, messages + MESSAGE_RIP, sizeof(rip));
    printf(
        "    VTL1: VTL0's instruction at %llx wants to read %llx. No: I let it go on behind it.\n",
        (unsigned long long)rip, (unsigned long long)gpa);
    vsm_set((uint32_t)SELF, HV_USE_TARGET_VTL, REG_RIP, behind, 0);
    *(volatile uint32_t *)messages = 0;
    lapic_eoi();
}

static void on_ipi(struct trap_frame *frame)
{
    (void)frame;
    taken[level()]++;
    lapic_eoi();
}

static void on_timer(struct trap_frame *frame)
{
    (void)frame;
    ticks++;
    say("my timer has come: VTL0 has to wait a moment, whether it lets interrupts in or not.");
    lapic_eoi();
}

static void begin(uintptr_t unused)
{
    (void)unused;
    messages = vsm_use_synic();
    memcpy(safe, "the word is swordfish", 22);
    vsm_set((uint32_t)SELF, 0, REG_PARTITION_CONFIG, CONFIG_ON, 0);
    printf("    VTL1: I keep a secret at %llx: \"%s\".\n", (unsigned long long)(uintptr_t)safe,
           safe);
    vsm_protect(safe, 1, VSM_NONE);
    say("and allow VTL0 no access to that page.");
}

static void read_aloud(uintptr_t unused)
{
    (void)unused;
    printf("    VTL1: \"%s\": it is still there.\n", safe);
}

static void enable_on_1(uintptr_t parameters)
{
    vsm_enable_vp((const struct hv_vp_context *)parameters);
}

static void prepare(uintptr_t unused)
{
    (void)unused;
    vsm_use_assist();
    lapic_enable();
}

static void send(uintptr_t unused)
{
    (void)unused;
    ipi(0, VECTOR_IPI);
}

static void arm(uintptr_t microseconds)
{
    lapic_timer_start(VECTOR_TIMER, (uint32_t)microseconds);
    say("I set my timer, and return.");
}

/* ---- On the other processor ---- */

static void send_from_vtl0(uintptr_t unused)
{
    send(unused);
}

static void prepare_vtl1(uintptr_t unused)
{
    vsm_run(prepare, unused);
}

static void send_from_vtl1(uintptr_t unused)
{
    vsm_run(send, unused);
}

/* ---- The story ---- */

static void secret(void)
{
    uint64_t stolen = 0;
    printf("\n1. A secret\n\n");
    vsm_run(begin, 0);
    say("I am the kernel, all memory is mine. Let me read that page.");
    asm volatile("lea 1f(%%rip), %%rax\n\t"
                 "mov %%rax, behind\n\t"
                 "mov (%1), %0\n"
                 "1:"
                 : "+r"(stolen)
                 : "r"(safe)
                 : "rax", "memory");
    say(stolen == 0 ? "nothing. The instruction was not carried out." : "I HAVE IT!");
    vsm_run(read_aloud, 0);
}

static void ipis(void)
{
    struct hv_vp_context *parameters = page_alloc();
    printf("\n2. Interrupts stay in their level\n\n");
    vsm_fill_context(parameters, 1, 1);
    vsm_run(enable_on_1, (uintptr_t)parameters);
    cpu_call(cpus[1], prepare_vtl1, 0);
    printf("    Each level has an APIC of its own on each processor, with the same ID.\n"
           "    CPU 1 sends vector %xh to the APIC with ID 0, from its VTL0, then from its VTL1.\n",
           VECTOR_IPI);
    cpu_call(cpus[1], send_from_vtl0, 0);
    WAIT_UNTIL(taken[0] > 0, 100);
    printf("    from VTL0: VTL0 of CPU 0 took %u, VTL1 took %u\n", taken[0], taken[1]);
    cpu_call(cpus[1], send_from_vtl1, 0);
    WAIT_UNTIL(taken[1] > 0, 100);
    printf("    from VTL1: VTL0 of CPU 0 took %u, VTL1 took %u, all in all\n", taken[0], taken[1]);
}

static void timer(void)
{
    unsigned long rounds = 0;
    printf("\n3. The higher level comes first\n\n");
    lapic_ticks_per_ms();
    vsm_run(arm, 100000);
    say("I count, with interrupts disabled, and nobody can stop me.");
    cli();
    while (ticks == 0)
        rounds++;
    sti();
    printf("    VTL0: I had got to %s when something happened that I did not see.\n",
           rounds > 1000 ? "many thousands" : "a few");
}

void test_main(void)
{
    set_handler(VSM_INTERCEPT_VECTOR, on_intercept);
    set_handler(VECTOR_IPI, on_ipi);
    set_handler(VECTOR_TIMER, on_timer);
    smp_start();
    printf(
        "\nA processor of this guest can be in one of two Virtual Trust Levels. VTL0 is where an\n"
        "ordinary kernel runs, and starts VTL1, which it cannot reach from then on but by a VTL\n"
        "call. Both see the same memory, except for what VTL1 denies.\n");
    vsm_begin();
    vsm_enable(1);
    secret();
    ipis();
    timer();
    printf("\nThe rules, one by one: docs/vsm.md\n");
    power_off();
}
