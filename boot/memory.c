/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory taken from the firmware for the hypervisor. */
#include "boot/boot.h"

#include "core/x86.h"

enum { CLAIMS_MAX = HANDOVER_MAX_FILES + 256 };

static struct memory_claim claims[CLAIMS_MAX];
static uint32_t n_claims;

uint64_t memory_take(uint64_t size, uint64_t highest)
{
    EFI_MEMORY_TYPE type = highest == MEMORY_BELOW_1M ? EfiLoaderCode : EfiLoaderData;
    EFI_PHYSICAL_ADDRESS base = highest;

    size = align_up(size, PAGE_SIZE);
    if (n_claims == CLAIMS_MAX ||
        EFI_ERROR(boot_services->AllocatePages(AllocateMaxAddress, type, size / PAGE_SIZE, &base)))
        return 0;
    claims[n_claims++] = (struct memory_claim){.base = base, .size = size};
    return base;
}

void memory_free_all(void)
{
    while (n_claims > 0) {
        n_claims--;
        boot_services->FreePages(claims[n_claims].base, claims[n_claims].size / PAGE_SIZE);
    }
}

const struct memory_claim *memory_claims(uint32_t *count)
{
    *count = n_claims;
    return claims;
}
