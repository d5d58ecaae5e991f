/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest finds in fw_cfg. Numbers are little-endian, as the processor's are. */
#include "core/guest/fw_cfg.h"

#include "core/guest/files.h"
#include "core/string.h"

_Static_assert((int)FW_CFG_FILES_MAX > (int)CONFIG_FILES_MAX, "all files and etc/e820 have room");

static uint16_t up_to_16_bits(uint64_t number)
{
    return number > UINT16_MAX ? UINT16_MAX : (uint16_t)number;
}

static bool add_processors(struct guest_fw_cfg *fw_cfg, const struct handover *handover,
                           const struct config_vm *vm)
{
    uint32_t last = 0;

    for (uint32_t i = 0; i < vm->vcpus; i++) {
        uint32_t id = handover->config.apic_ids[vm->first_apic_id + i];
        last = last > id ? last : id;
    }
    fw_cfg->cpus = (uint16_t)vm->vcpus;
    fw_cfg->max_cpus = up_to_16_bits((uint64_t)last + 1);
    return fw_cfg_add(&fw_cfg->device, FW_CFG_CPUS, &fw_cfg->cpus, sizeof(fw_cfg->cpus)) &&
           fw_cfg_add(&fw_cfg->device, FW_CFG_MAX_CPUS, &fw_cfg->max_cpus,
                      sizeof(fw_cfg->max_cpus));
}

static bool add_memory(struct guest_fw_cfg *fw_cfg, uint64_t memory)
{
    struct guest_map_entry map[GUEST_MAP_MAX];
    size_t count = guest_memory_map(memory, map);

    for (size_t i = 0; i < count; i++) {
        uint8_t *entry = fw_cfg->e820 + i * GUEST_E820_ENTRY_SIZE;
        uint32_t type = map[i].type;

        memcpy(entry, &map[i].gpa, 8);
        memcpy(entry + 8, &map[i].size, 8);
        memcpy(entry + 16, &type, 4);
    }
    fw_cfg->ram_size = memory;
    return fw_cfg_add(&fw_cfg->device, FW_CFG_RAM_SIZE, &fw_cfg->ram_size,
                      sizeof(fw_cfg->ram_size)) &&
           fw_cfg_add_file(&fw_cfg->device, "etc/e820", fw_cfg->e820,
                           (uint32_t)count * GUEST_E820_ENTRY_SIZE);
}

static bool add_files(struct guest_fw_cfg *fw_cfg, const struct handover *handover,
                      const struct config_vm *vm, uint64_t mapped_at)
{
    bool good = true;

    for (uint32_t i = 0; i < vm->fw_cfg_files.count; i++) {
        const struct config_file *entry = &vm->fw_cfg_files.files[i];
        struct image_file file = guest_file(handover, mapped_at, entry->path, entry->args);

        good = good && fw_cfg_add_file(&fw_cfg->device, file.args, file.data, (uint32_t)file.size);
    }
    return good;
}

bool guest_fw_cfg_init(struct guest_fw_cfg *fw_cfg, struct pio_bus *bus,
                       const struct handover *handover, const struct config_vm *vm,
                       uint64_t mapped_at)
{
    return fw_cfg_init(&fw_cfg->device, bus) && add_processors(fw_cfg, handover, vm) &&
           add_memory(fw_cfg, vm->memory) && add_files(fw_cfg, handover, vm, mapped_at);
}
