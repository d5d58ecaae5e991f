/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzz target: streams of messages among changes of identity, on the engine and on the naive model.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/host/apic_history.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_OPS = 256, OP_BYTES = 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct op ops[MAX_OPS];
    const char *what;
    size_t count = 0;
    if (size == 0) {
        return 0;
    }
    for (size_t at = 1; at + OP_BYTES <= size && count < MAX_OPS; at += OP_BYTES) {
        struct op *op = &ops[count++];
        op->kind = data[at] % OP_KINDS;
        op->apic = data[at + 1];
        memcpy(&op->a, data + at + 2, sizeof(op->a));
        memcpy(&op->b, data + at + 6, sizeof(op->b));
    }
    if (history_run(ops, count, (enum apic_policy)(data[0] % 3), false, &what) != 0) {
        fprintf(stderr, "%s differs\n", what);
        abort();
    }
    return 0;
}
