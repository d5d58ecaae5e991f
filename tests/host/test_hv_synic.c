/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages and event flags of a synthetic interrupt controller. links: core/hyperv/synic.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/hyperv/synic.h"

static struct synic synic;
static struct hv_message messages[HV_SINTS];
static uint64_t flags[HV_SINTS * HV_EVENT_FLAGS / 64];
static unsigned raised[256];
static uint32_t type_when_raised;

/* The vector is the SINT's number plus 0x40. */
static void note(void *arg, uint8_t vector)
{
    assert_ptr_equal(arg, &synic);
    raised[vector]++;
    if (vector >= 0x40 && vector < 0x50)
        type_when_raised = messages[vector - 0x40].type;
}

static unsigned raised_in_all(void)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < 256; i++)
        sum += raised[i];
    return sum;
}

static int setup(void **state)
{
    (void)state;
    memset(messages, 0, sizeof(messages));
    memset(flags, 0, sizeof(flags));
    memset(raised, 0, sizeof(raised));
    synic_reset(&synic, messages, flags, note, &synic);
    synic.control = SCONTROL_ENABLE;
    synic.has_messages = true;
    synic.has_flags = true;
    for (unsigned i = 0; i < HV_SINTS; i++)
        assert_true(synic_write_sint(&synic, i, 0x40 + i));
    return 0;
}

static struct hv_message message(uint32_t type)
{
    struct hv_message m = {.type = type, .size = 4, .origin = 0x1234};

    memcpy(m.payload, &type, sizeof(type));
    return m;
}

static enum hv_status post(unsigned sint, uint32_t type)
{
    struct hv_message m = message(type);

    return synic_post(&synic, sint, &m, false);
}

static void reset_state(void **state)
{
    (void)state;
    synic_reset(&synic, messages, flags, note, &synic);
    assert_int_equal(synic.control, 0);
    for (unsigned i = 0; i < HV_SINTS; i++)
        assert_int_equal(synic.sint[i], 0x10000);
    assert_int_equal(post(2, 1), HV_INVALID_SYNIC_STATE);
    assert_int_equal(synic_signal(&synic, 2, 0), HV_INVALID_SYNIC_STATE);
}

static void sint_values(void **state)
{
    (void)state;
    for (unsigned vector = 0; vector < 16; vector++) {
        assert_false(synic_write_sint(&synic, 3, vector));
        assert_int_equal(synic.sint[3], 0x43);
    }
    assert_false(synic_write_sint(&synic, 3, SINT_MASKED | 15));
    assert_true(synic_write_sint(&synic, 3, SINT_MASKED));
    assert_true(synic_write_sint(&synic, 3, 16));
    assert_true(synic_write_sint(&synic, 3, ~0ull));
    assert_int_equal(synic.sint[3], 0x700ff);
}

static void delivers_at_once(void **state)
{
    (void)state;
    assert_int_equal(post(2, 7), HV_SUCCESS);
    assert_int_equal(messages[2].type, 7);
    assert_int_equal(messages[2].size, 4);
    assert_int_equal(messages[2].flags, 0);
    assert_int_equal(messages[2].origin, 0x1234);
    assert_int_equal(messages[2].payload[0], 7);
    assert_int_equal(raised[0x42], 1);
    assert_int_equal(raised_in_all(), 1);
    assert_int_equal(type_when_raised, 7); /* the message was there before its interrupt */
}

static void waits_for_the_slot_in_order(void **state)
{
    (void)state;
    for (uint32_t type = 1; type <= 3; type++)
        assert_int_equal(post(2, type), HV_SUCCESS);
    for (uint32_t type = 1; type <= 3; type++) {
        assert_int_equal(messages[2].type, type);
        assert_int_equal(messages[2].flags, type < 3 ? HV_MESSAGE_PENDING : 0);
        assert_int_equal(raised[0x42], type);
        synic_retry(&synic); /* EOM without emptying the slot changes nothing */
        assert_int_equal(messages[2].type, type);
        assert_int_equal(raised[0x42], type);
        messages[2].type = 0;
        synic_retry(&synic);
    }
    assert_int_equal(messages[2].type, 0);
    assert_int_equal(raised[0x42], 3);
}

static void sources_do_not_wait_for_each_other(void **state)
{
    (void)state;
    post(2, 1);
    post(2, 2);
    post(3, 3);
    assert_int_equal(messages[3].type, 3);
    post(3, 4);
    messages[3].type = 0;
    synic_retry(&synic);
    assert_int_equal(messages[3].type, 4);
    assert_int_equal(messages[2].type, 1);
}

static void next_post_is_a_retry(void **state)
{
    (void)state;
    post(2, 1);
    post(2, 2);
    messages[2].type = 0;
    post(3, 3);
    assert_int_equal(messages[2].type, 2);
}

