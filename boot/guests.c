/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration and the files it names. */
#include "boot/boot.h"

#include "boot/load_options.h"
#include "core/guest/files.h"
#include "core/image/image.h"
#include "core/string.h"

/* What the hypervisor takes beside the guest's memory. EPT with 4 KiB pages, which some processors
 * need (vmx/mitigations.c), is 1/512 for each trust level. */
#define OVERHEAD_BASE           (16ull << 20)
#define OVERHEAD_PER_CPU        (256ull << 10)
#define OVERHEAD_GUEST_FRACTION 512

enum { OPTIONS_MAX = 4096 };

/* What the firmware's shell or the boot entry says beside the file, as config_parse() takes it. */
static EFI_STATUS read_options(char options[OPTIONS_MAX])
{
    static EFI_GUID loaded_image_guid = LOADED_IMAGE_PROTOCOL;
    EFI_LOADED_IMAGE *loaded_image;

    options[0] = '\0';
    if (EFI_ERROR(boot_services->HandleProtocol(boot_image, &loaded_image_guid,
                                                (void **)&loaded_image)) ||
        loaded_image->LoadOptions == NULL)
        return EFI_SUCCESS;
    switch (load_options_convert(loaded_image->LoadOptions, loaded_image->LoadOptionsSize, options,
                                 OPTIONS_MAX)) {
    case LOAD_OPTIONS_GOOD:
        break;
    case LOAD_OPTIONS_NO_TEXT:
        print("lapwing: load options of %u bytes are no text, and left alone\n",
              loaded_image->LoadOptionsSize);
        break;
    case LOAD_OPTIONS_OPEN_QUOTE:
        return refuse(EFI_INVALID_PARAMETER,
                      "load options: a quotation mark has no partner; expected \"NAME.KEY=VALUE\"");
    case LOAD_OPTIONS_TOO_LONG:
        return refuse(EFI_INVALID_PARAMETER, "load options: expected at most %d bytes",
                      OPTIONS_MAX - 1);
    }
    return EFI_SUCCESS;
}

EFI_STATUS guests_read_config(struct handover *handover)
{
    static struct config_error error;
    static char options[OPTIONS_MAX];
    uint64_t base, size;
    bool good;
    EFI_STATUS status = read_options(options);

    if (EFI_ERROR(status))
        return status;
    status = file_load(CONFIG_FILE, &base, &size);
    if (EFI_ERROR(status) && status != EFI_NOT_FOUND)
        return status;
    if (status == EFI_NOT_FOUND) {
        print("lapwing: no %s, so the defaults hold\n", CONFIG_FILE);
        good = config_defaults(options, &handover->config, &error);
    } else {
        good =
            config_parse(CONFIG_FILE, (const char *)base, size, options, &handover->config, &error);
    }
    if (!good)
        return refuse(EFI_INVALID_PARAMETER, "%s", error.text);
    return EFI_SUCCESS;
}

/* EFI_NOT_FOUND is left to the caller. */
static EFI_STATUS load_once(struct handover *handover, config_string name)
{
    const char *path = config_text(&handover->config, name);
    struct handover_file *entry = &handover->files[handover->n_files];
    EFI_STATUS status;

    if (*path == '\0' || guest_file_find(handover, path) != NULL)
        return EFI_SUCCESS;
    if (handover->n_files == HANDOVER_MAX_FILES)
        return refuse(EFI_UNSUPPORTED, "the configuration names more than %d files",
                      HANDOVER_MAX_FILES);
    status = file_load(path, &entry->base, &entry->size);
    if (EFI_ERROR(status))
        return status;
    memcpy(entry->path, path, strlen(path) + 1);
    handover->n_files++;
    return EFI_SUCCESS;
}

static EFI_STATUS load_required(struct handover *handover, const struct config_vm *vm,
                                const char *what, config_string name)
{
    EFI_STATUS status = load_once(handover, name);

    if (status == EFI_NOT_FOUND)
        return refuse(status, "VM '%s': %s '%s' not found", vm->name, what,
                      config_text(&handover->config, name));
    return status;
}

