/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory taken from the firmware for the hypervisor. */
#include "boot/memory.h"

#include "core/handover.h"

enum { CLAIMS_MAX = HANDOVER_MAX_FILES + 16 };

static struct memory_claim claims[CLAIMS_MAX];
static uint32_t n_claims;

static uint64_t allocate(uint64_t size, uint64_t highest, bool code)
{
    EFI_PHYSICAL_ADDRESS base = highest;
    EFI_STATUS status = boot_services->AllocatePages(
        AllocateMaxAddress, code ? EfiLoaderCode : EfiLoaderData, size / PAGE_SIZE, &base);

    return EFI_ERROR(status) ? 0 : base;
}

static void release(uint64_t base, uint64_t size)
{
    if (size != 0)
        boot_services->FreePages(base, size / PAGE_SIZE);
}

/* Firmware aligns to pages only: take more and give back both ends. */
static uint64_t allocate_aligned(uint64_t size, uint64_t align, uint64_t highest, bool code)
{
    uint64_t slack = align - PAGE_SIZE;
    uint64_t start = allocate(size + slack, highest, code);
    uint64_t base = align_up(start, align);

    if (start == 0)
        return 0;
    release(start, base - start);
    release(base + size, start + slack - base);
    return base;
}

uint64_t memory_take(uint64_t size, uint64_t align, uint64_t highest, bool code)
{
    uint64_t base;

    if (n_claims == CLAIMS_MAX)
        return 0;
    size = align_up(size, PAGE_SIZE);
    base = allocate_aligned(size, align, highest, code);
    if (base == 0)
        return 0;
    claims[n_claims++] = (struct memory_claim){.base = base, .size = size};
    return base;
}

void memory_free_all(void)
{
    while (n_claims > 0) {
        n_claims--;
        release(claims[n_claims].base, claims[n_claims].size);
    }
}

const struct memory_claim *memory_claims(uint32_t *count)
{
    *count = n_claims;
    return claims;
}
