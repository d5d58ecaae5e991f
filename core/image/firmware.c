/* SPDX-License-Identifier: BSD-2-Clause */
/* A PC's firmware, such as SeaBIOS: it ends at 1 MiB, in place of the tables of ours that are
 * there, and starts in real mode 16 bytes below. */
#include "core/image/plan.h"

#include "core/guest/layout.h"

enum { UNIT = 0x10000, SIZE_MAX_BELOW_1M = 0x40000 };

bool image_plan_firmware(struct image_plan *plan)
{
    const struct image_boot *boot = plan->boot;
    const struct image_file *file = &boot->kernel;

    plan->format = IMAGE_FIRMWARE;
    plan->end = GUEST_EXTENDED_BASE;
    if (!file->size || file->size % UNIT || file->size > SIZE_MAX_BELOW_1M)
        return image_fail(plan->error, "kernel", file,
                          "firmware of 0x%lx bytes; expected 0x10000, 0x20000, 0x30000 or 0x40000",
                          file->size);
    if (boot->load_address)
        return image_fail(plan->error, "kernel", file,
                          "firmware has its place: expected no load address");
    if (boot->initrd.data || boot->module_count || (file->args && *file->args))
        return image_fail(plan->error, "kernel", file,
                          "firmware takes no command line, initrd or modules");
    return true;
}

bool image_load_firmware(const struct image_plan *plan, const struct guest_memory *gm,
                         struct guest_start *start)
{
    const struct image_file *file = &plan->boot->kernel;

    *start = (struct guest_start){.mode = GUEST_ENTRY_RESET, .cs_base = GUEST_EXTENDED_BASE - UNIT};
    return gm_write(gm, GUEST_EXTENDED_BASE - file->size, file->data, file->size);
}
