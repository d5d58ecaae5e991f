/* SPDX-License-Identifier: BSD-2-Clause */
/* Task-state segments and descriptors as they lie in memory. */
#include "vmx/tss.h"

#include "core/bits.h"
#include "core/string.h"
#include "core/x86.h"

/* Where things lie, and how wide a register's slot is. */
struct layout {
    uint8_t slot; /* bytes of EIP, EFLAGS and each general register and selector */
    uint8_t eip;  /* followed by EFLAGS and the general registers */
    uint8_t selectors;
    uint8_t n_selectors;
    uint8_t ldt;
};

static const struct layout layout_16 = {2, 14, 34, 4, 42};
static const struct layout layout_32 = {4, 32, 72, 6, 96};

enum { OFFSET_CR3 = 28, OFFSET_TRAP = 100 }; /* of 32-bit TSSs */

static const struct layout *layout_of(bool is_32bit)
{
    return is_32bit ? &layout_32 : &layout_16;
}

static uint32_t get(const uint8_t *at, unsigned size)
{
    uint32_t value = 0;
    memcpy(&value, at, size);
    return value;
}

static void put(uint8_t *at, uint32_t value, unsigned size)
{
    memcpy(at, &value, size);
}

void tss_decode(struct task_image *image, const uint8_t *bytes, bool is_32bit)
{
    const struct layout *l = layout_of(is_32bit);
    *image = (struct task_image){
        .link = (uint16_t)get(bytes, 2),
        .eip = get(bytes + l->eip, l->slot),
        .eflags = get(bytes + l->eip + l->slot, l->slot),
        .ldt = (uint16_t)get(bytes + l->ldt, 2),
    };
    for (unsigned i = 0; i < TASK_GPRS; i++)
        image->gpr[i] = get(bytes + l->eip + (2 + i) * l->slot, l->slot);
    for (unsigned i = 0; i < l->n_selectors; i++)
        image->selector[i] = (uint16_t)get(bytes + l->selectors + i * l->slot, 2);
    if (is_32bit) {
        image->cr3 = get(bytes + OFFSET_CR3, 4);
        image->trap = bytes[OFFSET_TRAP] & 1;
    }
}

struct tss_part tss_saved_part(bool is_32bit)
{
    const struct layout *l = layout_of(is_32bit);
    unsigned end = l->selectors + l->n_selectors * l->slot;
    return (struct tss_part){.offset = l->eip, .size = end - l->eip};
}

void tss_encode(uint8_t *bytes, const struct task_image *image, bool is_32bit)
{
    const struct layout *l = layout_of(is_32bit);
    put(bytes + l->eip, image->eip, l->slot);
    put(bytes + l->eip + l->slot, image->eflags, l->slot);
    for (unsigned i = 0; i < TASK_GPRS; i++)
        put(bytes + l->eip + (2 + i) * l->slot, image->gpr[i], l->slot);
    for (unsigned i = 0; i < l->n_selectors; i++)
        put(bytes + l->selectors + i * l->slot, image->selector[i], l->slot);
}

struct vmx_segment segment_of_descriptor(uint16_t selector, uint64_t descriptor)
{
    uint32_t access = field_get(descriptor, MASK(55, 40)) & ~(uint32_t)MASK(11, 8);
    uint32_t limit = (descriptor & MASK(15, 0)) | (field_get(descriptor, MASK(51, 48)) << 16);
    return (struct vmx_segment){
        .selector = selector,
        .base = field_get(descriptor, MASK(39, 16)) | field_get(descriptor, MASK(63, 56)) << 24,
        .limit = access & SEGMENT_G ? limit << 12 | 0xfff : limit,
        .access = access,
    };
}

bool is_tss(const struct vmx_segment *segment)
{
    unsigned type = segment->access & SEGMENT_TYPE & ~(TYPE_TSS_BUSY | TYPE_TSS_32);
    return !(segment->access & SEGMENT_S) && type == 1;
}

static unsigned dpl_of(const struct vmx_segment *segment)
{
    return field_get(segment->access, SEGMENT_DPL);
}

static unsigned rpl_of(const struct vmx_segment *segment)
{
    return segment->selector & 3;
}

static bool code_fits(const struct vmx_segment *s, unsigned cpl)
{
    if (!(s->access & SEGMENT_S) || !(s->access & SEGMENT_CODE))
        return false;
    bool conforming = s->access & SEGMENT_DOWN;
    return conforming ? dpl_of(s) <= cpl : dpl_of(s) == cpl;
}

static bool stack_fits(const struct vmx_segment *s, unsigned cpl)
{
    uint32_t kind = s->access & (SEGMENT_S | SEGMENT_CODE | SEGMENT_WRITABLE);
    return kind == (SEGMENT_S | SEGMENT_WRITABLE) && dpl_of(s) == cpl && rpl_of(s) == cpl;
}

static bool data_fits(const struct vmx_segment *s, unsigned cpl)
{
    if (!(s->access & SEGMENT_S))
        return false;
    if (!(s->access & SEGMENT_CODE))
        return dpl_of(s) >= max(cpl, rpl_of(s));
    bool conforming = s->access & SEGMENT_DOWN;
    bool readable = s->access & SEGMENT_WRITABLE;
    return readable && (conforming || dpl_of(s) >= max(cpl, rpl_of(s)));
}

static bool ldt_fits(const struct vmx_segment *s)
{
    return (s->access & (SEGMENT_S | SEGMENT_TYPE)) == TYPE_LDT;
}

static bool fits(enum vmx_segment_name name, const struct vmx_segment *segment, unsigned cpl)
{
    switch (name) {
    case VMX_CS:
        return code_fits(segment, cpl);
    case VMX_SS:
        return stack_fits(segment, cpl);
    case VMX_LDTR:
        return ldt_fits(segment);
    default:
        return data_fits(segment, cpl);
    }
}

/* SDM Vol 3A, table "Exception Conditions Checked During a Task Switch". */
int task_segment_fault(enum vmx_segment_name name, const struct vmx_segment *segment, unsigned cpl)
{
    if (!fits(name, segment, cpl))
        return EXCEPTION_TS;
    if (segment->access & SEGMENT_P)
        return -1;
    switch (name) {
    case VMX_LDTR:
        return EXCEPTION_TS;
    case VMX_SS:
        return EXCEPTION_SS;
    default:
        return EXCEPTION_NP;
    }
}
