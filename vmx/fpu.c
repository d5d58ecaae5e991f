/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x87, SSE and extended state of guests. The hypervisor uses none of it, so it stays in the
 * processor until another virtual processor runs there.
 * Source: SDM Vol 1, "Managing State Using the XSAVE Feature Set".
 */
#include "core/string.h"
#include "vmx/internal.h"

enum {
    LEGACY_SIZE = 512,
    HEADER_SIZE = 64,
    FXSAVE_FCW = 0,
    FXSAVE_FTW = 4,
    FXSAVE_MXCSR = 24,
    CPUID_XSAVE = 0xd,
    FIRST_EXTENDED = 2, /* state component */
    COMPONENTS = 63,
};

/* SDM Vol 3A, "Processor State After Reset": control word, all registers tagged zero, MXCSR. */
enum { POWER_UP_FCW = 0x40, POWER_UP_FTW = 0xff, POWER_UP_MXCSR = 0x1f80 };

size_t vmx_fpu_size(uint64_t xcr0_allowed)
{
    if (xcr0_allowed == 0)
        return LEGACY_SIZE;
    size_t size = LEGACY_SIZE + HEADER_SIZE;
    for (unsigned i = FIRST_EXTENDED; i < COMPONENTS; i++) {
        if (!(xcr0_allowed & BIT(i)))
            continue;
        struct cpuid component = cpuid(CPUID_XSAVE, i);
        size = max(size, (size_t)component.ebx + component.eax);
    }
    return size;
}

static void store16(uint8_t *at, uint16_t value)
{
    memcpy(at, &value, sizeof(value));
}

void vmx_regs_init(struct guest_regs *regs, uint64_t xcr0_allowed, void *fpu)
{
    *regs = (struct guest_regs){
        .dr6 = DR6_RESET,
        .xcr0 = XCR0_X87,
        .xcr0_allowed = xcr0_allowed,
        .fpu = fpu,
    };
    memset(fpu, 0, vmx_fpu_size(xcr0_allowed));
    uint8_t *legacy = fpu;
    store16(legacy + FXSAVE_FCW, POWER_UP_FCW);
    legacy[FXSAVE_FTW] = POWER_UP_FTW;
    store16(legacy + FXSAVE_MXCSR, POWER_UP_MXCSR);
    if (xcr0_allowed != 0)
        legacy[LEGACY_SIZE] = XCR0_X87 | XCR0_SSE; /* XSTATE_BV: only these are not initial */
}

/* Components that XCR0 leaves out keep their contents: all that may be there are moved. */
void fpu_save(struct guest_regs *regs)
{
    if (regs->xcr0_allowed == 0) {
        __asm__ volatile("fxsave64 (%0)" : : "r"(regs->fpu) : "memory");
        return;
    }
    regs->xcr0 = xgetbv(0);
    if (regs->xcr0 != regs->xcr0_allowed)
        xsetbv(0, regs->xcr0_allowed);
    __asm__ volatile("xsave64 (%0)" : : "r"(regs->fpu), "a"(~0u), "d"(~0u) : "memory");
}

void fpu_load(struct guest_regs *regs)
{
    if (regs->xcr0_allowed == 0) {
        __asm__ volatile("fxrstor64 (%0)" : : "r"(regs->fpu) : "memory");
        return;
    }
    xsetbv(0, regs->xcr0_allowed);
    __asm__ volatile("xrstor64 (%0)" : : "r"(regs->fpu), "a"(~0u), "d"(~0u) : "memory");
    if (regs->xcr0 != regs->xcr0_allowed)
        xsetbv(0, regs->xcr0);
}

/* Legacy instructions: they leave the upper parts of vector registers alone. */
void vmx_get_xmm(struct vmx_context *ctx, uint8_t to[VMX_XMM_BYTES])
{
    ASSERT(ctx->cpu && ctx->cpu->live_regs == ctx->regs);
    __asm__ volatile("movups %%xmm0, (%0)\n\t"
                     "movups %%xmm1, 16(%0)\n\t"
                     "movups %%xmm2, 32(%0)\n\t"
                     "movups %%xmm3, 48(%0)\n\t"
                     "movups %%xmm4, 64(%0)\n\t"
                     "movups %%xmm5, 80(%0)"
                     :
                     : "r"(to)
                     : "memory");
}

void vmx_set_xmm(struct vmx_context *ctx, const uint8_t from[VMX_XMM_BYTES])
{
    ASSERT(ctx->cpu && ctx->cpu->live_regs == ctx->regs);
    __asm__ volatile("movups (%0), %%xmm0\n\t"
                     "movups 16(%0), %%xmm1\n\t"
                     "movups 32(%0), %%xmm2\n\t"
                     "movups 48(%0), %%xmm3\n\t"
                     "movups 64(%0), %%xmm4\n\t"
                     "movups 80(%0), %%xmm5"
                     :
                     : "r"(from)
                     : "memory");
}

bool vmx_write_xcr0(struct vmx_context *ctx, uint64_t value)
{
    struct guest_regs *regs = ctx->regs;
    if ((value & ~regs->xcr0_allowed) || !(value & XCR0_X87))
        return false;
    if ((value & XCR0_AVX) && !(value & XCR0_SSE))
        return false;
    if ((value & XCR0_AVX512) && ((value & XCR0_AVX512) != XCR0_AVX512 || !(value & XCR0_AVX)))
        return false;
    regs->xcr0 = value;
    if (regs->cpu)
        xsetbv(0, value);
    return true;
}
