/* SPDX-License-Identifier: BSD-2-Clause */
/* What the monitor says of local APICs and of the maps that messages to them are routed by.
 * SDM Vol 3A, "Advanced Programmable Interrupt Controller (APIC)". */
#include "apic/lapic.h"
#include <stdarg.h>

#include "core/bits.h"
#include "core/console.h"
#include "core/epoch.h"
#include "core/format.h"
#include "core/monitor/monitor.h"
#include "core/remote.h"
#include "core/string.h"
#include "core/time.h"
#include "core/vcpu.h"
#include "core/vm.h"
#include "core/vm_hold.h"

enum { VECTORS = 256, TEXT_MAX = 400 };

/* A piece of text that grows; what does not fit is left out, and "..." says so. */
struct text {
    char bytes[TEXT_MAX];
    size_t used;
};

static __attribute__((format(printf, 2, 3))) void add(struct text *text, const char *format, ...)
{
    va_list arguments;

    if (text->used >= sizeof(text->bytes) - sizeof(" ..."))
        return;
    va_start(arguments, format);
    size_t n = format_string_v(text->bytes + text->used, sizeof(text->bytes) - text->used, format,
                               arguments);
    va_end(arguments);
    text->used += n;
    if (text->used >= sizeof(text->bytes) - sizeof(" ...")) {
        text->used = sizeof(text->bytes) - sizeof(" ...");
        memcpy(text->bytes + text->used, " ...", sizeof(" ..."));
    }
}

/* ---- One APIC -------------------------------------------------------------------------------- */

/* A copy that its owner made. */
static struct sight {
    struct context *ctx;
    struct lapic lapic;
    uint32_t page[APIC_PAGE_SIZE / sizeof(uint32_t)];
    uint64_t posted[4], posted_level[4];
    uint64_t now;
    bool there;
} sight;

static void look(void *)
{
    const struct context *ctx = sight.ctx;

    sight.there = vcpu_has_vtl(ctx->vcpu, ctx->vtl);
    sight.lapic = ctx->lapic;
    memcpy(sight.page, ctx->apic_page, sizeof(sight.page));
    sight.lapic.regs = sight.page;
    for (unsigned i = 0; i < 4; i++) {
        sight.posted[i] = atomic_load(&ctx->post->pir[i]);
        sight.posted_level[i] = atomic_load(&ctx->post->level[i]);
    }
    sight.now = vm_hold_time(ctx->vcpu->vm);
}

static uint32_t reg(enum apic_reg offset)
{
    return sight.page[offset / sizeof(uint32_t)];
}

static bool in_register(enum apic_reg first, unsigned vector)
{
    return sight.page[(first + 0x10 * (vector / 32)) / sizeof(uint32_t)] >> vector % 32 & 1;
}

static void show_vectors(const char *name, enum apic_reg first)
{
    struct text text = {.used = 0};

    for (unsigned vector = 0; vector < VECTORS; vector++)
        if (in_register(first, vector))
            add(&text, " %02x", vector);
    console_print("    %s:%s", name, text.used > 0 ? text.bytes : " none");
}

static void show_posted(void)
{
    struct text text = {.used = 0};

    for (unsigned vector = 0; vector < VECTORS; vector++)
        if ((sight.posted[vector / 64] | sight.posted_level[vector / 64]) >> vector % 64 & 1)
            add(&text, " %02x", vector);
    if (text.used > 0)
        console_print("    posted, not in IRR yet:%s", text.bytes);
}

