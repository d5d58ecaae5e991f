/* SPDX-License-Identifier: BSD-2-Clause */
/* What a debugger is tried on: functions that one can break at, on two processors and in VTL1, and
   numbers that it can change. For tests/runner/gdb.py. */
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/vsm.h"

/* GDB finds its arguments where the ABI has them. */
#define VISIBLE static __attribute__((noipa))

static volatile uint64_t counter = 5, from_debugger = 1;

VISIBLE uint64_t add_seven(uint64_t to)
{
    asm volatile("" : "+r"(to));
    return to + 7;
}

VISIBLE void on_second(uintptr_t argument)
{
    counter += argument;
}

VISIBLE void in_vtl1(uintptr_t argument)
{
    counter += argument;
}

/* Instructions that exit and that do not, one after the other. */
VISIBLE void stepped(void)
{
    asm volatile("stepped_begin: nop\n"
                 "xorl %%eax, %%eax\n"
                 "xorl %%ecx, %%ecx\n"
                 "cpuid\n"
                 "stepped_end: nop"
                 :
                 :
                 : "eax", "ebx", "ecx", "edx", "memory");
}

VISIBLE void ends(void)
{
    asm volatile("");
}

VISIBLE void spins(void)
{
    for (unsigned i = 0; from_debugger != 99; i++)
        pause();
}

void test_main(void)
{
    smp_start();
    counter = add_seven(counter);
    stepped();
    cpu_call(cpus[1], on_second, 100);
    vsm_begin();
    vsm_enable(1);
    vsm_run(in_vtl1, 1000);
    spins();
    printf("counter %u\n", (unsigned)counter);
    ends();
    guest_exit(0);
}