static void full_queue(void **state)
{
    (void)state;
    post(2, 1);
    for (unsigned i = 0; i < SYNIC_QUEUE; i++)
        assert_int_equal(post(2, 2 + i), HV_SUCCESS);
    assert_int_equal(post(2, 100), HV_INSUFFICIENT_BUFFERS);
    assert_int_equal(post(3, 100), HV_INSUFFICIENT_BUFFERS);
    struct hv_message m = message(0x80000001);
    assert_int_equal(synic_post(&synic, 0, &m, true), HV_SUCCESS);
    assert_int_equal(messages[0].type, 0x80000001);
    assert_int_equal(synic_post(&synic, 0, &m, true), HV_SUCCESS);
    assert_int_equal(synic_post(&synic, 0, &m, true), HV_INSUFFICIENT_BUFFERS);
    messages[2].type = 0;
    assert_int_equal(post(2, 100), HV_INSUFFICIENT_BUFFERS); /* the hypervisor's still waits */
    assert_int_equal(messages[2].type, 2);
    messages[0].type = 0;
    assert_int_equal(post(2, 100), HV_SUCCESS);
}

/* An access that is refused again and again while its message waits. */
static void own_message_waits_once(void **state)
{
    (void)state;
    struct hv_message m = message(0x80000001);

    assert_int_equal(synic_post(&synic, 0, &m, true), HV_SUCCESS);
    assert_int_equal(synic_post(&synic, 0, &m, true), HV_SUCCESS);
    assert_int_equal(messages[0].flags, HV_MESSAGE_PENDING);
    for (unsigned i = 0; i < SYNIC_QUEUE; i++)
        assert_int_equal(synic_post(&synic, 0, &m, true), HV_INSUFFICIENT_BUFFERS);
    messages[0].type = 0;
    synic_retry(&synic);
    assert_int_equal(messages[0].type, 0x80000001);
    assert_int_equal(messages[0].flags, 0);
    assert_int_equal(raised[0x40], 2);
}

static void own_message_waits_for_a_page(void **state)
{
    struct hv_message m = message(0x80000001);

    (void)state;
    synic.has_messages = false;
    assert_int_equal(post(0, 1), HV_INVALID_SYNIC_STATE);
    assert_int_equal(synic_post(&synic, 0, &m, true), HV_SUCCESS);
    assert_int_equal(messages[0].type, 0);
    assert_int_equal(raised_in_all(), 0);
    synic.has_messages = true;
    synic_retry(&synic);
    assert_int_equal(messages[0].type, 0x80000001);
    assert_int_equal(raised[0x40], 1);
}

static void masked_and_polled(void **state)
{
    (void)state;
    synic_write_sint(&synic, 4, SINT_MASKED | 0x44);
    synic_write_sint(&synic, 5, SINT_POLLING | 0x45);
    assert_int_equal(post(4, 1), HV_SUCCESS);
    assert_int_equal(post(5, 1), HV_SUCCESS);
    assert_int_equal(messages[4].type, 1);
    assert_int_equal(messages[5].type, 1);
    assert_int_equal(synic_signal(&synic, 4, 1), HV_INVALID_SYNIC_STATE);
    assert_int_equal(flags[4 * 32], 0);
    assert_int_equal(synic_signal(&synic, 5, 1), HV_SUCCESS);
    assert_int_equal(flags[5 * 32], 2);
    assert_int_equal(raised_in_all(), 0);
}

static void event_flags(void **state)
{
    (void)state;
    assert_int_equal(synic_signal(&synic, 15, 2047), HV_SUCCESS);
    assert_int_equal(flags[15 * 32 + 31], 1ull << 63);
    assert_int_equal(raised[0x4f], 1);
    assert_int_equal(synic_signal(&synic, 15, 2047), HV_SUCCESS); /* set: no news */
    assert_int_equal(raised[0x4f], 1);
    assert_int_equal(synic_signal(&synic, 15, 2046), HV_SUCCESS);
    assert_int_equal(raised[0x4f], 2);
    flags[15 * 32 + 31] = 0;
    synic_signal(&synic, 15, 2047);
    assert_int_equal(raised[0x4f], 3);
    synic.has_flags = false;
    assert_int_equal(synic_signal(&synic, 15, 1), HV_INVALID_SYNIC_STATE);
    synic.has_flags = true;
    synic.control = 0;
    assert_int_equal(synic_signal(&synic, 15, 1), HV_INVALID_SYNIC_STATE);
    assert_int_equal(flags[15 * 32], 0);
}

static void auto_eoi(void **state)
{
    (void)state;
    assert_false(synic_auto_eoi(&synic, 0x42));
    synic_write_sint(&synic, 2, SINT_AUTO_EOI | 0x42);
    synic_write_sint(&synic, 3, SINT_AUTO_EOI | SINT_MASKED | 0x43);
    assert_true(synic_auto_eoi(&synic, 0x42));
    assert_false(synic_auto_eoi(&synic, 0x43));
    assert_false(synic_auto_eoi(&synic, 0x44));
    synic_write_sint(&synic, 2, 0x42);
    assert_false(synic_auto_eoi(&synic, 0x42));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reset_state, setup),
        cmocka_unit_test_setup(sint_values, setup),
        cmocka_unit_test_setup(delivers_at_once, setup),
        cmocka_unit_test_setup(waits_for_the_slot_in_order, setup),
        cmocka_unit_test_setup(sources_do_not_wait_for_each_other, setup),
        cmocka_unit_test_setup(next_post_is_a_retry, setup),
        cmocka_unit_test_setup(full_queue, setup),
        cmocka_unit_test_setup(own_message_waits_once, setup),
        cmocka_unit_test_setup(own_message_waits_for_a_page, setup),
        cmocka_unit_test_setup(masked_and_polled, setup),
        cmocka_unit_test_setup(event_flags, setup),
        cmocka_unit_test_setup(auto_eoi, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
