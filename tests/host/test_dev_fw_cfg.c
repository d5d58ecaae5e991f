/* SPDX-License-Identifier: BSD-2-Clause */
/* links: drivers/guest/fw_cfg.c drivers/guest/pio.c */
/* The firmware configuration device: selecting, reading, the directory. */
#include "drivers/guest/fw_cfg.h"

#include "tests/host/device_world.h"

static struct device_world world;
static struct fw_cfg fw_cfg;

static int setup(void **state)
{
    (void)state;
    world_init(&world);
    return !fw_cfg_init(&fw_cfg, &world.bus);
}

static void select_key(uint16_t key)
{
    pio_bus_write(&world.bus, 0x510, 2, key);
}

static uint8_t next(void)
{
    return world_in(&world, 0x511);
}

static uint32_t next_big_endian(unsigned bytes)
{
    uint32_t value = 0;

    while (bytes--)
        value = value << 8 | next();
    return value;
}

static void reads(uint16_t key, const char *bytes, size_t count)
{
    select_key(key);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(next(), (uint8_t)bytes[i]);
}

static void what_is_always_there(void **state)
{
    (void)state;
    assert_int_equal(next(), 0); /* nothing selected */
    reads(0, "QEMU\0\0", 6);
    reads(0, "QE", 2); /* selecting starts from the beginning */
    reads(1, "\1\0\0\0\0", 5);
    reads(0x19, "\0\0\0\0", 4);
    reads(0x4000, "QEMU", 4);
    reads(0x8000, "\0", 1);
    reads(2, "\0", 1);
    reads(0xffff, "\0", 1);
}

static void other_accesses(void **state)
{
    (void)state;
    select_key(0);
    world_out(&world, 0x511, 1);
    world_out(&world, 0x510, 1);
    assert_int_equal(world_in(&world, 0x510), 0);
    assert_int_equal(pio_bus_read(&world.bus, 0x510, 2), 0);
    assert_int_equal(next(), 'Q'); /* none of them moved or selected anything */
    assert_int_equal(pio_bus_read(&world.bus, 0x511, 4), 0xffffff45);
    assert_int_equal(next(), 'M');
    assert_int_equal(world_in(&world, 0x512), 0xff);
}

static void items(void **state)
{
    static const uint16_t cpus = 0x1234;

    (void)state;
    assert_true(fw_cfg_add(&fw_cfg, FW_CFG_CPUS, &cpus, sizeof(cpus)));
    reads(FW_CFG_CPUS, "\x34\x12\0\0", 4);
}

static void files(void **state)
{
    static char name[FW_CFG_NAME_MAX + 2];

    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    assert_false(fw_cfg_add_file(&fw_cfg, name, "", 0));
    name[FW_CFG_NAME_MAX] = '\0';
    assert_true(fw_cfg_add_file(&fw_cfg, "etc/one", "1st", 3));
    assert_true(fw_cfg_add_file(&fw_cfg, name, "second", 6));
    reads(0x20, "1st\0", 4);
    reads(0x21, "second\0", 7);
    select_key(0x19);
    assert_int_equal(next_big_endian(4), 2);
    assert_int_equal(next_big_endian(4), 3);
    assert_int_equal(next_big_endian(2), 0x20);
    assert_int_equal(next_big_endian(2), 0);
    for (unsigned i = 0; i < 56; i++)
        assert_int_equal(next(), i < 7 ? "etc/one"[i] : 0);
    assert_int_equal(next_big_endian(4), 6);
    assert_int_equal(next_big_endian(2), 0x21);
    assert_int_equal(next_big_endian(2), 0);
    for (unsigned i = 0; i < 56; i++)
        assert_int_equal(next(), (uint8_t)name[i]);
}

static void no_room(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FW_CFG_FILES_MAX; i++)
        assert_true(fw_cfg_add_file(&fw_cfg, "f", "", 0));
    assert_false(fw_cfg_add_file(&fw_cfg, "f", "", 0));
    select_key(0x19);
    assert_int_equal(next_big_endian(4), FW_CFG_FILES_MAX);
    for (unsigned i = FW_CFG_FILES_MAX + 3; i < FW_CFG_ITEMS_MAX; i++)
        assert_true(fw_cfg_add(&fw_cfg, 0x100, "", 0));
    assert_false(fw_cfg_add(&fw_cfg, 0x100, "", 0));
    assert_false(fw_cfg_init(&fw_cfg, &world.bus));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_always_there, setup),
        cmocka_unit_test_setup(other_accesses, setup),
        cmocka_unit_test_setup(items, setup),
        cmocka_unit_test_setup(files, setup),
        cmocka_unit_test_setup(no_room, setup),
    };
    return cmocka_run_group_tests_name("fw_cfg", tests, NULL, NULL);
}
