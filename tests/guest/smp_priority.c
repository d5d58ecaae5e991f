/* SPDX-License-Identifier: BSD-2-Clause */
// vcpus: 5
// time_limit: 120s
// apic: yes
/* Priority on every processor in turn, with interrupts from another one: TPR and CR8, nesting, EOI,
   and what IRR, ISR, TMR and PPR show at each stage. SDM Vol 3A, "Task and Processor Priorities",
   "Interrupt Acceptance for Fixed Interrupts", "Signaling Interrupt Servicing Completion". */
#include "tests/guest/lib/smp.h"

enum {
    CPUS = 5,
    SENDERS = 2,
    FIRST_CLASS = 3, /* the library's vectors are of class 2 */
    CLASSES = 16,
    SPURIOUS = 0xff,
    WORDS = 8,
    STORM = 100,
    STORM_VECTOR = 0x50,
};

static volatile bool stop;

static void done(const char *what)
{
    ok(smp_right, "CPU %u, %s: %s", this_cpu()->number, boot_cpu.x2apic ? "x2APIC" : "xAPIC", what);
    smp_right = true;
}

/* The first, second and third of those that wait for work. */
static struct cpu *other(unsigned nth)
{
    unsigned n = nth + 1;
    return cpus[this_cpu()->number && n >= this_cpu()->number ? n + 1 : n];
}

/* ---- Interrupts from another processor ---- */

static volatile uint32_t request;    /* a vector, for the processor at request_id */
static volatile uint32_t request_id; /* stored before the request, and so seen by the sender */
static volatile unsigned served;

static void serve(uintptr_t argument)
{
    (void)argument;
    while (!stop) {
        if (!request) {
            pause();
            continue;
        }
        uint32_t vector = request;
        request = 0; /* a handler may have the next one before the IPI is over */
        ipi(request_id, vector);
        served++;
    }
}

static void let_send(unsigned vector)
{
    unsigned before = served;
    request_id = this_cpu()->apic_id;
    request = vector;
    if (!WAIT_UNTIL(served != before, 1000))
        bail_out("the other processor does not send");
}

/* Until it shows in the IRR, which it does while it is held back. */
static void receive(unsigned vector)
{
    let_send(vector);
    if (!WAIT_UNTIL(lapic_bit(LAPIC_IRR, vector), 1000))
        bail_out("vector 0x%x does not arrive", vector);
}

/* ---- What the handlers see ---- */

static struct {
    unsigned vector;
    uintptr_t ip;
    uint32_t ppr;
    bool irr, isr, tmr;
} taken[32];
static volatile unsigned times, spurious;

static void note(const struct trap_frame *frame)
{
    unsigned vector = (unsigned)frame->vector;
    if (times >= sizeof(taken) / sizeof(*taken))
        bail_out("more interrupts than were sent, of vector 0x%x", vector);
    taken[times].vector = vector;
    taken[times].ip = frame->ip;
    taken[times].ppr = lapic_read(LAPIC_PPR);
    taken[times].irr = lapic_bit(LAPIC_IRR, vector);
    taken[times].isr = lapic_bit(LAPIC_ISR, vector);
    taken[times].tmr = lapic_bit(LAPIC_TMR, vector);
    times++;
}

static void on_interrupt(struct trap_frame *frame)
{
    note(frame);
    lapic_eoi();
}

static void on_spurious(struct trap_frame *frame)
{
    (void)frame;
    spurious++;
}

static void see_taken(unsigned nth, unsigned vector)
{
    smp_see(taken[nth].vector, vector, "taken", nth);
    smp_see(taken[nth].ppr, vector & 0xf0, "PPR in the handler of", vector);
    smp_see(taken[nth].irr, false, "IRR in the handler of", vector);
    smp_see(taken[nth].isr, true, "ISR in the handler of", vector);
    smp_see(taken[nth].tmr, false, "TMR in the handler of", vector);
}

static void use_handlers(trap_handler *handler)
{
    for (unsigned vector = FIRST_CLASS << 4; vector < SPURIOUS; vector++)
        set_handler(vector, handler);
}

/* ---- TPR ---- */

/* The instruction behind the one that releases an interrupt. */
static uintptr_t release_by_cr8(unsigned priority)
{
    uintptr_t behind;
    asm volatile("lea 1f(%%rip), %0; mov %1, %%cr8; 1: nop"
                 : "=&r"(behind)
                 : "r"((unsigned long)priority >> 4)
                 : "memory");
    return behind;
}

