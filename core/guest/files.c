/* SPDX-License-Identifier: BSD-2-Clause */
/* From a VM's configuration to its files; used before and after the hand-over. */
#include "core/guest/files.h"

#include "core/string.h"

const struct handover_file *guest_file_find(const struct handover *handover, const char *path)
{
    for (uint32_t i = 0; i < handover->n_files; i++)
        if (strcmp(handover->files[i].path, path) == 0)
            return &handover->files[i];
    return NULL;
}

struct image_file guest_file(const struct handover *handover, uint64_t mapped_at,
                             config_string path, config_string args)
{
    const struct handover_file *file =
        guest_file_find(handover, config_text(&handover->config, path));

    if (file == NULL)
        return (struct image_file){0};
    return (struct image_file){
        .name = file->path,
        .args = config_text(&handover->config, args),
        .data = (const uint8_t *)(file->base + mapped_at),
        .size = file->size,
    };
}

void guest_files(const struct handover *handover, const struct config_vm *vm, uint64_t mapped_at,
                 struct image_boot *boot)
{
    *boot = (struct image_boot){
        .kernel = guest_file(handover, mapped_at, vm->kernel, vm->cmdline),
        .initrd = guest_file(handover, mapped_at, vm->initrd, 0),
        .module_count = vm->modules.count,
        .memory = vm->memory,
        .load_address = vm->load_address,
        .firmware = vm->firmware,
    };
    for (uint32_t i = 0; i < vm->modules.count; i++)
        boot->modules[i] =
            guest_file(handover, mapped_at, vm->modules.files[i].path, vm->modules.files[i].args);
}
