/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypervisor that this application carries: into memory, mapped, and entered. */
#include "boot/hypervisor.h"

#include "boot/console.h"
#include "boot/elf.h"
#include "boot/memory.h"
#include "boot/page_tables.h"
#include "boot/trampoline.h"
#include "core/string.h"
#include "core/x86.h"

/* boot/payload.asm */
extern const uint8_t hypervisor_elf[], hypervisor_elf_end[];
extern const uint8_t trampoline_code[], trampoline_code_end[];

static struct elf_plan plan;

static EFI_STATUS load_image(struct handover *handover)
{
    handover->image_size = plan.image_size;
    handover->image_base = memory_take(plan.image_size, PAGE_SIZE_2M, MEMORY_ANYWHERE, false);
    if (handover->image_base == 0)
        return refuse(EFI_OUT_OF_RESOURCES, "no room for the hypervisor's %lu KiB",
                      plan.image_size / 1024);
    memset((void *)handover->image_base, 0, plan.image_size);
    for (uint32_t i = 0; i < plan.n_segments; i++) {
        const struct elf_segment *s = &plan.segments[i];

        memcpy((void *)(handover->image_base + s->offset), hypervisor_elf + s->file_offset,
               s->file_size);
    }
    return EFI_SUCCESS;
}

static EFI_STATUS load_elf_file(struct handover *handover)
{
    handover->elf_size = (uint64_t)(hypervisor_elf_end - hypervisor_elf);
    handover->elf_base = memory_take(handover->elf_size, PAGE_SIZE, MEMORY_ANYWHERE, false);
    if (handover->elf_base == 0)
        return refuse(EFI_OUT_OF_RESOURCES, "no room for the hypervisor's symbols");
    memcpy((void *)handover->elf_base, hypervisor_elf, handover->elf_size);
    return EFI_SUCCESS;
}

static EFI_STATUS load_trampoline(struct handover *handover)
{
    handover->trampoline = memory_take(PAGE_SIZE, PAGE_SIZE, MEMORY_BELOW_1M, true);
    if (handover->trampoline == 0)
        return refuse(EFI_OUT_OF_RESOURCES,
                      "no free page below 1 MiB to start the other processors from");
    memcpy((void *)handover->trampoline, trampoline_code,
           (size_t)(trampoline_code_end - trampoline_code));
    return EFI_SUCCESS;
}

EFI_STATUS hypervisor_load(struct handover *handover)
{
    const char *wrong =
        elf_plan(hypervisor_elf, (uint64_t)(hypervisor_elf_end - hypervisor_elf), &plan);
    EFI_STATUS status;

    if (wrong != NULL)
        return refuse(EFI_LOAD_ERROR, "the hypervisor inside BOOTX64.EFI: %s", wrong);
    status = load_image(handover);
    if (!EFI_ERROR(status))
        status = load_elf_file(handover);
    if (!EFI_ERROR(status))
        status = load_trampoline(handover);
    return status;
}

static enum page_level largest_supported(void)
{
    return cpuid_checked(0x80000001, 0).edx & CPUID_80000001_EDX_PAGE_1G ? PAGE_1G : PAGE_2M;
}

static struct mapping direct_mapping(const struct handover_range *ram)
{
    return (struct mapping){
        .virtual_base = DIRECT_MAP_BASE + ram->base,
        .physical_base = ram->base,
        .size = ram->size,
        .access = PAGE_READ_WRITE,
        .largest = largest_supported(),
    };
}

static struct mapping segment_mapping(const struct handover *handover, const struct elf_segment *s)
{
    return (struct mapping){
        .virtual_base = IMAGE_BASE + s->offset,
        .physical_base = handover->image_base + s->offset,
        .size = s->size,
        .access = s->access,
        .largest = PAGE_4K,
    };
}

static struct mapping trampoline_mapping(const struct handover *handover)
{
    return (struct mapping){
        .virtual_base = handover->trampoline,
        .physical_base = handover->trampoline,
        .size = PAGE_SIZE,
        .access = PAGE_READ_EXECUTE,
        .largest = PAGE_4K,
    };
}

/* Calls visit for each mapping of the address space until it returns false. */
static bool for_each_mapping(const struct handover *handover, const struct range_list *ram,
                             bool (*visit)(const struct mapping *m, void *arg), void *arg)
{
    struct mapping m = trampoline_mapping(handover);

    if (!visit(&m, arg))
        return false;
    for (uint32_t i = 0; i < plan.n_segments; i++) {
        m = segment_mapping(handover, &plan.segments[i]);
        if (!visit(&m, arg))
            return false;
    }
    for (uint32_t i = 0; i < ram->count; i++) {
        m = direct_mapping(&ram->ranges[i]);
        if (!visit(&m, arg))
            return false;
    }
    return true;
}

static bool add_bound(const struct mapping *m, void *arg)
{
    *(uint64_t *)arg += page_tables_bound(m);
    return true;
}

static bool map(const struct mapping *m, void *arg)
{
    return page_tables_map(arg, m);
}

EFI_STATUS hypervisor_map(struct handover *handover, const struct range_list *ram)
{
    struct page_tables tables;
    uint64_t pages = 1;
    uint64_t pool;

    for_each_mapping(handover, ram, add_bound, &pages);
    pool = memory_take(pages * PAGE_SIZE, PAGE_SIZE, MEMORY_BELOW_4G, false);
    if (pool == 0)
        return refuse(EFI_OUT_OF_RESOURCES, "no room below 4 GiB for %lu pages of page tables",
                      pages);
    memset((void *)pool, 0, pages * PAGE_SIZE);
    page_tables_start(&tables, pool, pages * PAGE_SIZE);
    if (!for_each_mapping(handover, ram, map, &tables))
        return refuse(EFI_LOAD_ERROR, "the hypervisor's page tables cannot be built");
    handover->page_table = tables.root;
    return EFI_SUCCESS;
}

_Noreturn void hypervisor_enter(const struct handover *handover)
{
    struct trampoline_params *params = (void *)(handover->trampoline + TRAMPOLINE_PARAMS);
    void (*from_firmware)(void) = (void (*)(void))(handover->trampoline + TRAMPOLINE_FROM_FIRMWARE);

    params->entry = plan.entry;
    params->stack = 0; /* the entry brings its own */
    params->argument = (uint64_t)handover;
    params->cr3 = (uint32_t)handover->page_table;
    params->base = (uint32_t)handover->trampoline;
    from_firmware();
    __builtin_unreachable();
}