static uintptr_t release_by_register(unsigned priority)
{
    uintptr_t behind;
    if (this_cpu()->x2apic)
        asm volatile("lea 1f(%%rip), %0; wrmsr; 1: nop"
                     : "=&r"(behind)
                     : "a"(priority), "d"(0), "c"(MSR_X2APIC + LAPIC_TPR / 16)
                     : "memory");
    else
        asm volatile("lea 1f(%%rip), %0; movl %1, (%2); 1: nop"
                     : "=&r"(behind)
                     : "r"(priority), "r"(LAPIC_BASE + LAPIC_TPR)
                     : "memory");
    return behind;
}

static void held_by_tpr(unsigned vector, uintptr_t (*release)(unsigned))
{
    unsigned class = vector & 0xf0;
    times = 0;
    lapic_write(LAPIC_TPR, class | 0x3);
    smp_see((uint32_t)read_cr8(), class >> 4, "CR8 at", vector);
    receive(vector);
    smp_see(times, 0, "interrupts held by TPR, of", vector);
    smp_see(lapic_read(LAPIC_PPR), class | 0x3, "PPR while TPR holds", vector);
    smp_see(lapic_bit(LAPIC_ISR, vector), false, "ISR while TPR holds", vector);
    lapic_write(LAPIC_TPR, class);
    write_cr8(class >> 4);
    smp_see(times, 0, "interrupts held by an equal class, of", vector);
    uintptr_t behind = release(class - 0x10);
    smp_see(times, 1, "interrupts after the release of", vector);
    smp_see((uint32_t)taken[0].ip, (uint32_t)behind, "place of", vector);
    see_taken(0, vector);
    smp_see(lapic_read(LAPIC_PPR), class - 0x10, "PPR after", vector);
    smp_see(lapic_bit(LAPIC_ISR, vector), false, "ISR after", vector);
}

static void task_priority(void)
{
    use_handlers(on_interrupt);
    for (unsigned class = FIRST_CLASS; class < CLASSES; class ++) {
        held_by_tpr(class << 4, release_by_cr8);
        held_by_tpr(class << 4 | 0xe, release_by_register);
    }
    write_cr8(0);
    done("TPR holds its class and below, whoever lowers it");
}

/* Both IF and TPR hold; either alone goes on holding. */
static void held_by_both(void)
{
    for (unsigned first = 0; first < 2; first++) {
        times = 0;
        cli();
        write_cr8(8);
        self_ipi(0x75);
        smp_see(lapic_bit(LAPIC_IRR, 0x75), true, "IRR behind a self-IPI", 0x75);
        receive(0x76);
        if (first) {
            sti_nop();
            smp_see(times, 0, "interrupts with TPR holding", first);
            write_cr8(0);
        } else {
            write_cr8(0);
            smp_see(times, 0, "interrupts with IF clear", first);
            sti_nop();
        }
        smp_see(times, 2, "interrupts after", first);
        see_taken(0, 0x76);
        see_taken(1, 0x75);
        sti();
    }
    done("IF and TPR hold a self-IPI and another");
}

/* PPR is the higher of TPR and the class in service; low bits are TPR's alone. */
static void on_ppr(struct trap_frame *frame)
{
    static const uint8_t tprs[][2] = {
        {0x00, 0x60}, {0x5f, 0x60}, {0x60, 0x60}, {0x6f, 0x6f}, {0x70, 0x70}, {0xff, 0xff},
    };
    note(frame);
    for (unsigned i = 0; i < sizeof(tprs) / sizeof(*tprs); i++) {
        lapic_write(LAPIC_TPR, tprs[i][0]);
        smp_see(lapic_read(LAPIC_PPR), tprs[i][1], "PPR in service with TPR", tprs[i][0]);
        smp_see(lapic_read(LAPIC_TPR), tprs[i][0], "TPR written with", tprs[i][0]);
    }
    lapic_eoi();
    smp_see(lapic_read(LAPIC_PPR), 0xff, "PPR after EOI with TPR", 0xff);
}

static void processor_priority(void)
{
    set_handler(0x6a, on_ppr);
    times = 0;
    let_send(0x6a);
    WAIT_UNTIL(times == 1, 1000);
    see_taken(0, 0x6a);
    lapic_write(LAPIC_TPR, 0);
    smp_see(lapic_read(LAPIC_PPR), 0, "PPR with TPR", 0);
    done("PPR");
}

/* ---- Nesting ---- */

static const uint8_t nested[] = {0x30, 0x41, 0x52, 0x73, 0xa4, 0xf5};
enum { DEPTH = sizeof(nested) };
static volatile unsigned depth;

/* Vectors in service, as ISR has them. */
static void see_in_service(unsigned count)
{
    for (unsigned word = 0; word < WORDS; word++) {
        uint32_t expected = 0;
        for (unsigned i = 0; i < count; i++)
            expected |= nested[i] / 32 == word ? 1u << nested[i] % 32 : 0;
        smp_see(lapic_read(LAPIC_ISR + word * 16), expected, "ISR word", word);
    }
    smp_see(lapic_read(LAPIC_PPR), count ? nested[count - 1] & 0xf0u : 0, "PPR at depth", count);
}

