/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF kernels with an entry point for PVH. Source: Xen's documentation, "x86/HVM direct boot ABI",
 * and its public header arch-x86/hvm/start_info.h. */
#include "core/image/plan.h"

#include "core/guest/layout.h"

enum start_info {
    INFO_MAGIC = 0,
    INFO_VERSION = 4,
    INFO_MODULE_COUNT = 12,
    INFO_MODULES = 16,
    INFO_CMDLINE = 24,
    INFO_RSDP = 32,
    INFO_MAP = 40,
    INFO_MAP_COUNT = 48,
    INFO_SIZE = 56,

    INFO_MAGIC_VALUE = 0x336ec578,
    INFO_VERSION_VALUE = 1, /* with the memory map */

    MODULE_SIZE = 8,
    MODULE_CMDLINE = 16,
    MODULE_ENTRY_SIZE = 32,

    MAP_ENTRY_SIZE = 24,
};

/* The block that the information starts: what follows it, by offset. Strings come last. */
enum {
    BLOCK_GDT = INFO_SIZE,
    BLOCK_MAP = BLOCK_GDT + IMAGE_GDT_SIZE,
    BLOCK_MODULES = BLOCK_MAP + GUEST_MAP_MAX * MAP_ENTRY_SIZE,
    BLOCK_STRINGS = BLOCK_MODULES + IMAGE_MODULES_MAX * MODULE_ENTRY_SIZE,
};

bool image_plan_pvh(struct image_plan *plan, uint64_t entry)
{
    const struct image_boot *boot = plan->boot;
    uint64_t size = BLOCK_STRINGS + image_text_size(boot->kernel.args);

    for (uint32_t i = 0; i < boot->module_count; i++)
        size += image_text_size(boot->modules[i].args);
    plan->format = IMAGE_PVH;
    return image_refuse_initrd(plan) && image_plan_elf(plan, &entry) && image_plan_modules(plan) &&
           image_plan_info(plan, size);
}

static void put_modules(struct image_writer *w, const struct image_plan *plan)
{
    uint64_t at = plan->info + BLOCK_MODULES;

    image_write(w, plan->info + INFO_MODULE_COUNT, plan->boot->module_count, 4);
    image_write(w, plan->info + INFO_MODULES, plan->boot->module_count ? at : 0, 8);
    for (uint32_t i = 0; i < plan->boot->module_count; i++, at += MODULE_ENTRY_SIZE) {
        const struct image_file *module = &plan->boot->modules[i];
        image_write(w, at, plan->modules[i], 8);
        image_write(w, at + MODULE_SIZE, module->size, 8);
        image_write(w, at + MODULE_CMDLINE, image_write_text(w, module->args), 8);
    }
}

bool image_load_pvh(const struct image_plan *plan, const struct guest_memory *gm,
                    struct guest_start *start)
{
    const struct image_boot *boot = plan->boot;
    uint64_t info = plan->info;
    struct image_writer w = {gm, info + BLOCK_STRINGS, true};

    image_write(&w, info + INFO_MAGIC, INFO_MAGIC_VALUE, 4);
    image_write(&w, info + INFO_VERSION, INFO_VERSION_VALUE, 4);
    image_write(&w, info + INFO_CMDLINE, image_write_text(&w, boot->kernel.args), 8);
    image_write(&w, info + INFO_RSDP, boot->rsdp, 8);
    image_write(&w, info + INFO_MAP, info + BLOCK_MAP, 8);
    image_write(&w, info + INFO_MAP_COUNT,
                image_write_map(&w, info + BLOCK_MAP, MAP_ENTRY_SIZE, boot->memory), 4);
    put_modules(&w, plan);
    image_start32(plan, start, 0, info);
    return w.good && image_put_gdt(gm, info + BLOCK_GDT, start);
}
