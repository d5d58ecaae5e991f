/* SPDX-License-Identifier: BSD-2-Clause */
/* The spin lock that writers of one structure use among themselves. Internal to apic/. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

static inline void apic_relax(void)
{
    __builtin_ia32_pause();
}

static inline void apic_lock(_Atomic uint32_t *lock)
{
    while (atomic_exchange_explicit(lock, 1, memory_order_acquire) != 0)
        while (atomic_load_explicit(lock, memory_order_relaxed) != 0)
            apic_relax();
}

static inline void apic_unlock(_Atomic uint32_t *lock)
{
    atomic_store_explicit(lock, 0, memory_order_release);
}
