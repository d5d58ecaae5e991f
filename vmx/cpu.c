/* SPDX-License-Identifier: BSD-2-Clause */
/* Entering and leaving VMX operation on a processor. SDM Vol 3C, "Introduction to VMX". */
#include "core/cpu.h"

#include <stddef.h>

#include "core/memory.h"
#include "vmx/internal.h"

_Noreturn void vmcs_access_failed(const char *operation, uint32_t code)
{
    panic("%s of VMCS field 0x%x failed", operation, code);
}

enum { SINGLE_CONTEXT = 1, ALL_CONTEXTS = 2 }; /* types of INVEPT and of INVVPID */

struct invalidation {
    uint64_t what;
    uint64_t reserved; /* of INVVPID: a linear address, unused by our types */
};

void invept(const struct vmx_caps *caps, uint64_t eptp)
{
    bool single = eptp != 0 && vmx_has(caps, VMX_INVEPT_SINGLE);
    struct invalidation descriptor = {.what = single ? eptp : 0};
    uint64_t type = single ? SINGLE_CONTEXT : ALL_CONTEXTS;
    __asm__ goto("invept %0, %1\n\tjbe %l[failed]"
                 :
                 : "m"(descriptor), "r"(type)
                 : "cc", "memory"
                 : failed);
    return;
failed:
    panic("INVEPT of 0x%lx failed", eptp);
}

void invvpid(const struct vmx_caps *caps, uint16_t vpid)
{
    bool single = vpid != 0 && vmx_has(caps, VMX_INVVPID_SINGLE);
    struct invalidation descriptor = {.what = single ? vpid : 0};
    uint64_t type = single ? SINGLE_CONTEXT : ALL_CONTEXTS;
    __asm__ goto("invvpid %0, %1\n\tjbe %l[failed]"
                 :
                 : "m"(descriptor), "r"(type)
                 : "cc", "memory"
                 : failed);
    return;
failed:
    panic("INVVPID of %u failed", vpid);
}

static void unlock_feature_control(void)
{
    uint64_t value = rdmsr(MSR_IA32_FEATURE_CONTROL);
    if (!(value & FEATURE_CONTROL_LOCK))
        wrmsr(MSR_IA32_FEATURE_CONTROL, value | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUT_SMX);
}

/* The bits VMX operation insists on, and those that FXSAVE and XSAVE of guest state need. */
static void set_control_registers(const struct vmx_caps *caps)
{
    uint64_t cr0 = (read_cr0() | caps->cr0_fixed0) & caps->cr0_fixed1;
    write_cr0(cr0 & ~(CR0_TS | CR0_EM));
    uint64_t cr4 = read_cr4() | caps->cr4_fixed0 | CR4_VMXE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    if (cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE)
        cr4 |= CR4_OSXSAVE;
    write_cr4(cr4 & caps->cr4_fixed1);
}

struct vmx_guard_values vmx_guard;
_Static_assert(offsetof(struct vmx_guard_values, guards) == 0 &&
                   offsetof(struct vmx_guard_values, spec_ctrl) == 4 &&
                   offsetof(struct vmx_guard_values, spec_ctrl_guest) == 8,
               "vmx/entry.asm");
_Static_assert(SELECTOR_DATA == 0x10, "vmx/entry.asm");
_Static_assert(VMX_GUARD_L1D == 1 << 0 && VMX_GUARD_IBRS == 1 << 1 && VMX_GUARD_RSB == 1 << 3,
               "vmx/entry.asm");

void vmx_mitigations_use(const struct vmx_mitigations *m)
{
    vmx_guard = (struct vmx_guard_values){m->guards, m->spec_ctrl, m->spec_ctrl_guest};
}

bool vmx_cpu_enable(struct vmx_cpu *cpu, const struct vmx_caps *caps)
{
    ASSERT(!cpu->vmxon);
    uint32_t *region = page_alloc();
    if (!region)
        return false;
    unlock_feature_control();
    set_control_registers(caps);
    if (vmx_guard.spec_ctrl != 0)
        wrmsr(MSR_IA32_SPEC_CTRL, vmx_guard.spec_ctrl);
    *region = vmx_revision(caps);
    uint64_t physical = virt_to_phys(region);
    __asm__ goto("vmxon %0\n\tjbe %l[failed]" : : "m"(physical) : "cc", "memory" : failed);
    *cpu = (struct vmx_cpu){.vmxon = region, .caps = caps};
    invept(caps, 0);
    if (vmx_has(caps, VMX_INVVPID_ALL))
        invvpid(caps, 0);
    return true;
failed:
    panic("VMXON failed");
}

void vmx_cpu_disable(struct vmx_cpu *cpu)
{
    __asm__ volatile("vmxoff" : : : "cc", "memory");
    page_free(cpu->vmxon);
    *cpu = (struct vmx_cpu){.vmxon = NULL};
}
