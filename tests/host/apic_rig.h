/* SPDX-License-Identifier: BSD-2-Clause */
/* A domain with APICs for host tests: memory, a clock the test sets, kicks counted. */
#pragma once

#include "apic/domain.h"
#include "apic/ioapic.h"
#include "apic/lapic.h"

enum { RIG_CPUS = 8 };

struct rig {
    struct apic_epoch epoch;
    struct apic_epoch_cpu slots[RIG_CPUS];
    struct apic_domain domain;
    unsigned count;
    unsigned capacity;
    struct lapic *lapic;
    struct apic_post *post;
    uint8_t *pages;
    uint64_t now;
    _Atomic unsigned kicks[2]; /* by enum apic_kick */
    void *_Atomic kicked;      /* owner of the last one */
    size_t allocated;          /* bytes */
    bool out_of_memory;
};

/* Number of the calling thread, as `cpu` callback. */
extern _Thread_local unsigned rig_cpu;

/* All features on, architectural, one group, bus clock 1:1. */
struct apic_config rig_default_config(void);

void rig_init(struct rig *rig, const struct apic_config *config, unsigned capacity);
void rig_destroy(struct rig *rig);

/* Adds an APIC in reset state; its owner cookie is its own address. NULL when refused. */
struct lapic *rig_add(struct rig *rig, uint32_t id32, uint8_t group);

/* The usual start: software-enabled, spurious vector FFh. */
void rig_enable(struct lapic *lapic);
void rig_to_x2apic(struct lapic *lapic);

/* 32-bit register access in whatever mode the APIC is. */
uint32_t rig_get(struct lapic *lapic, uint32_t reg);
void rig_set(struct lapic *lapic, uint32_t reg, uint32_t value);

/* Merges; is `vector` in IRR? */
bool rig_has(struct lapic *lapic, uint8_t vector);
struct lapic_events rig_merge(struct lapic *lapic);
bool rig_bit(struct lapic *lapic, uint32_t base, uint8_t vector);
