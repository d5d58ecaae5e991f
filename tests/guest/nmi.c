/* SPDX-License-Identifier: BSD-2-Clause */
// variant: intercepted intercept_exceptions=on
// apic: yes
/* NMIs: delivered whatever IF says, one at a time, the next one not before IRET.
   SDM Vol 3A, "Nonmaskable Interrupt (NMI)". */
#include "tests/guest/guest.h"

static volatile unsigned depth, deepest, received;
static volatile unsigned resend;

static void let_arrive(void)
{
    for (unsigned i = 0; i < 10; i++)
        cpuid(0, 0);
}

static void on_nmi(struct trap_frame *frame)
{
    (void)frame;
    received++;
    if (++depth > deepest)
        deepest = depth;
    if (resend) {
        resend--;
        self_ipi(ICR_NMI);
        let_arrive();
    }
    depth--;
}

static void send(void)
{
    received = deepest = 0;
    self_ipi(ICR_NMI);
    let_arrive();
}

void test_main(void)
{
    set_handler(NMI, on_nmi);
    lapic_write(LAPIC_SVR, 0xff);
    cli();
    send();
    is_u64(received, 1, "an NMI arrives with IF clear");
    sti_nop();
    send();
    cli();
    is_u64(received, 1, "an NMI arrives with IF set");
    resend = 1;
    send();
    is_u64(received, 2, "an NMI sent from the handler arrives");
    is_u64(deepest, 1, "after the handler, not within");
    resend = 3;
    send();
    is_u64(received, 4, "several in a row arrive");
    is_u64(deepest, 1, "one after the other");
    write_cr8(15);
    send();
    write_cr8(0);
    is_u64(received, 1, "the task priority does not hold an NMI back");
    is_u64(lapic_read(LAPIC_SVR) & SVR_ENABLE, 0, "all with the APIC software-disabled");
    lapic_enable();
    send();
    is_u64(received, 1, "and with it enabled");
    set_handler(NMI, NULL);
    is_fault(TRY("int $2", :), NMI, 0, "INT 2 goes to the NMI's vector");
}
