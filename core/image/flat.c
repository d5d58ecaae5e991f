/* SPDX-License-Identifier: BSD-2-Clause */
/* A file that is nothing but code: loaded where the configuration says and entered at its first
 * byte, in 32-bit protected mode with flat segments. */
#include "core/image/plan.h"

bool image_plan_flat(struct image_plan *plan)
{
    const struct image_boot *boot = plan->boot;
    const struct image_piece piece = {
        .what = "the kernel",
        .gpa = boot->load_address,
        .size = boot->kernel.size,
        .data = boot->kernel.data,
        .data_size = boot->kernel.size,
    };

    plan->format = IMAGE_FLAT;
    plan->entry = boot->load_address;
    if (!boot->kernel.size)
        return image_fail(plan->error, "kernel", &boot->kernel, "the file is empty");
    if (boot->initrd.data || boot->module_count || (boot->kernel.args && *boot->kernel.args))
        return image_fail(plan->error, "kernel", &boot->kernel,
                          "a kernel with a load address takes no command line, initrd or modules");
    return image_plan_add(plan, &piece) && image_plan_info(plan, IMAGE_GDT_SIZE);
}

bool image_load_flat(const struct image_plan *plan, const struct guest_memory *gm,
                     struct guest_start *start)
{
    image_start32(plan, start, 0, 0);
    return image_put_gdt(gm, plan->info, start);
}
