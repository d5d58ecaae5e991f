/* SPDX-License-Identifier: BSD-2-Clause */
/* Translates guest-linear to guest-physical addresses by walking the guest's page tables. Pure.
 * Source: SDM Vol 3A, "Paging". */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What the access wants; none of WRITE and EXECUTE is a read. */
enum walk_access {
    WALK_READ = 0,
    WALK_WRITE = 1 << 0,
    WALK_EXECUTE = 1 << 1,
    WALK_IMPLICIT_SUPERVISOR = 1 << 2, /* descriptor-table and TSS accesses, whatever the CPL */
    WALK_KEEP_TABLES = 1 << 3,         /* leave accessed and dirty flags alone */
};

enum walk_result {
    WALK_OK,
    WALK_PAGE_FAULT,    /* #PF with walk_out.error_code; CR2 is the address */
    WALK_NOT_CANONICAL, /* #GP, or #SS for a stack access */
    WALK_NO_TABLE,      /* a paging structure lies where the memory callbacks cannot reach */
    WALK_RETRY,         /* other processors kept changing the tables: run the guest again */
};

/* Page-fault error code, SDM Vol 3A, "Page-Fault Exceptions". */
enum walk_error {
    WALK_ERROR_PRESENT = 1 << 0,
    WALK_ERROR_WRITE = 1 << 1,
    WALK_ERROR_USER = 1 << 2,
    WALK_ERROR_RESERVED = 1 << 3,
    WALK_ERROR_FETCH = 1 << 4,
};

/*
 * The state of the processor that makes the access. Protection keys, shadow stacks and linear-
 * address masking are not supported: the guest must not be able to set CR4.PKE, CR4.PKS, CR4.CET
 * or CR3.LAM bits.
 */
struct walk_env {
    uint64_t cr0, cr3, cr4, efer;
    uint64_t pdpte[4];  /* the PDPTE registers; used in PAE paging only */
    uint8_t cpl;        /* 0..3 */
    bool ac;            /* RFLAGS.AC */
    uint8_t maxphyaddr; /* of the guest's CPUID: 32..52 */
    bool page_1g;       /* the guest's CPUID has 1-GByte pages */

    void *ctx;
    /* Reads one naturally aligned entry of size 4 or 8 at a guest-physical address. False if there
     * is no RAM. */
    bool (*read)(void *ctx, uint64_t gpa, unsigned size, uint64_t *value);
    /* Atomically replaces the entry if it still equals expected; *swapped says whether it did.
     * False if there is no writable RAM. Unused with WALK_KEEP_TABLES. */
    bool (*compare_exchange)(void *ctx, uint64_t gpa, unsigned size, uint64_t expected,
                             uint64_t desired, bool *swapped);
};

struct walk_out {
    uint64_t gpa;
    uint64_t page_size;  /* bytes of the mapping, to whose end the translation holds; 4096 with
                            paging off */
    uint32_t error_code; /* with WALK_PAGE_FAULT */
};

/*
 * Translates one address. Accessed and dirty flags are set only if the access is allowed, in every
 * entry that was used. *out is meaningful as the result says. Never waits: under a concurrent
 * change of the tables it starts over a bounded number of times.
 */
enum walk_result walk(const struct walk_env *env, uint64_t gva, unsigned access,
                      struct walk_out *out);
