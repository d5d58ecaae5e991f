/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypervisor that this application carries: into memory, mapped, and entered. */
#include "boot/boot.h"

#include "boot/trampoline.h"
#include "core/page_tables.h"
#include "core/string.h"
#include "core/x86.h"

enum { TABLES_AT_ONCE = 64 };

/* boot/payload.asm */
extern const uint8_t image[], image_end[];
extern const uint8_t symbols[], symbols_end[];
extern const uint8_t trampoline[], trampoline_end[];

static const struct image_header *header(void)
{
    return (const struct image_header *)image;
}

/* Copies a file to memory of size bytes, zeroed behind it. 0: there is no room. */
static uint64_t place(const uint8_t *from, const uint8_t *end, uint64_t size, uint64_t highest)
{
    uint64_t base = memory_take(size, highest);

    if (base == 0)
        return 0;
    memset((void *)base, 0, size);
    memcpy((void *)base, from, (size_t)(end - from));
    return base;
}

EFI_STATUS hypervisor_load(struct handover *handover)
{
    handover->image_size = header()->end;
    handover->image_base = place(image, image_end, handover->image_size, MEMORY_ANYWHERE);
    handover->symbols_size = (uint64_t)(symbols_end - symbols);
    handover->symbols_base = place(symbols, symbols_end, handover->symbols_size, MEMORY_ANYWHERE);
    if (handover->image_base == 0 || handover->symbols_base == 0)
        return refuse(EFI_OUT_OF_RESOURCES, "no room for the hypervisor's %lu KiB",
                      (handover->image_size + handover->symbols_size) / 1024);
    handover->trampoline = place(trampoline, trampoline_end, PAGE_SIZE, MEMORY_BELOW_1M);
    if (handover->trampoline == 0)
        return refuse(EFI_OUT_OF_RESOURCES,
                      "no free page below 1 MiB to start the other processors from");
    return EFI_SUCCESS;
}

static paddr_t new_table(void)
{
    static paddr_t next, end;

    if (next == end) {
        next = memory_take(TABLES_AT_ONCE * PAGE_SIZE, MEMORY_BELOW_4G);
        end = next != 0 ? next + TABLES_AT_ONCE * PAGE_SIZE : 0;
        memset((void *)next, 0, end - next);
    }
    if (next == end)
        return 0;
    next += PAGE_SIZE;
    return next - PAGE_SIZE;
}

static bool map_trampoline(const struct page_tables *tables, const struct handover *handover)
{
    const struct mapping m = {handover->trampoline, handover->trampoline, PAGE_SIZE, 0, PAGE_4K};

    return page_tables_map(tables, &m);
}

/* The image from `from` to `to`, as offsets. */
static bool map_part(const struct page_tables *tables, const struct handover *handover,
                     uint64_t from, uint64_t to, uint64_t bits)
{
    const struct mapping m = {IMAGE_BASE + from, handover->image_base + from, to - from, bits,
                              PAGE_4K};

    return page_tables_map(tables, &m);
}

static bool map_image(const struct page_tables *tables, const struct handover *handover)
{
    const struct image_header *h = header();

    return map_part(tables, handover, 0, h->rodata, 0) &&
           map_part(tables, handover, h->rodata, h->data, PTE_NX) &&
           map_part(tables, handover, h->data, h->stack - PAGE_SIZE, PTE_RW | PTE_NX) &&
           map_part(tables, handover, h->stack, h->end, PTE_RW | PTE_NX);
}

static bool map_ram(const struct page_tables *tables, const struct range_list *ram)
{
    bool has_1g = cpuid_checked(0x80000001, 0).edx & CPUID_80000001_EDX_PAGE_1G;
    bool ok = true;

    for (uint32_t i = 0; i < ram->count; i++) {
        const struct handover_range *r = &ram->ranges[i];
        const struct mapping m = {DIRECT_MAP_BASE + r->base, r->base, r->size, PTE_RW | PTE_NX,
                                  has_1g ? PAGE_1G : PAGE_2M};

        ok = ok && page_tables_map(tables, &m);
    }
    return ok;
}

EFI_STATUS hypervisor_map(struct handover *handover, const struct range_list *ram)
{
    const struct page_tables tables = {.root = new_table(), .new_table = new_table};

    if (tables.root == 0 || !map_trampoline(&tables, handover) || !map_image(&tables, handover) ||
        !map_ram(&tables, ram))
        return refuse(EFI_OUT_OF_RESOURCES, "no room below 4 GiB for page tables");
    handover->page_table = tables.root;
    return EFI_SUCCESS;
}

_Noreturn void hypervisor_enter(const struct handover *handover)
{
    struct trampoline_params *params = (void *)(handover->trampoline + TRAMPOLINE_PARAMS);
    void (*from_firmware)(void) = (void (*)(void))(handover->trampoline + TRAMPOLINE_FROM_FIRMWARE);

    params->entry = header()->entry;
    params->stack = 0; /* the entry brings its own */
    params->argument = (uint64_t)handover;
    params->cr3 = (uint32_t)handover->page_table;
    params->base = (uint32_t)handover->trampoline;
    from_firmware();
    __builtin_unreachable();
}
