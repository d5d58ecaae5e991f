/* SPDX-License-Identifier: BSD-2-Clause */
/* Long random histories on the engine and on the naive model. A difference is shrunk to a short
 * history and printed as code. Argument: number of histories. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/host/apic_history.h"

enum { LENGTH = 400, QUICK = 300, LONGEST_SHRUNK = 8 };

static unsigned histories = QUICK;

static uint32_t pick(uint32_t count)
{
    return (uint32_t)rand() % count;
}

/* Values that hit each other more often than chance would. */
static uint32_t destination(void)
{
    static const uint32_t usual[] = {
        0x05, 0x23,       0x123,      0xFF,       0xFFFFFFFF, 0x01,       0x02,       0x03,
        0x23, 0x00120008, 0x00020008, 0x05000000, 0x23000000, 0xFF000000, 0x01000000, 0x03000000};
    return usual[pick(sizeof(usual) / sizeof(*usual))];
}

static uint32_t vector(void)
{
    return pick(12) == 0 ? pick(16) : 0x20 + pick(14) * 0x10 + pick(3);
}

static struct op random_op(void)
{
    struct op op = {.kind = (uint8_t)pick(OP_KINDS), .apic = (uint8_t)pick(4)};
    static const uint32_t ids[] = {0x01, 0x03, 0x05, 0x23, 0x21, 0xFF, 0x00};
    if ((op.kind == OP_RESET || op.kind == OP_INIT || op.kind == OP_BASE) && pick(4) != 0) {
        op.kind = OP_MESSAGE;
    }
    op.a = pick(0x10000) | pick(0x10000) << 16;
    op.b = op.a;
    switch (op.kind) {
    case OP_ID:
    case OP_LDR:
        op.a = ids[pick(7)];
        break;
    case OP_DFR:
        op.a = pick(3) == 0 ? pick(16) : pick(2) * 0xF;
        break;
    case OP_SVR:
        op.a = pick(4) != 0 ? 0x1FF : 0xFF;
        break;
    case OP_TPR:
        op.a = pick(8) * 0x21;
        break;
    case OP_ICR:
        op.a = destination();
        op.b = vector() | (pick(2) == 0 ? pick(8) << 8 : 0) | pick(2) << 11 | pick(4) << 14 |
               (pick(2) == 0 ? pick(4) << 18 : 0);
        break;
    case OP_MESSAGE:
        op.a = destination();
        op.b = vector() | (pick(2) == 0 ? pick(8) << 8 : 0) | pick(16) << 11;
        break;
    case OP_LVT_TIMER:
        op.a = vector() | (pick(4) == 0) << 16 | pick(4) << 17;
        break;
    default:
        break;
    }
    return op;
}

/* Leaves out ever smaller pieces as long as the rest still fails. */
static size_t shrink(struct op *ops, size_t count, enum apic_policy policy, bool planted)
{
    const char *what;
    static struct op shorter[LENGTH];
    for (size_t piece = count / 2 + 1; piece > 0; piece /= 2) {
        for (size_t at = 0; at + piece <= count;) {
            memcpy(shorter, ops, at * sizeof(*ops));
            memcpy(&shorter[at], &ops[at + piece], (count - at - piece) * sizeof(*ops));
            size_t failed = history_run(shorter, count - piece, policy, planted, &what);
            if (failed == 0) {
                at += piece;
                continue;
            }
            memcpy(ops, shorter, failed * sizeof(*ops));
            count = failed;
        }
    }
    return count;
}

static void print_history(const struct op *ops, size_t count, enum apic_policy policy)
{
    static const char *const kinds[] = {
        "OP_ID",       "OP_LDR",    "OP_DFR",       "OP_SVR",           "OP_TPR",
        "OP_BASE",     "OP_ICR",    "OP_MESSAGE",   "OP_ACKNOWLEDGE",   "OP_EOI",
        "OP_INIT",     "OP_RESET",  "OP_LVT_TIMER", "OP_TIMER_INITIAL", "OP_TIMER_DIVIDE",
        "OP_DEADLINE", "OP_ADVANCE"};
    print_error("static const struct op history[] = { /* policy %d */\n", (int)policy);
    for (size_t i = 0; i < count; i++) {
        print_error("    {%s, %u, 0x%x, 0x%x},\n", kinds[ops[i].kind], ops[i].apic, ops[i].a,
                    ops[i].b);
    }
    print_error("};\n");
}

static struct op ops[LENGTH];

static size_t random_history(unsigned seed, enum apic_policy policy, bool planted,
                             const char **what)
{
    srand(seed);
    for (size_t i = 0; i < LENGTH; i++) {
        ops[i] = random_op();
    }
    return history_run(ops, LENGTH, policy, planted, what);
}

static void engine_equals_naive_model(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= histories; seed++) {
        const char *what = NULL;
        enum apic_policy policy = (enum apic_policy)(seed % 3);
        size_t failed = random_history(seed, policy, false, &what);
        if (failed != 0) {
            size_t count = shrink(ops, failed, policy, false);
            print_history(ops, count, policy);
            fail_msg("seed %u: %s differs", seed, what);
        }
    }
    print_message("# %u histories of %d operations\n", histories, LENGTH);
}

/* The test itself, on a model that is wrong on purpose. */
static void planted_difference_is_found_and_shrunk(void **state)
{
    (void)state;
    size_t failed = 0;
    const char *what;
    for (unsigned seed = 1; failed == 0 && seed <= 100; seed++) {
        failed = random_history(seed, APIC_POLICY_ARCHITECTURAL, true, &what);
    }
    assert_int_not_equal(failed, 0);
    size_t count = shrink(ops, failed, APIC_POLICY_ARCHITECTURAL, true);
    assert_in_range(count, 1, LONGEST_SHRUNK);
    assert_int_equal(ops[count - 1].kind, OP_EOI);
}

int main(int argc, char **argv)
{
    histories = argc == 2 ? (unsigned)atoi(argv[1]) : QUICK;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engine_equals_naive_model),
        cmocka_unit_test(planted_difference_is_found_and_shrunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
