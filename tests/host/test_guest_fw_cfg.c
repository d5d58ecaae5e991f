/* SPDX-License-Identifier: BSD-2-Clause */
/* What a configured guest finds in fw_cfg.
 * links: core/guest/fw_cfg.c core/guest/files.c core/guest/layout.c drivers/guest/fw_cfg.c
 * links: drivers/guest/pio.c core/config/config.c core/config/keys.c core/config/value.c
 * links: core/config/vcpus.c core/format.c */
#include "core/guest/fw_cfg.h"

#include <stdio.h>

#include "tests/host/device_world.h"

static struct handover handover;
static struct device_world world;
static struct guest_fw_cfg fw_cfg;

static void configure(const char *keys)
{
    struct config_error error;
    char text[512];

    snprintf(text, sizeof(text), "[vm other]\nkernel=k\nvcpus=2\n[vm a]\nkernel=k\nfw_cfg=on\n%s",
             keys);
    if (!config_parse("", text, strlen(text), "", &handover.config, &error))
        fail_msg("%s", error.text);
    world_init(&world);
    assert_true(guest_fw_cfg_init(&fw_cfg, &world.bus, &handover, &handover.config.vms[1], 0));
}

static uint64_t number(uint16_t key, unsigned skip, unsigned bytes)
{
    uint64_t value = 0;

    pio_bus_write(&world.bus, 0x510, 2, key);
    while (skip--)
        world_in(&world, 0x511);
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)world_in(&world, 0x511) << (i * 8);
    return value;
}

static void machine(void **state)
{
    (void)state;
    configure("memory = 4G\napic_ids = 7, 0x123, 3");
    assert_int_equal(number(0x03, 0, 8), 4ULL << 30);
    assert_int_equal(number(0x05, 0, 4), 3); /* 2 bytes, then zeros */
    assert_int_equal(number(0x0f, 0, 4), 0x124);
    configure("apic_ids = 0xffff");
    assert_int_equal(number(0x0f, 0, 2), 0xffff);
    configure("vcpus = 4096");
    assert_int_equal(number(0x05, 0, 2), 4096);
    assert_int_equal(number(0x0f, 0, 2), 4096);
}

static void memory_map(void **state)
{
    struct guest_map_entry map[GUEST_MAP_MAX];
    size_t count = guest_memory_map(4ULL << 30, map);

    (void)state;
    configure("memory = 4G");
    assert_int_equal(__builtin_bswap64(number(0x19, 0, 8)), 1ULL << 32 | count * 20);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(number(0x20, i * 20, 8), map[i].gpa);
        assert_int_equal(number(0x20, i * 20 + 8, 8), map[i].size);
        assert_int_equal(number(0x20, i * 20 + 16, 4), map[i].type);
    }
}

static void files(void **state)
{
    (void)state;
    memcpy(handover.files[0].path, "\\f", 3);
    handover.files[0].base = (uintptr_t) "contents";
    handover.files[0].size = 8;
    handover.n_files = 1;
    configure("fw_cfg_file = f opt/f");
    assert_int_equal(__builtin_bswap64(number(0x19, 0, 8)) >> 32, 2);
    assert_int_equal(__builtin_bswap64(number(0x19, 4 + 64, 8)), 8ULL << 32 | 0x21 << 16);
    assert_int_equal(number(0x19, 4 + 64 + 8, 8), 0x00662f74706f); /* "opt/f" */
    assert_int_equal(number(0x21, 0, 8), 0x73746e65746e6f63);      /* "contents" */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(machine),
        cmocka_unit_test(memory_map),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests_name("a guest's fw_cfg", tests, NULL, NULL);
}
