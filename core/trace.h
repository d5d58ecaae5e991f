/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The trace: what the machine did, as events of fixed size that each CPU writes into memory of its
 * own, and that go out over the second serial port. docs/trace.md describes what arrives there and
 * what each event carries.
 *
 * Complete or known not to be: when the VMs that ran have ended all buffers are sent, and before
 * that a CPU sends its own when it is nearly full. What finds no room is counted.
 */
#pragma once

#include "core/config/config.h"
#include "core/cpu.h"
#include "core/types.h"

struct handover;

/* The upper four bits are the class, from 1 on: enum config_trace. */
enum trace_type {
    TRACE_BLOCK = 0x01, /* these three are the dump's own: docs/trace.md */
    TRACE_LOST = 0x02,
    TRACE_END = 0x03,

    TRACE_ENTRY = 0x10,
    TRACE_EXIT = 0x11,
    TRACE_RUN = 0x12,  /* the processor's turn on a CPU begins */
    TRACE_STOP = 0x13, /* and ends */

    TRACE_WRITE = 0x20, /* of an APIC register */
    TRACE_BASE = 0x21,
    TRACE_RESET = 0x22,
    TRACE_ERROR = 0x23,
    TRACE_MAP = 0x24,

    TRACE_ROUTE = 0x30,  /* a message was delivered, to as many APICs as took it */
    TRACE_ACCEPT = 0x31, /* an APIC took one */
    TRACE_DROP = 0x32,   /* a message goes nowhere */

    TRACE_INJECT = 0x40,
    TRACE_EOI = 0x41,

    TRACE_ARM = 0x50,
    TRACE_FIRE = 0x51,

    TRACE_SWITCH = 0x60, /* to another VTL */
    TRACE_FAULT = 0x61,  /* an access that a higher VTL denies */
};

enum {
    TRACE_EVENTS = 1 << 17, /* that a CPU has room for: 4 MiB */
    TRACE_NEARLY_FULL = TRACE_EVENTS / 8 * 7,
};

enum { TRACE_NOBODY = 0xffff }; /* as vcpu: a device's doing, or the VM's */

/* As it stands in the dump. What `info`, `a` and `b` are depends on the type. */
struct trace_event {
    uint64_t tsc; /* of the host */
    uint8_t type; /* enum trace_type */
    uint8_t vtl;
    uint16_t vcpu; /* whom it is about */
    uint8_t vm;    /* number in the configuration */
    uint8_t reserved;
    uint16_t info;
    uint64_t a, b;
};
_Static_assert(sizeof(struct trace_event) == 32, "a record of the dump");

_Static_assert(TRACE_ENTRY >> 4 == CONFIG_TRACE_EXITS + 1 &&
                   TRACE_FAULT >> 4 == CONFIG_TRACE_VTL + 1,
               "the configuration's words stand for the classes");

/* Whether a VM that traces these classes wants the event. */
static inline bool trace_wants(uint32_t classes, enum trace_type type)
{
    return classes >> (((unsigned)type >> 4) - 1) & 1;
}

/* Turns tracing on if the configuration asks for it and there is a second serial port. Once, when
 * all CPUs run and remote_init() is done. */
void trace_init(const struct handover *handover);

/* The classes of a VM, by its number in the configuration. */
uint32_t trace_classes(const struct handover *handover, uint32_t vm);

/* Writes an event into the buffer of this CPU. After trace_init(), for a class that it gave. */
void trace_put(const struct trace_event *event);

/*
 * Sends this CPU's buffer if it is nearly full, which takes long. Between two entries to a guest,
 * as remote_poll(), which it calls meanwhile. A CPU that does so between all slices loses no event.
 */
void trace_send_when_full(void);
static inline void trace_poll(void)
{
    if (__builtin_expect(this_cpu()->trace != NULL, 0))
        trace_send_when_full();
}

/* Sends all buffers. On the boot processor, while no VM runs. */
void trace_flush(void);

/* Sends the rest, and the end. */
void trace_end(void);

/* The same in a panic: with nothing but the port, once, unless another CPU was just sending. */
void trace_panic(void);
