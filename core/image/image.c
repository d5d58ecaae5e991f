/* SPDX-License-Identifier: BSD-2-Clause */
/* Loading a guest: which format it is, how much memory it takes, and the two public steps. */
#include "core/image/image.h"

#include "core/format.h"
#include "core/guest/layout.h"
#include "core/image/plan.h"

#define FORMATS "expected Linux bzImage, vmlinux ELF, PVH or Multiboot"

static const struct {
    const char *name;
    bool (*load)(const struct image_plan *plan, const struct guest_memory *gm,
                 struct guest_start *start);
} formats[] = {
    [IMAGE_LINUX_BZIMAGE] = {"Linux bzImage", image_load_linux},
    [IMAGE_LINUX_VMLINUX] = {"Linux vmlinux", image_load_linux},
    [IMAGE_MULTIBOOT1] = {"Multiboot 1", image_load_multiboot},
    [IMAGE_MULTIBOOT2] = {"Multiboot 2", image_load_multiboot2},
    [IMAGE_PVH] = {"PVH", image_load_pvh},
    [IMAGE_FLAT] = {"plain code", image_load_flat},
    [IMAGE_FIRMWARE] = {"PC firmware", image_load_firmware},
};

const char *image_format_name(enum image_format format)
{
    return formats[format].name;
}

static bool fail_unknown(struct image_plan *plan)
{
    const struct image_file *kernel = &plan->boot->kernel;
    char bytes[3 * 8 + 1] = "";
    size_t used = 0;

    if (!kernel->size)
        return image_fail(plan->error, "kernel", kernel, "the file is empty; " FORMATS);
    if (image_is_elf(kernel))
        return image_fail(plan->error, "kernel", kernel,
                          "ELF file of 32 bits without a Multiboot header or a PVH note; " FORMATS);
    for (uint64_t i = 0; i < kernel->size && used < sizeof(bytes) - 1; i++)
        used += format_string(bytes + used, sizeof(bytes) - used, " %02x", kernel->data[i]);
    return image_fail(plan->error, "kernel", kernel, "unknown format: first bytes%s; " FORMATS,
                      bytes);
}

static bool plan_format(struct image_plan *plan)
{
    const struct image_file *kernel = &plan->boot->kernel;
    uint64_t entry, top_vaddr;

    if (plan->boot->firmware)
        return image_plan_firmware(plan);
    if (plan->boot->load_address)
        return image_plan_flat(plan);
    if (image_is_bzimage(kernel))
        return image_plan_bzimage(plan);
    if (image_is_multiboot(kernel))
        return image_plan_multiboot(plan);
    if (image_is_multiboot2(kernel))
        return image_plan_multiboot2(plan);
    /* A Linux kernel can have the note, too; its own protocol then needs no detour. */
    if (image_is_elf(kernel) && image_elf_pvh_entry(plan, &entry, &top_vaddr) &&
        top_vaddr < IMAGE_LINUX_VADDR)
        return image_plan_pvh(plan, entry);
    if (image_is_elf(kernel) && image_is_elf64(kernel))
        return image_plan_vmlinux(plan);
    return fail_unknown(plan);
}

/* The least memory that holds all pieces, as if the floating ones were packed together. */
static uint64_t memory_min(const struct image_plan *plan)
{
    uint64_t end = plan->memory_min ? plan->memory_min : plan->end;
    uint64_t least = (end + GUEST_MEMORY_GRAIN - 1) & ~(GUEST_MEMORY_GRAIN - 1);

    return least > GUEST_MEMORY_MIN ? least : GUEST_MEMORY_MIN;
}

static bool make_plan(struct image_plan *plan, const struct image_boot *boot,
                      struct image_error *err)
{
    *plan = (struct image_plan){.boot = boot, .error = err};
    if (!plan_format(plan))
        return false;
    uint64_t least = memory_min(plan);
    if (boot->memory < least)
        return image_fail(err, "kernel", &boot->kernel,
                          "needs at least %luM of memory%s; the VM has %luM", least >> 20,
                          boot->initrd.data    ? " with its initrd"
                          : boot->module_count ? " with its modules"
                                               : "",
                          boot->memory >> 20);
    return true;
}

bool image_check(const struct image_boot *boot, struct image_info *info, struct image_error *err)
{
    struct image_plan plan;

    if (!make_plan(&plan, boot, err))
        return false;
    *info = (struct image_info){.format = plan.format, .memory_min = memory_min(&plan)};
    return true;
}

bool image_load(const struct image_boot *boot, const struct guest_memory *gm,
                struct guest_start *start, struct image_error *err)
{
    struct image_plan plan;

    if (!make_plan(&plan, boot, err))
        return false;
    if (!image_plan_write(&plan, gm) || !formats[plan.format].load(&plan, gm, start))
        return image_fail(err, "kernel", &boot->kernel,
                          "the guest's RAM is not where its %luM should be", boot->memory >> 20);
    return true;
}
