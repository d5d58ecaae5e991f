/* SPDX-License-Identifier: BSD-2-Clause */
/* What kernels that start in 32-bit protected mode share: Multiboot 1 and 2, PVH, plain code. */
#include "core/image/plan.h"

#include "core/guest/layout.h"
#include "core/string.h"

/* Preferred for what a kernel is told: kernels that use low memory start at its beginning. */
#define INFO_BASE 0x10000U

bool image_refuse_initrd(struct image_plan *plan)
{
    if (plan->boot->initrd.data)
        return image_fail(plan->error, "kernel", &plan->boot->kernel,
                          "a %s kernel takes no initrd; expected a module",
                          image_format_name(plan->format));
    return true;
}

bool image_plan_addresses(struct image_plan *plan, uint64_t header,
                          const struct image_addresses *addresses)
{
    const struct image_file *file = &plan->boot->kernel;
    uint64_t load = addresses->load, load_end = addresses->load_end;
    uint64_t bss_end = addresses->bss_end, entry = addresses->entry;

    if (load > addresses->header || addresses->header - load > header)
        return image_fail(plan->error, "kernel", file,
                          "Multiboot header at 0x%lx in the file says it is loaded to 0x%lx, in an "
                          "image that starts at 0x%lx",
                          header, addresses->header, load);
    uint64_t offset = header - (addresses->header - load);
    if (!load_end)
        load_end = load + (file->size - offset);
    if (bss_end < load_end)
        bss_end = load_end;
    if (!image_file_has(file, offset, load_end - load))
        return image_fail(plan->error, "kernel", file,
                          "truncated: the Multiboot header loads 0x%lx-0x%lx from 0x%lx on, the "
                          "file has 0x%lx bytes",
                          load, load_end, offset, file->size);
    if (entry < load || entry >= load_end)
        return image_fail(plan->error, "kernel", file,
                          "the entry point 0x%lx is outside of what is loaded, 0x%lx-0x%lx", entry,
                          load, load_end - 1);
    const struct image_piece piece = {
        .what = "the kernel",
        .gpa = load,
        .size = bss_end - load,
        .data = file->data + offset,
        .data_size = load_end - load,
    };
    plan->entry = entry;
    return image_plan_add(plan, &piece);
}

static bool add_module(struct image_plan *plan, uint32_t index)
{
    const struct image_file *module = &plan->boot->modules[index];
    uint64_t from = plan->end > GUEST_EXTENDED_BASE ? plan->end : GUEST_EXTENDED_BASE;

    if (!module->size)
        return image_fail(plan->error, "module", module, "the file is empty");
    plan->modules[index] = image_plan_find_room(plan, module->size, from, GUEST_LOW_RAM_TOP);
    if (!plan->modules[index])
        return image_fail(
            plan->error, "module", module,
            "0x%lx bytes do not fit between 0x%lx, where the kernel and other modules "
            "end, and 0x%llx",
            module->size, from, GUEST_LOW_RAM_TOP);
    const struct image_piece piece = {
        .what = "module",
        .number = index + 1,
        .gpa = plan->modules[index],
        .size = module->size,
        .data = module->data,
        .data_size = module->size,
    };
    return image_plan_add(plan, &piece);
}

bool image_plan_modules(struct image_plan *plan)
{
    for (uint32_t i = 0; i < plan->boot->module_count; i++)
        if (!add_module(plan, i))
            return false;
    return true;
}

bool image_plan_info(struct image_plan *plan, uint64_t size)
{
    plan->info = image_plan_find_room(plan, size, INFO_BASE, GUEST_CONVENTIONAL_TOP);
    if (!plan->info)
        plan->info = image_plan_find_room(plan, size, GUEST_EXTENDED_BASE, GUEST_LOW_RAM_TOP);
    if (!plan->info)
        return image_fail(plan->error, "kernel", &plan->boot->kernel,
                          "no room for the kernel's information (0x%lx bytes) in RAM", size);
    const struct image_piece piece = {
        .what = "the kernel's information",
        .gpa = plan->info,
        .size = size,
    };
    return image_plan_add(plan, &piece);
}

void image_start32(const struct image_plan *plan, struct guest_start *start, uint64_t rax,
                   uint64_t rbx)
{
    *start = (struct guest_start){
        .mode = GUEST_ENTRY_PROTECTED32,
        .rip = plan->entry,
        .rax = rax,
        .rbx = rbx,
        .cs = IMAGE_GDT_CODE32,
    };
}

void image_write(struct image_writer *w, uint64_t gpa, uint64_t value, unsigned bytes)
{
    w->good = w->good && gm_write(w->gm, gpa, &value, bytes);
}

size_t image_write_map(struct image_writer *w, uint64_t gpa, uint64_t stride, uint64_t memory)
{
    struct guest_map_entry map[GUEST_MAP_MAX];
    size_t count = guest_memory_map(memory, map);

    for (size_t i = 0; i < count; i++, gpa += stride) {
        image_write(w, gpa, map[i].gpa, 8);
        image_write(w, gpa + 8, map[i].size, 8);
        image_write(w, gpa + 16, map[i].type, 4);
    }
    return count;
}

uint64_t image_text_size(const char *text)
{
    return (text ? strlen(text) : 0) + 1;
}

uint64_t image_write_text(struct image_writer *w, const char *text)
{
    uint64_t gpa = w->at, size = image_text_size(text);

    w->good = w->good && gm_write(w->gm, gpa, text ? text : "", size);
    w->at += size;
    return gpa;
}