/* "Local Vector Table". */
static void show_lvt(const char *name, enum apic_reg offset)
{
    static const char *const delivery[] = {"fixed", "mode 1", "SMI",    "mode 3",
                                           "NMI",   "INIT",   "mode 6", "ExtINT"};
    uint32_t lvt = reg(offset);
    bool pin = offset == APIC_LVT_LINT0 || offset == APIC_LVT_LINT1;
    bool plain = offset == APIC_LVT_TIMER || offset == APIC_LVT_ERROR;

    console_print("    %s: %s, vector %02x%s%s%s%s%s", name,
                  plain ? "fixed" : delivery[lvt >> 8 & 7], lvt & 0xff,
                  lvt & APIC_LVT_MASKED ? ", masked" : "",
                  !pin                   ? ""
                  : lvt & APIC_LVT_LEVEL ? ", level"
                                         : ", edge",
                  !pin                      ? ""
                  : lvt & APIC_LVT_POLARITY ? ", active low"
                                            : ", active high",
                  pin && lvt & APIC_LVT_REMOTE_IRR ? ", remote IRR" : "",
                  lvt & APIC_LVT_STATUS ? ", send pending" : "");
}

static void show_timer(void)
{
    static const char *const modes[] = {"one-shot", "periodic", "TSC-deadline", "reserved mode"};
    uint32_t lvt = reg(APIC_LVT_TIMER);
    uint64_t next = lapic_timer_next(&sight.lapic);
    struct text text = {.used = 0};

    if (next == UINT64_MAX)
        add(&text, "stands");
    else if (next <= sight.now)
        add(&text, "is due");
    else
        add(&text, "%lu us left", tsc_to_ns(next - sight.now) / 1000);
    console_print("    timer: %s, initial count %u, divided by %u: %s", modes[lvt >> 17 & 3],
                  reg(APIC_TIMER_INITIAL), 1u << sight.lapic.timer.divide, text.bytes);
}

static void show_errors(const char *name, uint32_t errors)
{
    static const char *const names[] = {
        "send checksum",          "receive checksum",        "send accept",
        "receive accept",         "redirectable IPI",        "send illegal vector",
        "receive illegal vector", "illegal register address"};
    struct text text = {.used = 0};

    for (unsigned bit = 0; bit < ARRAY_SIZE(names); bit++)
        if (errors >> bit & 1)
            add(&text, "%s%s", text.used > 0 ? ", " : "", names[bit]);
    console_print("    %s: %02x%s%s", name, errors, text.used > 0 ? ": " : "", text.bytes);
}

/* "Processor Priority": the register in the page is brought up to date when it is looked at. */
static uint32_t processor_priority(void)
{
    uint32_t tpr = reg(APIC_TPR) & 0xff;
    uint32_t serviced = lapic_highest_isr(&sight.lapic) & 0xf0u;

    return tpr >= serviced ? tpr : serviced;
}

static void show_identity(void)
{
    static const char *const modes[] = {
        [APIC_DISABLED] = "disabled", [APIC_XAPIC] = "xAPIC", [APIC_X2APIC] = "x2APIC"};
    const struct lapic *lapic = &sight.lapic;
    enum apic_mode mode = lapic_mode(lapic);
    uint32_t id = mode == APIC_X2APIC ? reg(APIC_ID) : reg(APIC_ID) >> 24;
    uint32_t dfr = reg(APIC_DFR) >> 28;

    console_print("  vcpu %u VTL %u: APIC ID %xh (32-bit ID %xh), mode %s, software-%s, base "
                  "%lx%s",
                  sight.ctx->vcpu->index, sight.ctx->vtl, id, lapic->id32, modes[mode],
                  lapic_enabled(lapic) ? "enabled" : "disabled", lapic->base & APIC_BASE_ADDRESS,
                  lapic->base & APIC_BASE_BSP ? ", BSP" : "");
    if (mode == APIC_X2APIC)
        console_print("    LDR %08x: cluster %u, bit %04x", reg(APIC_LDR), reg(APIC_LDR) >> 16,
                      reg(APIC_LDR) & 0xffff);
    else
        console_print("    LDR %02x, DFR %xh: %s", reg(APIC_LDR) >> 24, dfr,
                      dfr == 0xf ? "flat"
                      : dfr == 0 ? "cluster"
                                 : "no model");
    console_print("    TPR %02x, PPR %02x, spurious vector %02x%s", reg(APIC_TPR),
                  processor_priority(), reg(APIC_SVR) & 0xff,
                  reg(APIC_SVR) & APIC_SVR_SUPPRESS_EOI ? ", EOI broadcasts suppressed" : "");
}

