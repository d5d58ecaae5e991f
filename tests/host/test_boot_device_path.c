/* SPDX-License-Identifier: BSD-2-Clause */
/* links: boot/device_path.c */
/* Whether the firmware's console goes to the first serial port. */
#include "boot/device_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PCI_ROOT     2, 1, 12, 0, 0xd0, 0x41, 0x03, 0x0a, 0, 0, 0, 0
#define PCI(dev)     1, 1, 6, 0, 0, dev
#define SERIAL(uid)  2, 1, 12, 0, 0xd0, 0x41, 0x01, 0x05, uid, 0, 0, 0
#define UART         3, 14, 19, 0, 0, 0, 0, 0, 0, 0xc2, 1, 0, 0, 0, 0, 0, 8, 1, 1
#define END_INSTANCE 0x7f, 1, 4, 0
#define END          0x7f, 0xff, 4, 0

static void test_found(void **state)
{
    static const uint8_t alone[] = {PCI_ROOT, PCI(1), SERIAL(0), UART, END};
    static const uint8_t second[] = {PCI_ROOT, PCI(2),    END_INSTANCE, PCI_ROOT,
                                     PCI(1),   SERIAL(0), UART,         END};

    (void)state;
    assert_true(device_path_has_first_uart(alone, sizeof(alone)));
    assert_true(device_path_has_first_uart(second, sizeof(second)));
}

static void test_not_found(void **state)
{
    static const uint8_t graphics[] = {PCI_ROOT, PCI(2), END};
    static const uint8_t other_port[] = {PCI_ROOT, PCI(1), SERIAL(1), UART, END};
    static const uint8_t no_uart[] = {PCI_ROOT, PCI(1), SERIAL(0), END_INSTANCE, UART, END};

    (void)state;
    assert_false(device_path_has_first_uart(graphics, sizeof(graphics)));
    assert_false(device_path_has_first_uart(other_port, sizeof(other_port)));
    assert_false(device_path_has_first_uart(no_uart, sizeof(no_uart)));
    assert_false(device_path_has_first_uart(NULL, 0));
}

static void test_malformed(void **state)
{
    static const uint8_t whole[] = {PCI_ROOT, PCI(1), SERIAL(0), UART};
    static const uint8_t no_length[] = {2, 1, 0, 0, SERIAL(0), UART, END};
    static const uint8_t short_acpi[] = {2, 1, 8, 0, 0xd0, 0x41, 0x01, 0x05, UART, END};

    (void)state;
    for (size_t size = 0; size < sizeof(whole); size++) {
        uint8_t cut[sizeof(whole)];
        uint8_t *start = cut + sizeof(cut) - size;

        memcpy(start, whole, size);
        assert_false(device_path_has_first_uart(start, size));
    }
    assert_false(device_path_has_first_uart(no_length, sizeof(no_length)));
    assert_false(device_path_has_first_uart(short_acpi, sizeof(short_acpi)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_not_found),
        cmocka_unit_test(test_malformed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
