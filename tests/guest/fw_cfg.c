/* SPDX-License-Identifier: BSD-2-Clause */
/* fw_cfg: what it says of the machine, and a file by its name. The file is the configuration that
   starts this very test. */
// vcpus: 3
// apic_ids: 0, 5, 2
// fw_cfg: on
// fw_cfg_file: \EFI\lapwing\lapwing.conf opt/configuration
#include "tests/guest/guest.h"

enum {
    SELECTOR = 0x510,
    DATA = 0x511,
    SIGNATURE = 0,
    FEATURES = 1,
    RAM_SIZE = 3,
    CPUS = 5,
    MAX_CPUS = 0xf,
    DIRECTORY = 0x19,
    NAME_SIZE = 56,
};

struct entry {
    uint32_t size;
    uint16_t key;
};

static void select(uint16_t key)
{
    outw(SELECTOR, key);
}

static uint64_t item(uint16_t key, unsigned bytes)
{
    uint64_t value = 0;

    select(key);
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)inb(DATA) << (i * 8);
    return value;
}

/* By string instruction, as most programs read. */
static void read_bytes(void *to, size_t count)
{
    asm volatile("rep insb" : "+D"(to), "+c"(count) : "d"(DATA) : "memory");
}

static uint32_t read_big_endian(unsigned bytes)
{
    uint32_t value = 0;

    while (bytes--)
        value = value << 8 | inb(DATA);
    return value;
}

static bool find(const char *name, struct entry *found)
{
    char seen[NAME_SIZE];

    select(DIRECTORY);
    for (uint32_t count = read_big_endian(4); count; count--) {
        found->size = read_big_endian(4);
        found->key = (uint16_t)read_big_endian(2);
        read_big_endian(2);
        read_bytes(seen, sizeof(seen));
        if (!strcmp(seen, name))
            return true;
    }
    return false;
}

void test_main(void)
{
    _Alignas(8) char text[9];
    struct entry entry;

    is_u64(item(SIGNATURE, 4), 0x554d4551, "the signature is \"QEMU\"");
    is_u64(item(FEATURES, 4), 1, "there is this interface, and no DMA");
    is_u64(item(RAM_SIZE, 8), 64 << 20, "RAM in bytes");
    is_u64(item(CPUS, 2), 3, "processors");
    is_u64(item(MAX_CPUS, 2), 6, "the highest APIC ID and 1");
    if (ok(find("etc/e820", &entry), "etc/e820 is there")) {
        is_u64(entry.size, 3 * 20, "it has three entries");
        select(entry.key);
        read_bytes(text, 8);
        is_u64(*(uint64_t *)text, 0, "the first starts at 0");
    }
    if (ok(find("opt/configuration", &entry), "the configured file is there")) {
        select(entry.key);
        read_bytes(text, sizeof(text));
        ok(!memcmp(text, "[lapwing]", 9), "with its contents");
    }
    ok(!find("opt/conf", &entry), "a file that is not there is not found");
}