/* Each lets the next higher one in; an interrupt of the own class and a lower one wait. */
static void on_nested(struct trap_frame *frame)
{
    note(frame);
    if (depth == DEPTH || frame->vector != nested[depth]) {
        lapic_eoi();
        return;
    }
    depth++;
    see_in_service(depth);
    sti_nop();
    receive((unsigned)frame->vector ^ 0x8);
    if (depth < DEPTH) {
        unsigned next = nested[depth];
        let_send(next);
        WAIT_UNTIL(depth == DEPTH && !lapic_bit(LAPIC_ISR, next), 1000);
    }
    cli();
    unsigned level = 0;
    while (nested[level] != frame->vector)
        level++;
    see_in_service(level + 1);
    lapic_eoi();
    see_in_service(level);
}

static void nesting(void)
{
    use_handlers(on_nested);
    times = depth = 0;
    let_send(nested[0]);
    WAIT_UNTIL(times == 2 * DEPTH, 1000);
    smp_see(times, 2 * DEPTH, "nested interrupts", 0);
    for (unsigned i = 0; i < DEPTH; i++) {
        see_taken(i, nested[i]);
        smp_see(taken[DEPTH + i].vector, nested[DEPTH - 1 - i] ^ 0x8u, "after the EOI", i);
    }
    see_in_service(0);
    done("only higher classes interrupt a handler, each EOI lets the next in");
}

/* ---- One vector in each word of the registers ---- */

static uint32_t pending[WORDS];

/* Bit 0 is reserved; docs/errata.md, "Bochs 3.0's". */
static uint32_t bank_word(unsigned bank, unsigned word)
{
    uint32_t value = lapic_read(bank + word * 16);
    return bank == LAPIC_IRR && word == 0 ? value & ~1u : value;
}

static unsigned spread(unsigned word)
{
    return (word ? word * 32 : 16) + word * 3;
}

static void see_words(unsigned bank, unsigned only, const char *what)
{
    for (unsigned word = 0; word < WORDS; word++) {
        uint32_t expected = bank == LAPIC_IRR ? pending[word] : 0;
        if (only && only / 32 == word)
            expected |= 1u << only % 32;
        smp_see(bank_word(bank, word), expected, what, word);
    }
}

static void on_spread(struct trap_frame *frame)
{
    unsigned vector = (unsigned)frame->vector;
    note(frame);
    pending[vector / 32] &= ~(1u << vector % 32);
    see_words(LAPIC_IRR, 0, "IRR in the handler, word");
    see_words(LAPIC_ISR, vector, "ISR in the handler, word");
    see_words(LAPIC_TMR, 0, "TMR in the handler, word");
    lapic_eoi();
    see_words(LAPIC_ISR, 0, "ISR after EOI, word");
}

static void all_words(void)
{
    times = 0;
    write_cr8(15);
    for (unsigned word = 0; word < WORDS; word++) {
        set_handler(spread(word), on_spread);
        pending[word] = 1u << spread(word) % 32;
        receive(spread(word));
    }
    see_words(LAPIC_IRR, 0, "IRR before, word");
    see_words(LAPIC_ISR, 0, "ISR before, word");
    smp_see(lapic_read(LAPIC_PPR), 0xf0, "PPR before", 0);
    smp_see(times, 0, "interrupts before", 0);
    write_cr8(0);
    smp_see(times, WORDS, "interrupts after", 0);
    for (unsigned nth = 0; nth < WORDS; nth++)
        smp_see(taken[nth].vector, spread(WORDS - 1 - nth), "taken", nth);
    set_handler(spread(0), NULL);
    done("IRR, ISR and TMR of vectors in all words");
}

/* ---- EOI and disabling ---- */

static void no_effect(void)
{
    use_handlers(on_interrupt);
    times = 0;
    write_cr8(15);
    receive(0x47);
    lapic_eoi();
    lapic_eoi();
    smp_see(lapic_bit(LAPIC_IRR, 0x47), true, "IRR after an EOI for nothing", 0x47);
    lapic_write(LAPIC_SVR, SPURIOUS);
    smp_see(lapic_bit(LAPIC_IRR, 0x47), true, "IRR when disabled", 0x47);
    let_send(0x57);
    write_cr8(0);
    smp_see(times, 1, "interrupts when disabled", 0);
    see_taken(0, 0x47);
    lapic_enable();
    set_handler(SPURIOUS, on_spurious);
    delay_us(200);
    smp_see(times, 1, "interrupts when enabled again", 0);
    smp_see(spurious, 0, "spurious interrupts", 0);
    done("EOI for nothing; what was pending when the APIC was disabled");
}

