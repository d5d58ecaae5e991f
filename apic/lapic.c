/* SPDX-License-Identifier: BSD-2-Clause */
/* An APIC's life: creation, reset, INIT, and the states of IA32_APIC_BASE. */
#include "apic/lapic.h"

#include "apic/internal.h"

enum {
    ID_SHIFT = 24,
    VERSION_LVT_SHIFT = 16,
    LVT_MAX_PLAIN = 5, /* number of entries minus one */
    LVT_MAX_CMCI = 6,
    SPURIOUS_AT_RESET = 0xFF,
    X2_CLUSTER_SHIFT = 16,
};

/* ---- Identity, as other CPUs see it ---- */

static uint64_t pack(const struct lapic *lapic)
{
    uint64_t ldr = *lapic_reg(lapic, APIC_LDR) >> ID_SHIFT;
    uint64_t dfr = *lapic_reg(lapic, APIC_DFR) >> 28;
    uint64_t enabled = lapic->enabled != 0;
    return lapic->id8 | ldr << 8 | dfr << 16 | enabled << 24 | (uint64_t)lapic_mode(lapic) << 32;
}

struct apic_identity lapic_unpack_identity(const struct lapic *lapic, uint64_t packed)
{
    return (struct apic_identity){
        .id32 = lapic->id32,
        .id8 = (uint8_t)packed,
        .ldr = (uint8_t)(packed >> 8),
        .dfr = (packed >> 16) & 0xFu,
        .enabled = (packed >> 24 & 1u) != 0,
        .mode = (uint8_t)(packed >> 32),
        .group = lapic->group,
    };
}

void lapic_publish(struct lapic *lapic)
{
    uint64_t packed = pack(lapic);
    if (packed == atomic_load_explicit(&lapic->identity, memory_order_relaxed))
        return;
    atomic_store(&lapic->identity, packed);
    apic_group_update(&lapic->domain->group[lapic->group]);
}

/* ---- Reset and INIT ---- */

static uint32_t version(const struct apic_config *config)
{
    uint32_t lvts = config->cmci ? LVT_MAX_CMCI : LVT_MAX_PLAIN;
    return config->version | lvts << VERSION_LVT_SHIFT |
           (config->eoi_suppression ? APIC_VERSION_EOI_SUPPRESSION : 0);
}

/* ID and LDR as the current mode shows them ("Logical Destination Mode in x2APIC Mode"). */
static void show_ids(struct lapic *lapic)
{
    bool x2apic = lapic_mode(lapic) == APIC_X2APIC;
    uint32_t id = lapic->id32;
    uint32_t cluster = (id >> 4) & 0xFFFFu;
    *lapic_reg(lapic, APIC_ID) = x2apic ? id : (uint32_t)lapic->id8 << ID_SHIFT;
    *lapic_reg(lapic, APIC_LDR) =
        x2apic ? cluster << X2_CLUSTER_SHIFT | UINT32_C(1) << (id & 0xFu) : 0;
}

static void reset_registers(struct lapic *lapic)
{
    __builtin_memset(lapic->regs, 0, APIC_PAGE_SIZE);
    atomic_store(&lapic->post->levels, 0);
    *lapic_reg(lapic, APIC_VERSION) = version(&lapic->domain->config);
    *lapic_reg(lapic, APIC_DFR) = UINT32_MAX;
    *lapic_reg(lapic, APIC_SVR) = SPURIOUS_AT_RESET;
    lapic_reset_lvts(lapic);
    lapic_timer_reset(lapic);
    lapic->errors = 0;
    lapic->error_armed = true;
    lapic->enabled = 0;
    show_ids(lapic);
}

static void to_power_on(struct lapic *lapic)
{
    lapic->base = APIC_BASE_DEFAULT | APIC_BASE_EN | (lapic->base & APIC_BASE_BSP);
    lapic->id8 = (uint8_t)lapic->id32;
    reset_registers(lapic);
}

void lapic_reset(struct lapic *lapic)
{
    to_power_on(lapic);
    lapic_publish(lapic);
    apic_post_clear(lapic->post);
    apic_trace(lapic->domain, APIC_TRACE_RESET, lapic, NULL, 0, 0);
}

void lapic_init_signal(struct lapic *lapic)
{
    reset_registers(lapic);
    lapic_publish(lapic);
    apic_trace(lapic->domain, APIC_TRACE_RESET, lapic, NULL, 1, 0);
}

static void init_post(struct lapic *lapic)
{
    struct apic_post *post = lapic->post;
    __builtin_memset(post, 0, sizeof(*post));
    post->lapic = lapic;
    post->owner = lapic->owner;
}

bool lapic_init(struct lapic *lapic, struct apic_domain *domain, const struct lapic_params *params)
{
    if (params->id32 == UINT32_MAX || params->group >= domain->config.groups)
        return false;
    *lapic = (struct lapic){
        .regs = params->page,
        .post = params->post,
        .domain = domain,
        .owner = params->owner,
        .id32 = params->id32,
        .group = params->group,
        .base = params->bsp ? APIC_BASE_BSP : 0,
        .traced = domain->calls.trace != NULL,
    };
    init_post(lapic);
    to_power_on(lapic);
    atomic_store(&lapic->identity, pack(lapic));
    return apic_group_add(&domain->group[lapic->group], lapic);
}

/* ---- IA32_APIC_BASE ---- */

static bool base_is_valid(const struct lapic *lapic, uint64_t value)
{
    const struct apic_config *config = &lapic->domain->config;
    uint64_t defined = APIC_BASE_BSP | APIC_BASE_EN | (config->x2apic ? APIC_BASE_EXTD : 0) |
                       (APIC_BASE_ADDRESS & ((UINT64_C(1) << config->maxphyaddr) - 1));
    return (value & ~defined) == 0;
}

/* SDM Vol 3A, "x2APIC State Transitions". */
static bool transition_is_legal(enum apic_mode from, uint64_t value)
{
    bool enable = (value & APIC_BASE_EN) != 0;
    bool extended = (value & APIC_BASE_EXTD) != 0;
    if (extended && !enable)
        return false;
    if (from == APIC_DISABLED && extended)
        return false;
    return !(from == APIC_X2APIC && enable && !extended);
}

/* Leaving for the disabled state loses everything but the IDs and what CR8 reads; coming back
 * restores the default xAPIC ID. */
static void change_mode(struct lapic *lapic, enum apic_mode from, enum apic_mode to)
{
    if (to == APIC_DISABLED) {
        uint8_t tpr = (uint8_t)*lapic_reg(lapic, APIC_TPR);
        reset_registers(lapic);
        lapic_write_tpr(lapic, tpr);
    } else if (from == APIC_DISABLED) {
        lapic->id8 = (uint8_t)lapic->id32;
        show_ids(lapic);
    } else {
        lapic_reg(lapic, APIC_ICR)[1] = 0;
        *lapic_reg(lapic, APIC_ICR_HIGH) = 0;
        show_ids(lapic);
    }
}

bool lapic_write_base(struct lapic *lapic, uint64_t value)
{
    uint64_t old = lapic->base;
    enum apic_mode from = lapic_mode(lapic);
    if (!base_is_valid(lapic, value) || !transition_is_legal(from, value))
        return false;
    lapic->base = (value & ~APIC_BASE_BSP) | (old & APIC_BASE_BSP);
    enum apic_mode to = lapic_mode(lapic);
    if (from != to) {
        change_mode(lapic, from, to);
        lapic_publish(lapic);
    }
    apic_trace(lapic->domain, APIC_TRACE_BASE, lapic, NULL, old, lapic->base);
    return true;
}
