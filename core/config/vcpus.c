/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM's processors: their number, their APIC IDs, and how these divide into packages and cores.
 * SDM Vol 3A, "Hierarchical Mapping of Shared Resources". */
#include "core/bits.h"
#include "core/config/value.h"
#include "core/format.h"

/* Bits that hold the numbers 0 to @count - 1. */
static unsigned bits_for(uint32_t count)
{
    return count <= 1 ? 0 : 32u - (unsigned)__builtin_clz(count - 1);
}

/* CPUID leaf 0BH has five bits for a shift: IDs with bit 31 set are in another package, whatever
 * was asked for. */
enum { SHIFT_MAX = 31 };

static void set_topology(struct config_vm *vm, const uint32_t *listed)
{
    struct config_topology *t = &vm->topology;
    uint32_t cores = vm->cores ? vm->cores : vm->vcpus / vm->threads;

    t->per_core = vm->threads;
    t->per_package = cores * vm->threads;
    t->core_shift = bits_for(vm->threads);
    t->package_shift = t->core_shift + bits_for(cores);
    if (listed && !vm->cores)
        for (uint32_t i = 0; i < vm->vcpus; i++)
            while (t->package_shift < SHIFT_MAX && listed[i] >> t->package_shift)
                t->package_shift++;
}

static void number(const struct config_vm *vm, uint32_t *ids)
{
    const struct config_topology *t = &vm->topology;

    for (uint32_t i = 0; i < vm->vcpus; i++)
        ids[i] = i / t->per_package << t->package_shift |
                 i % t->per_package / t->per_core << t->core_shift | i % t->per_core;
}

/* Says so when some IDs that agree above @shift are not @expected in number. */
static bool are_full(const struct config_vm *vm, const uint32_t *ids, uint32_t shift,
                     uint32_t expected, const char *what, char *why, size_t size)
{
    for (uint32_t i = 0; i < vm->vcpus; i++) {
        uint32_t count = 0;

        for (uint32_t j = 0; j < vm->vcpus; j++)
            count += ids[i] >> shift == ids[j] >> shift;
        if (count == expected)
            continue;
        format_string(why, size,
                      "has %u processors with APIC ID >> %u = 0x%x, which is a %s; expected %u",
                      count, shift, ids[i] >> shift, what, expected);
        return false;
    }
    return true;
}

static bool check_counts(const struct config_vm *vm, uint32_t listed, uint32_t free,
                         const char **key, char *why, size_t size)
{
    uint32_t whole = (vm->cores ? vm->cores : 1) * vm->threads;

    *key = "vcpus";
    if (vm->vcpus > CONFIG_VCPUS_MAX) {
        *key = "cores";
        format_string(why, size, "has %u processors in a package; expected at most %d", vm->vcpus,
                      CONFIG_VCPUS_MAX);
    } else if (listed && listed != vm->vcpus) {
        *key = "apic_ids";
        format_string(why, size, "lists %u APIC IDs for %u processors; expected as many", listed,
                      vm->vcpus);
    } else if (vm->vcpus % whole) {
        format_string(why, size,
                      "has %u processors, which do not fill %s of %u; expected a "
                      "multiple",
                      vm->vcpus, vm->cores ? "packages" : "cores", whole);
    } else if (!listed && vm->vcpus > free) {
        format_string(why, size,
                      "brings the processors of all VMs above what there is room for; "
                      "expected at most %d",
                      CONFIG_VCPUS_ALL_MAX);
    } else {
        return true;
    }
    return false;
}

bool config_finish_vcpus(struct config *config, struct config_vm *vm, const char **key, char *why,
                         size_t size)
{
    uint32_t *ids = config->apic_ids + vm->first_apic_id;
    uint32_t listed = config->apic_ids_used - vm->first_apic_id;
    uint32_t free = CONFIG_VCPUS_ALL_MAX - config->apic_ids_used;

    if (!vm->vcpus)
        vm->vcpus = listed ? listed : (vm->cores ? vm->cores : 1) * vm->threads;
    if (!check_counts(vm, listed, free, key, why, size))
        return false;
    set_topology(vm, listed ? ids : NULL);
    if (!listed) {
        number(vm, ids);
        config->apic_ids_used += vm->vcpus;
        return true;
    }
    *key = "apic_ids";
    const struct config_topology *t = &vm->topology;
    return (vm->threads == 1 || are_full(vm, ids, t->core_shift, t->per_core, "core", why, size)) &&
           (!vm->cores ||
            are_full(vm, ids, t->package_shift, t->per_package, "package", why, size));
}
