/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests on several processors: starting them, giving them work, counting what interrupts them. Long
   mode only. */
#pragma once

#include "tests/guest/guest.h"

enum {
    STARTUP_PAGE = 0x8,
    VECTOR_SYNC = 0x20,
    VECTOR_WAKE = 0x21,
};

/* In the order of the MADT, the boot processor first; cpus[n]->number is n. */
extern struct cpu *cpus[CPUS_MAX];
extern unsigned cpu_count;

/* How processors without work wait: halted (at first), or in a loop with PAUSE. Interrupts are let
   in. */
extern volatile bool idle_halts;
void smp_idle(bool halt);

/* The first thing a processor does when it comes up, before it touches its APIC; or NULL. */
extern void (*volatile smp_first)(void);

/* The APIC IDs of the MADT's enabled processors; at most CPUS_MAX. Returns how many. */
unsigned madt_apic_ids(uint32_t ids[CPUS_MAX]);

/*
 * Start everybody with INIT and SIPI to all but self. Bails out unless exactly the processors of
 * the MADT come up. Enables all APICs, the own one as well, and lets interrupts in.
 */
void smp_start(void);

/* Copy the start page to physical page number @page. */
void smp_prepare(unsigned page);

/*
 * INIT and SIPI from here to this destination in this mode (ICR_LOGICAL, shorthands); true when
 * exactly the processors in the mask came up, once each.
 */
bool smp_restart(uint32_t destination, uint32_t mode, uint64_t mask, unsigned page);

/* Wait until the processors in the mask have come up once more than `before` says, by number; true
   when they have, and nobody else. */
bool started(uint64_t mask, const unsigned before[]);

/* Send what `low` says, from this processor in its mode; destination is an ID, not shifted. */
void ipi(uint32_t destination, uint32_t low);

/* Run a function on another processor: begin, or begin and wait. Bails out after 10 s. */
void cpu_begin(struct cpu *cpu, cpu_function *function, uintptr_t argument);
void cpu_wait(struct cpu *cpu);
void cpu_call(struct cpu *cpu, cpu_function *function, uintptr_t argument);

/* Run it on all processors at once, the own one included, and wait. */
void cpu_call_all(cpu_function *function, uintptr_t argument);

/* Handlers that count in the processor's own count[]; the second ends with an EOI. */
void count_nmi(struct trap_frame *frame);
void count_ipi(struct trap_frame *frame);

/*
 * Wait until everybody who is not offline has taken all interrupts above VECTOR_SYNC, and all NMIs,
 * that were sent to it before: a later interrupt of lower priority must have come through. Bails
 * out after 10 s.
 */
void smp_sync(void);

/*
 * After smp_sync(): true when each processor in the mask (bit n: cpus[n]) took `vector` exactly
 * `times` times since the last call, and no other took it. Says what it saw instead.
 */
bool taken_by(unsigned vector, uint64_t mask, unsigned times);

/* Let a processor send this; true when exactly those in the mask have taken it, once. */
bool sent_to(unsigned sender, uint32_t destination, uint32_t low, uint64_t mask);

/* Whether all was right since the last smp_done(). The second says what else was seen. */
extern bool smp_right;
void smp_see(uint32_t seen, uint32_t expected, const char *what, unsigned number);

/* A test's result, with the APICs' mode and how processors idle. */
void smp_done(const char *what);

/* Wait, with PAUSE and interrupts as they are, for a condition or the end of guest time. */
#define WAIT_UNTIL(condition, timeout_ms)                                                          \
    ({                                                                                             \
        uint64_t end_ = rdtsc() + (timeout_ms)*tsc_per_ms();                                       \
        while (!(condition) && rdtsc() < end_)                                                     \
            pause();                                                                               \
        bool came_ = (condition);                                                                  \
        __atomic_signal_fence(__ATOMIC_SEQ_CST); /* what it says is there is read behind it */     \
        came_;                                                                                     \
    })
