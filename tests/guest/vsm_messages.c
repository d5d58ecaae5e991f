/* SPDX-License-Identifier: BSD-2-Clause */
/* Intercept messages whose slot VTL1 does not empty: one more waits, says so, and comes when there
   is room. */
// hyperv: on
// vtls: 2
#include "tests/guest/lib/vsm.h"

enum {
    SELF = HV_VP_SELF,
    REG_PARTITION_CONFIG = 0xd0007,
    CONFIG_ON = 1 | VSM_RWX << 1 | 1 << 5,
    VECTOR_TIMER = 0x51,
    GPA_INTERCEPT = (int)0x80000001,
    PENDING = 1 << 0, /* of the message's flags */
};

struct message {
    volatile uint32_t type;
    uint8_t size;
    volatile uint8_t flags;
    uint8_t reserved[10];
    uint8_t payload[240];
};

static uint8_t page[2][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static struct message *slot;
static volatile unsigned arrived, ticks, status;
static volatile bool keep; /* the interrupt's handler leaves the message where it is */
static volatile bool allow;
static volatile uint8_t flags_seen[8];
static volatile uint64_t gpa_seen[8];

static void look(void)
{
    uint64_t gpa;
    memcpy(&gpa, slot->payload + 56, sizeof(gpa));
    flags_seen[arrived % 8] = slot->flags;
    gpa_seen[arrived % 8] = gpa;
    arrived++;
}

static void on_intercept(struct trap_frame *frame)
{
    (void)frame;
    look();
    if (allow)
        vsm_protect(page, 2, VSM_RWX);
    if (!keep)
        slot->type = 0;
    lapic_eoi();
}

static volatile bool by_eom;
static volatile uint8_t flags_before;
static volatile unsigned arrived_before;

/* VTL1 gets to its slot, which has been full since VTL0 was first refused. */
static void on_timer(struct trap_frame *frame)
{
    (void)frame;
    ticks++;
    flags_before = slot->flags;
    arrived_before = arrived;
    keep = false;
    allow = true;
    slot->type = 0;
    asm volatile("mfence" : : : "memory");
    if (by_eom)
        wrmsr(HV_MSR_EOM, 0);
    lapic_eoi();
}

static void start(uintptr_t unused)
{
    (void)unused;
    slot = (void *)vsm_use_synic();
    status = vsm_set((uint32_t)SELF, 0, REG_PARTITION_CONFIG, CONFIG_ON, 0);
}

static void deny(uintptr_t unused)
{
    (void)unused;
    status = vsm_protect(page, 2, VSM_NONE);
    keep = true;
    allow = false;
    arrived = ticks = 0;
    lapic_timer_start(VECTOR_TIMER, 2000);
}

static void full_slot(bool eom, const char *how)
{
    by_eom = eom;
    vsm_run(deny, 0);
    uint8_t value = *(volatile uint8_t *)&page[0][5]; /* at once: printing takes longer */
    is_u64(status, HV_SUCCESS, "%s: a page without access", how);
    is_u64(value, 0x5a, "%s: the read ends when VTL1 allows it", how);
    is_u64(arrived_before, 1, "%s: one interrupt while the slot is full", how);
    is_u64(flags_before & PENDING, PENDING, "%s: its message says that another waits", how);
    is_u64(arrived, 2, "%s: that comes when there is room, and none but that", how);
    is_u64(flags_seen[1] & PENDING, 0, "%s: it says that it is the last", how);
    is_u64(gpa_seen[1], (uintptr_t)&page[0][5], "%s: and is of the same access", how);
    is_u64(slot->type, 0, "%s: the slot is empty", how);
}

/* The message that waits is the first that found no room. */
static void two_accesses(void)
{
    vsm_run(deny, 0);
    uint8_t value = *(volatile uint8_t *)&page[1][7];
    is_u64(value, 0x5a, "another page: the read ends");
    is_u64(gpa_seen[0], (uintptr_t)&page[1][7], "the first message is of it");
    is_u64(gpa_seen[1], (uintptr_t)&page[1][7], "and the second");
}

static void mask(uintptr_t sint)
{
    wrmsr(HV_MSR_SINT0, sint);
    status = vsm_protect(page, 2, VSM_NONE);
    keep = false;
    allow = true;
    arrived = ticks = 0;
    lapic_timer_start(VECTOR_TIMER, 2000);
}

/* With SINT0 masked the message is there all the same, and nobody is told. */
static void masked(void)
{
    vsm_run(mask, 0x10000 | VSM_INTERCEPT_VECTOR);
    /* The timer's handler finds a message, empties the slot, and VTL0 is refused again. */
    by_eom = false;
    set_handler(VECTOR_TIMER, on_intercept);
    uint8_t value = *(volatile uint8_t *)&page[0][9];
    is_u64(value, 0x5a, "SINT0 masked: the read ends when VTL1 looks by itself");
    is_u64(gpa_seen[0], (uintptr_t)&page[0][9], "its message was in the slot");
    is_u64(arrived, 1, "without an interrupt of its own");
}

void test_main(void)
{
    memset(page, 0x5a, sizeof(page));
    set_handler(VSM_INTERCEPT_VECTOR, on_intercept);
    set_handler(VECTOR_TIMER, on_timer);
    lapic_enable();
    lapic_ticks_per_ms();
    vsm_begin();
    vsm_enable(1);
    vsm_run(start, 0);
    is_u64(status, HV_SUCCESS, "VTL1 protects");
    full_slot(true, "by EOM");
    full_slot(false, "by the next access");
    two_accesses();
    masked();
}
