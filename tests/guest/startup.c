/* SPDX-License-Identifier: BSD-2-Clause */
// vcpus: 4
/* Application processors start by INIT and SIPI, each as itself. SDM Vol 3A, "MP Initialization
   Protocol Algorithm for MP Systems". */
#include "tests/guest/guest.h"

enum {
    CODE = 0x8000, /* the start-up vector is its page number */
    PROCESSORS = 4,
};

extern const uint8_t ap_code[], ap_code_end[];

/* As ap_code has it. */
struct answers {
    uint8_t starts[256];
    uint16_t cs[256];
};
#define ANSWERS ((volatile struct answers *)0x9000)

static void send(unsigned id, uint32_t command)
{
    lapic_write(LAPIC_ICR_HIGH, id << 24);
    lapic_write(LAPIC_ICR, command | ICR_ASSERT);
}

static bool starts_within(unsigned id, unsigned timeout_ms)
{
    while (!ANSWERS->starts[id] && timeout_ms--)
        delay_us(1000);
    return ANSWERS->starts[id];
}

void test_main(void)
{
    memcpy((void *)CODE, ap_code, (size_t)(ap_code_end - ap_code));
    memset((void *)ANSWERS, 0, sizeof(struct answers));
    lapic_enable();
    delay_us(1000);
    for (unsigned id = 1; id < PROCESSORS; id++)
        is_u64(ANSWERS->starts[id], 0, "processor %u waits", id);
    for (unsigned id = PROCESSORS - 1; id > 0; id--) {
        send(id, ICR_INIT);
        send(id, ICR_STARTUP | CODE >> 12);
        ok(starts_within(id, 100), "processor %u starts", id);
        is_u64(ANSWERS->cs[id], CODE >> 4, "processor %u starts at its vector", id);
        send(id, ICR_STARTUP | CODE >> 12); /* it runs: without effect */
    }
    for (unsigned id = 1; id < PROCESSORS; id++)
        is_u64(ANSWERS->starts[id], 1, "processor %u started once", id);
}
