/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzz target: any register access by any means, local inputs, time, and the I/O APIC. What must
 * hold afterwards, whatever was done, is in check(). */
#include <stdlib.h>
#include <string.h>

#include "tests/host/apic_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum access {
    READ,
    WRITE,
    RDMSR,
    WRMSR,
    WRITTEN,
    BASE,
    CR8,
    DEADLINE,
    ICR,
    LINT,
    SOURCES,
    EXPIRE,
    ACKNOWLEDGE,
    EOI,
    IOAPIC_READ,
    IOAPIC_WRITE,
    IOAPIC_LINE,
    RESET,
    ACCESSES,
};

struct input {
    uint8_t access;
    uint8_t size;
    uint16_t offset;
    uint32_t low;
    uint32_t high;
};

static struct rig rig;
static struct ioapic ioapic;

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void check(struct lapic *lapic)
{
    require((lapic->regs[APIC_IRR / 4] & 0xFFFF) == 0);
    require((lapic->regs[APIC_ISR / 4] & 0xFFFF) == 0);
    for (unsigned i = 0; i < APIC_PAGE_SIZE / 4; i++) {
        bool high_half = i == APIC_ICR / 4 + 1;
        require(i % 4 == 0 || high_half || lapic->regs[i] == 0);
    }
    uint8_t tpr = (uint8_t)lapic->regs[APIC_TPR / 4];
    uint8_t isr = lapic_highest_isr(lapic);
    require(lapic->regs[APIC_PPR / 4] == (tpr >> 4 >= isr >> 4 ? tpr : isr & 0xF0u));
    require(lapic_tpr_threshold(lapic) <= tpr >> 4);
    require((lapic->base & (APIC_BASE_EN | APIC_BASE_EXTD)) != APIC_BASE_EXTD);
    require(lapic->enabled != 0 || (lapic->regs[APIC_LVT_TIMER / 4] & APIC_LVT_MASKED) != 0);
    require(lapic->regs[APIC_LVT_TIMER / 4] == lapic->timer.lvt);
    uint64_t deadline = lapic_timer_deadline(lapic);
    require(deadline == UINT64_MAX || lapic->timer.armed);
}

/* Offsets that the hardware reports with an APIC-write exit. */
static void written(struct lapic *lapic, const struct input *in)
{
    static const uint16_t regs[] = {
        APIC_ID,        APIC_EOI,         APIC_LDR,           APIC_DFR,
        APIC_SVR,       APIC_ESR,         APIC_ICR,           APIC_ICR_HIGH,
        APIC_LVT_TIMER, APIC_LVT_THERMAL, APIC_LVT_PMC,       APIC_LVT_LINT0,
        APIC_LVT_LINT1, APIC_LVT_ERROR,   APIC_TIMER_INITIAL, APIC_TIMER_DIVIDE,
    };
    uint32_t reg = regs[in->offset % (sizeof(regs) / sizeof(*regs))];
    if (lapic_mode(lapic) == APIC_XAPIC) {
        lapic->regs[reg / 4] = in->low;
        lapic_written(lapic, reg);
    }
}

static void sources(struct lapic *lapic, const struct input *in)
{
    static void (*const fire[])(struct lapic *) = {lapic_thermal, lapic_pmc, lapic_cmci};
    fire[in->size % 3](lapic);
}

static void step(struct lapic *lapic, const struct input *in)
{
    uint64_t value = in->low | (uint64_t)in->high << 32;
    rig.now += in->high % 4096;
    switch (in->access % ACCESSES) {
    case READ:
        (void)lapic_read(lapic, in->offset, 1u << in->size % 4);
        break;
    case WRITE:
        lapic_write(lapic, in->offset, in->size == 0 ? 4 : 1u << in->size % 4, value);
        break;
    case RDMSR:
        (void)lapic_rdmsr(lapic, APIC_MSR_FIRST + in->offset % 0x400, &value);
        break;
    case WRMSR:
        (void)lapic_wrmsr(lapic, APIC_MSR_FIRST + in->offset % 0x400, value);
        break;
    case WRITTEN:
        written(lapic, in);
        break;
    case BASE:
        (void)lapic_write_base(lapic, in->size % 2 ? value : APIC_BASE_DEFAULT | (in->low & 0xC00));
        break;
    case CR8:
        (void)lapic_write_cr8(lapic, value);
        break;
    case DEADLINE:
        lapic_write_tsc_deadline(lapic, value);
        require(lapic_read_tsc_deadline(lapic) == 0 || lapic_read_tsc_deadline(lapic) == value);
        break;
    case ICR:
        lapic_write_icr(lapic, value);
        break;
    case LINT:
        lapic_lint(lapic, in->size, in->low & 1);
        break;
    case SOURCES:
        sources(lapic, in);
        break;
    case EXPIRE:
        (void)lapic_timer_expire(lapic, rig.now);
        break;
    case ACKNOWLEDGE:
        (void)lapic_acknowledge(lapic);
        break;
    case EOI:
        lapic_eoi(lapic);
        break;
    case IOAPIC_READ:
        (void)ioapic_read(&ioapic, in->offset, 4);
        break;
    case IOAPIC_WRITE:
        ioapic_write(&ioapic, in->offset % 5 * 0x10, 4, in->low);
        break;
    case IOAPIC_LINE:
        ioapic_set_line(&ioapic, in->size, in->low & 1);
        break;
    default:
        if (in->size % 2) {
            lapic_reset(lapic);
        } else {
            lapic_init_signal(lapic);
        }
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct apic_config config = rig_default_config();
    config.cmci = data[0] & 1;
    config.eoi_suppression = data[0] & 2;
    config.tsc_deadline = data[0] & 4;
    config.writable_id = data[0] & 8;
    config.bus_num = 1 + (data[0] >> 4);
    struct ioapic_params params = {.lines = IOAPIC_DEFAULT_LINES};
    rig_init(&rig, &config, 1);
    struct lapic *lapic = rig_add(&rig, 0x123, 0);
    require(lapic != NULL && ioapic_init(&ioapic, &rig.domain, &params));
    for (size_t at = 1; at + sizeof(struct input) <= size; at += sizeof(struct input)) {
        struct input in;
        memcpy(&in, data + at, sizeof(in));
        step(lapic, &in);
        (void)rig_merge(lapic);
        check(lapic);
    }
    rig_destroy(&rig);
    return 0;
}
