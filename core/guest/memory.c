/* SPDX-License-Identifier: BSD-2-Clause */
/* Bounds-checked access to a guest's RAM. */
#include "core/guest/memory.h"

#include <stddef.h>

#include "core/string.h"

static const struct guest_slot *find_slot(const struct guest_memory *gm, gpa_t gpa)
{
    for (uint32_t i = 0; i < gm->count; i++)
        if (gpa - gm->slots[i].gpa < gm->slots[i].size)
            return &gm->slots[i];
    return NULL;
}

/* The address of gpa and, in *len, how many of the bytes asked for its slot holds. */
static void *chunk(const struct guest_memory *gm, gpa_t gpa, uint64_t *len)
{
    const struct guest_slot *slot = find_slot(gm, gpa);

    if (!slot)
        return NULL;
    uint64_t offset = gpa - slot->gpa;
    if (*len > slot->size - offset)
        *len = slot->size - offset;
    return (uint8_t *)slot->hva + offset;
}

static bool is_ram(const struct guest_memory *gm, gpa_t gpa, uint64_t len)
{
    while (len) {
        uint64_t n = len;
        if (!chunk(gm, gpa, &n))
            return false;
        gpa += n;
        len -= n;
    }
    return true;
}

bool gm_add(struct guest_memory *gm, gpa_t gpa, uint64_t size, void *hva)
{
    if (gm->count == GUEST_MEMORY_SLOTS_MAX || !size || gpa + size < gpa)
        return false;
    for (uint32_t i = 0; i < gm->count; i++) {
        const struct guest_slot *slot = &gm->slots[i];
        if (gpa < slot->gpa + slot->size && slot->gpa < gpa + size)
            return false;
    }
    gm->slots[gm->count++] = (struct guest_slot){.gpa = gpa, .size = size, .hva = hva};
    return true;
}

bool gm_read(const struct guest_memory *gm, gpa_t gpa, void *buf, uint64_t len)
{
    uint8_t *to = buf;

    if (!is_ram(gm, gpa, len))
        return false;
    while (len) {
        uint64_t n = len;
        const void *from = chunk(gm, gpa, &n);
        memcpy(to, from, n);
        to += n;
        gpa += n;
        len -= n;
    }
    return true;
}

bool gm_write(const struct guest_memory *gm, gpa_t gpa, const void *buf, uint64_t len)
{
    const uint8_t *from = buf;

    if (!is_ram(gm, gpa, len))
        return false;
    while (len) {
        uint64_t n = len;
        void *to = chunk(gm, gpa, &n);
        memcpy(to, from, n);
        from += n;
        gpa += n;
        len -= n;
    }
    return true;
}

void *gm_ptr(const struct guest_memory *gm, gpa_t gpa, uint64_t len)
{
    uint64_t n = len;
    void *p = chunk(gm, gpa, &n);

    return len && n == len ? p : NULL;
}