static void show_apic(struct context *ctx)
{
    sight.ctx = ctx;
    remote_call(atomic_load(&ctx->vcpu->sched.home), look, NULL);
    if (!sight.there)
        return;
    show_identity();
    show_vectors("IRR", APIC_IRR);
    show_vectors("ISR", APIC_ISR);
    show_vectors("TMR", APIC_TMR);
    show_posted();
    show_lvt("LVT timer", APIC_LVT_TIMER);
    show_timer();
    show_lvt("LVT thermal", APIC_LVT_THERMAL);
    show_lvt("LVT counters", APIC_LVT_PMC);
    show_lvt("LVT LINT0", APIC_LVT_LINT0);
    show_lvt("LVT LINT1", APIC_LVT_LINT1);
    show_lvt("LVT error", APIC_LVT_ERROR);
    show_errors("ESR", reg(APIC_ESR));
    show_errors("errors since ESR was written", lapic_errors(&sight.lapic));
}

void monitor_show_apics(struct vm *vm, uint32_t index)
{
    console_print("vm %s:", vm->config->name);
    for (unsigned vtl = 0; vtl < vm->vtls; vtl++)
        show_apic(&vm->vcpus[index]->contexts[vtl]);
}

/* ---- Maps ------------------------------------------------------------------------------------ */

/* Collected inside the epoch, which nobody may stay in for as long as a console takes. */
enum { LINES_MAX = 256 };

static struct {
    struct text lines[LINES_MAX];
    uint32_t count; /* may be more than there are lines */
    enum apic_map_table table;
    uint32_t dest;
} list;

static void begin_line(enum apic_map_table table, uint32_t dest)
{
    list.table = table;
    list.dest = dest;
    if (++list.count > LINES_MAX)
        return;
    struct text *line = &list.lines[list.count - 1];
    line->used = 0;
    switch (table) {
    case APIC_MAP_PHYSICAL:
        add(line, "    ID %xh: vcpu", dest);
        break;
    case APIC_MAP_FLAT:
        add(line, "    logical, flat, bit %02xh: vcpu", dest);
        break;
    case APIC_MAP_CLUSTER:
        add(line, "    logical, cluster %xh, bit %xh: vcpu", dest >> 4, dest & 0xf);
        break;
    case APIC_MAP_X2APIC:
        add(line, "    logical, x2APIC cluster %xh, bit %04xh: vcpu", dest >> 16, dest & 0xffff);
        break;
    }
}

static void see(void *, enum apic_map_table table, uint32_t dest, const struct lapic *lapic)
{
    const struct context *ctx = lapic->owner;

    if (list.count == 0 || list.table != table || list.dest != dest)
        begin_line(table, dest);
    if (list.count <= LINES_MAX)
        add(&list.lines[list.count - 1], " %u", ctx->vcpu->index);
}

void monitor_show_map(struct vm *vm, uint32_t)
{
    static const char *const policies[] = {[APIC_POLICY_ARCHITECTURAL] = "architectural",
                                           [APIC_POLICY_KNL] = "knl",
                                           [APIC_POLICY_KVM_32BIT] = "kvm-32bit"};

    console_print("vm %s: id_match = %s", vm->config->name, policies[vm->apic.config.policy]);
    for (unsigned group = 0; group < vm->vtls; group++) {
        list.count = 0;
        epoch_enter();
        apic_map_show(&vm->apic, group, see, NULL);
        epoch_leave();
        console_print("  group %u (VTL %u): %u destinations", group, group, list.count);
        for (uint32_t i = 0; i < min(list.count, (uint32_t)LINES_MAX); i++)
            console_print("%s", list.lines[i].bytes);
        if (list.count > LINES_MAX)
            console_print("    and %u more", list.count - LINES_MAX);
    }
}
