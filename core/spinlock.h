/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fair spin lock. The hypervisor takes interrupts only in cpu_wait() and through VM exits, never
 * while it holds a lock, so there is no variant that masks them.
 */
#pragma once

#include <stdint.h>

struct spinlock {
    uint32_t next;  /* ticket the next taker gets */
    uint32_t owner; /* ticket that holds the lock */
};

#define SPINLOCK_INIT                                                                              \
    {                                                                                              \
        0, 0                                                                                       \
    }

static inline void spin_lock(struct spinlock *lock)
{
    uint32_t ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&lock->owner, __ATOMIC_ACQUIRE) != ticket)
        __builtin_ia32_pause();
}

static inline void spin_unlock(struct spinlock *lock)
{
    __atomic_store_n(&lock->owner, lock->owner + 1, __ATOMIC_RELEASE);
}
