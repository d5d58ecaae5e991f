/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests between CPUs: a list per CPU, and a count of rounds that all of them pass. */
#include "core/remote.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/assert.h"
#include "core/cpu.h"
#include "core/interrupt.h"
#include "core/memory.h"
#include "core/x86.h"

struct request {
    struct request *next;
    void (*call)(void *arg);
    void *arg;
    _Atomic bool done;
};

struct inbox {
    _Alignas(64) struct request *_Atomic first;
    _Atomic uint64_t passed; /* the last round that the CPU has seen begin */
};

static struct inbox *inboxes; /* by CPU index */
static _Atomic uint64_t rounds;

static void serve(void)
{
    struct inbox *inbox = &inboxes[this_cpu()->index];

    atomic_store(&inbox->passed, atomic_load(&rounds));
    struct request *request = atomic_exchange(&inbox->first, NULL);
    while (request != NULL) {
        struct request *next = request->next;

        request->call(request->arg);
        atomic_store(&request->done, true); /* its memory is the asker's again */
        request = next;
    }
}

void remote_poll(void)
{
    const struct inbox *inbox = &inboxes[this_cpu()->index];

    if (atomic_load_explicit(&inbox->first, memory_order_relaxed) != NULL ||
        inbox->passed != atomic_load_explicit(&rounds, memory_order_relaxed))
        serve();
}

void remote_init(void)
{
    inboxes = memory_alloc(cpu_count() * sizeof(*inboxes), _Alignof(struct inbox));
    ASSERT(inboxes != NULL);
    interrupt_register(VECTOR_REMOTE, serve);
}

static void wait_a_moment(void)
{
    serve();
    pause();
}

void remote_call(struct cpu *cpu, void (*call)(void *arg), void *arg)
{
    struct request request = {.call = call, .arg = arg};

    if (cpu == this_cpu()) {
        call(arg);
        return;
    }
    struct inbox *inbox = &inboxes[cpu->index];
    request.next = atomic_load(&inbox->first);
    while (!atomic_compare_exchange_weak(&inbox->first, &request.next, &request))
        ;
    interrupt_send(cpu, VECTOR_REMOTE);
    while (!atomic_load(&request.done))
        wait_a_moment();
}

void remote_pass_all(void)
{
    uint64_t round = atomic_fetch_add(&rounds, 1) + 1;

    for (uint32_t i = 0; i < cpu_count(); i++)
        if (cpu_get(i) != this_cpu() && cpu_get(i)->vmx != NULL)
            interrupt_send(cpu_get(i), VECTOR_REMOTE);
    for (uint32_t i = 0; i < cpu_count(); i++)
        while (cpu_get(i) != this_cpu() && cpu_get(i)->vmx != NULL &&
               atomic_load(&inboxes[i].passed) < round)
            wait_a_moment();
}