/* ---- HLT ---- */

static volatile bool woken;
static volatile unsigned sent_while_halted;

static void on_waking(struct trap_frame *frame)
{
    note(frame);
    if (frame->vector == 0x71)
        write_cr8(0);
    lapic_eoi();
}

static void send_to_halted(uintptr_t id)
{
    delay_us(2000);
    ipi((uint32_t)id, 0x51);
    delay_us(2000);
    sent_while_halted = woken;
    ipi((uint32_t)id, 0x71);
}

static void halted(void)
{
    struct cpu *sender = other(1);
    use_handlers(on_waking);
    times = 0;
    woken = false;
    write_cr8(6);
    cli();
    cpu_begin(sender, send_to_halted, this_cpu()->apic_id);
    sti_hlt();
    woken = true;
    cpu_wait(sender);
    smp_see(sent_while_halted, false, "woken by", 0x51);
    smp_see(times, 2, "interrupts", 0);
    see_taken(0, 0x71);
    see_taken(1, 0x51);
    done("what TPR holds does not end HLT, what is higher does");
}

/* ---- Everything at once ---- */

static volatile bool closed;
static volatile unsigned through, violations;

static void on_storm(struct trap_frame *frame)
{
    violations += closed || (lapic_read(LAPIC_PPR) & 0xf0) != (frame->vector & 0xf0);
    this_cpu()->count[frame->vector]++;
    lapic_eoi();
}

static struct cpu *storm_target;

/* One message at a time: the next when the handler has counted. */
static void send_storm(uintptr_t vector)
{
    volatile unsigned *count = &storm_target->count[vector];
    unsigned before = *count;
    for (unsigned n = 1; n <= STORM; n++) {
        ipi(storm_target->apic_id, (uint32_t)vector);
        if (!WAIT_UNTIL(*count != before, 1000) || *count != before + 1)
            break;
        before++;
    }
    __atomic_fetch_add(&through, 1, __ATOMIC_SEQ_CST);
}

static void dawdle(unsigned turns)
{
    for (volatile unsigned i = turns; i; i--)
        ;
}

static void storm(void)
{
    unsigned turns = 0, before[SENDERS];
    use_handlers(on_storm);
    storm_target = this_cpu();
    through = violations = 0;
    for (unsigned n = 0; n < SENDERS; n++) {
        before[n] = this_cpu()->count[STORM_VECTOR + n];
        cpu_begin(other(1 + n), send_storm, STORM_VECTOR + n);
    }
    while (through < SENDERS) {
        turns++;
        write_cr8(5);
        closed = true;
        dawdle(turns & 0x1f);
        closed = false;
        write_cr8(4);
        dawdle(turns & 0x7);
        lapic_write(LAPIC_TPR, 0x5f);
        closed = true;
        dawdle(turns & 0xf);
        closed = false;
        lapic_write(LAPIC_TPR, 0x0f);
    }
    lapic_write(LAPIC_TPR, 0);
    for (unsigned n = 0; n < SENDERS; n++) {
        cpu_wait(other(1 + n));
        smp_see(this_cpu()->count[STORM_VECTOR + n] - before[n], STORM, "messages of sender", n);
    }
    smp_see(violations, 0, "interrupts while closed or with a wrong PPR", 0);
    done("TPR and CR8 opened and closed under messages of two others");
}

/* ---- On every processor ---- */

static volatile bool finished;

static void on_this(uintptr_t argument)
{
    (void)argument;
    stop = finished = false;
    cpu_begin(other(0), serve, 0);
    task_priority();
    held_by_both();
    processor_priority();
    nesting();
    all_words();
    no_effect();
    halted();
    stop = true;
    cpu_wait(other(0));
    storm();
    finished = true;
    ipi(boot_cpu.apic_id, VECTOR_WAKE);
}

static void to_x2apic(uintptr_t argument)
{
    (void)argument;
    lapic_enter_x2apic();
}

/* The boot processor sleeps meanwhile, and leaves its physical CPU to those at work. */
static void on_each(void)
{
    on_this(0);
    for (unsigned n = 1; n < CPUS; n++) {
        finished = false;
        cpu_begin(cpus[n], on_this, 0);
        cli();
        while (!finished) {
            sti_hlt();
            cli();
        }
        sti();
        cpu_wait(cpus[n]);
    }
}

void test_main(void)
{
    smp_start();
    set_handler(SPURIOUS, on_spurious);
    on_each();
    cpu_call_all(to_x2apic, 0);
    on_each();
}