static EFI_STATUS load_initrd(struct handover *handover, struct config_vm *vm)
{
    EFI_STATUS status;

    if (!vm->initrd_optional)
        return load_required(handover, vm, "initrd", vm->initrd);
    status = load_once(handover, vm->initrd);
    if (status != EFI_NOT_FOUND)
        return status;
    vm->initrd = 0;
    return EFI_SUCCESS;
}

static EFI_STATUS load_list(struct handover *handover, const struct config_vm *vm, const char *what,
                            const struct config_file_list *list)
{
    EFI_STATUS status = EFI_SUCCESS;

    for (uint32_t i = 0; i < list->count && !EFI_ERROR(status); i++)
        status = load_required(handover, vm, what, list->files[i].path);
    return status;
}

static EFI_STATUS load_vm_files(struct handover *handover, struct config_vm *vm)
{
    EFI_STATUS status = load_required(handover, vm, "kernel", vm->kernel);

    if (EFI_ERROR(status))
        return status;
    status = load_initrd(handover, vm);
    if (!EFI_ERROR(status))
        status = load_list(handover, vm, "module", &vm->modules);
    if (!EFI_ERROR(status))
        status = load_list(handover, vm, "fw_cfg_file", &vm->fw_cfg_files);
    return status;
}

EFI_STATUS guests_load_files(struct handover *handover)
{
    EFI_STATUS status = EFI_SUCCESS;

    for (uint32_t i = 0; i < handover->config.vm_count && !EFI_ERROR(status); i++)
        status = load_vm_files(handover, &handover->config.vms[i]);
    return status;
}

static EFI_STATUS check_image(const struct handover *handover, const struct config_vm *vm)
{
    static struct image_error error;
    struct image_boot boot;
    struct image_info info;

    guest_files(handover, vm, 0, &boot); /* UEFI maps memory at its physical addresses */
    if (!image_check(&boot, &info, &error))
        return refuse(EFI_LOAD_ERROR, "VM '%s': %s", vm->name, error.text);
    return EFI_SUCCESS;
}

EFI_STATUS guests_check_images(const struct handover *handover)
{
    EFI_STATUS status = EFI_SUCCESS;

    for (uint32_t i = 0; i < handover->config.vm_count && !EFI_ERROR(status); i++)
        status = check_image(handover, &handover->config.vms[i]);
    return status;
}

static uint64_t to_mib(uint64_t bytes)
{
    return (bytes + (1 << 20) - 1) >> 20;
}

/* VMs that run side by side need their memory together; *tables is what it takes to manage it. */
static uint64_t memory_of_group(const struct config *config, uint32_t first, uint32_t count,
                                uint64_t *tables)
{
    uint64_t sum = 0;

    *tables = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct config_vm *vm = &config->vms[first + i];

        sum += vm->memory;
        *tables += vm->memory / OVERHEAD_GUEST_FRACTION * (1 + vm->vtls);
    }
    return sum;
}

EFI_STATUS guests_check_memory(const struct handover *handover, uint64_t free)
{
    const struct config *config = &handover->config;

    for (uint32_t first = 0, count; first < config->vm_count; first += count) {
        count = config_group_size(config, first);
        uint64_t tables;
        uint64_t memory = memory_of_group(config, first, count, &tables);
        uint64_t overhead = OVERHEAD_BASE + handover->n_cpus * OVERHEAD_PER_CPU + tables;

        if (free < overhead || free - overhead < memory)
            return refuse(EFI_OUT_OF_RESOURCES,
                          "VM '%s'%s: %lu MiB of memory and %lu MiB for Lapwing itself are needed, "
                          "but only %lu MiB are free",
                          config->vms[first].name, count > 1 ? " and those beside it" : "",
                          to_mib(memory), to_mib(overhead), free >> 20);
    }
    return EFI_SUCCESS;
}
