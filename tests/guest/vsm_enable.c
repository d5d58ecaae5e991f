/* SPDX-License-Identifier: BSD-2-Clause */
/* Order and right of enabling Virtual Trust Levels, and the contexts that are refused. */
// hyperv: on
// vtls: 3
// vcpus: 2
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/vsm.h"

static struct hv_vp_context *parameters;

static unsigned enable_partition(uint64_t partition, uint64_t rest)
{
    return hv_call(HV_CALL_ENABLE_PARTITION_VTL | HV_FAST, partition, rest) & 0xffff;
}

static unsigned enable_vp(unsigned cpu, unsigned vtl)
{
    vsm_fill_context(parameters, cpu, vtl);
    return vsm_enable_vp(parameters);
}

static void before_the_partition(void)
{
    is_u64(enable_vp(0, 1), HV_INVALID_VTL_STATE, "a VP's VTL1 before the partition's");
    is_u64(enable_partition(5, 1), HV_INVALID_PARTITION_ID, "another partition's VTL1");
    is_u64(enable_partition(HV_SELF, 0), HV_INVALID_PARAMETER, "VTL0");
    is_u64(enable_partition(HV_SELF, 3), HV_INVALID_PARAMETER, "a VTL above the highest");
    is_u64(enable_partition(HV_SELF, 1 | 2 << 8), HV_INVALID_PARAMETER, "an unknown flag");
    is_u64(enable_partition(HV_SELF, 1 | 1ul << 40), HV_INVALID_PARAMETER, "a reserved byte");
    is_fault(TRY("vmcall",
                 :
                 : "a"(0ul), "c"(0x11ul)
                 : "memory"),
             UD, 0, "VTL call when there is no higher VTL");
}

#define REFUSED(statement, what)                                                                   \
    do {                                                                                           \
        vsm_fill_context(parameters, 0, 1);                                                        \
        statement;                                                                                 \
        is_u64(vsm_enable_vp(parameters), HV_INVALID_REGISTER_VALUE, what " is refused");          \
    } while (0)

static void bad_contexts(void)
{
    struct hv_initial_context *c = &parameters->initial;

    REFUSED(c->rip = 1ul << 60, "RIP that is not canonical");
    REFUSED(c->rflags = 0, "RFLAGS without bit 1");
    REFUSED(c->rflags = 2 | 1 << 15, "RFLAGS with bit 15");
    REFUSED(c->rflags = 2 | FLAGS_VM, "RFLAGS.VM");
    REFUSED(c->cs.attributes = 0xc093, "CS of data");
    REFUSED(c->cs.attributes = 0xe09b, "CS with L and D");
    REFUSED(c->cs.attributes = 0xa01b, "CS not present");
    REFUSED(c->cs.attributes = 0xa19b, "CS with a reserved bit");
    REFUSED(c->cs.limit = 0xffff0000, "CS whose limit does not fit G");
    REFUSED(c->cs.attributes |= 0x60, "CS at another CPL than SS");
    REFUSED(c->ss.attributes = 0xc09b, "SS of code");
    REFUSED(c->ss.base = 1ul << 40, "SS beyond 4 GiB");
    REFUSED(c->ds.attributes = 0xc092, "DS not accessed");
    REFUSED(c->ds.base = 1ul << 40, "DS beyond 4 GiB");
    REFUSED(c->es.attributes = 0xc083, "ES of a system segment");
    REFUSED(c->fs.base = 1ul << 60, "FS base that is not canonical");
    REFUSED(c->gs.base = 1ul << 60, "GS base that is not canonical");
    REFUSED(c->tr.attributes = 0x89, "TR not busy");
    REFUSED(c->tr.attributes = 0, "TR not present");
    REFUSED(c->tr.selector = 4, "TR in the LDT");
    REFUSED(c->tr.base = 1ul << 60, "TR base that is not canonical");
    REFUSED(c->ldtr.attributes = 0x8b, "LDTR of a TSS");
    REFUSED(c->idtr.base = 1ul << 60, "IDTR base that is not canonical");
    REFUSED(c->gdtr.base = 1ul << 60, "GDTR base that is not canonical");
    REFUSED(c->efer |= 1ul << 20, "EFER with a reserved bit");
    REFUSED(c->efer &= ~(uint64_t)EFER_LMA, "EFER.LME and paging without LMA");
    REFUSED(c->efer &= ~(uint64_t)EFER_LME, "EFER.LMA without LME");
    REFUSED(c->cr0 |= 1ul << 40, "CR0 with a reserved bit");
    REFUSED(c->cr0 &= ~CR0_PG, "long mode without paging");
    REFUSED((c->cr0 &= ~CR0_PE), "CR0.PG without PE");
    REFUSED((c->cr0 &= ~(CR0_PG | CR0_PE), c->efer = 0), "real mode");
    REFUSED(c->cr3 |= 1ul << 60, "CR3 beyond the physical addresses");
    REFUSED(c->cr4 |= CR4_VMXE, "CR4.VMXE");
    REFUSED(c->cr4 |= 1ul << 40, "CR4 with a reserved bit");
    REFUSED(c->cr4 &= ~(uint64_t)CR4_PAE, "long mode without CR4.PAE");
    REFUSED(c->pat = 2, "PAT with a reserved type");
}

static volatile unsigned seen_from_vtl1[4];

static void in_vtl1(uintptr_t unused)
{
    (void)unused;
    seen_from_vtl1[0] = enable_vp(0, 1);
    seen_from_vtl1[1] = enable_vp(1, 1);
    seen_from_vtl1[2] = enable_vp(1, 1);
    seen_from_vtl1[3] = vsm_enable_partition(2, 0);
}

static volatile unsigned entered_on_1;

static void note_entry(uintptr_t value)
{
    entered_on_1 = (unsigned)value;
}

static void on_processor_1(uintptr_t unused)
{
    (void)unused;
    vsm_run(note_entry, 77);
}

void test_main(void)
{
    parameters = page_alloc();
    smp_start();
    vsm_begin();
    before_the_partition();
    is_u64(vsm_enable_partition(1, 0), HV_SUCCESS, "the partition's VTL1");
    is_u64(vsm_enable_partition(1, 0), HV_INVALID_VTL_STATE, "the partition's VTL1 again");
    is_u64(vsm_enable_partition(2, 0), HV_ACCESS_DENIED, "VTL2 from two levels below");

    vsm_fill_context(parameters, 0, 1);
    parameters->partition = 5;
    is_u64(vsm_enable_vp(parameters), HV_INVALID_PARTITION_ID, "a VP of another partition");
    is_u64(enable_vp(2, 1), HV_INVALID_VP_INDEX, "a VP that does not exist");
    is_u64(enable_vp(0, 2), HV_INVALID_VTL_STATE, "a VTL that the partition does not have");
    vsm_fill_context(parameters, 0, 1);
    parameters->vtl = 0;
    is_u64(vsm_enable_vp(parameters), HV_INVALID_PARAMETER, "a VP's VTL0");
    vsm_fill_context(parameters, 0, 1);
    parameters->reserved[1] = 1;
    is_u64(vsm_enable_vp(parameters), HV_INVALID_PARAMETER, "a reserved byte");
    bad_contexts();
    is_u64(hv_call(HV_CALL_ENABLE_VP_VTL | HV_FAST, 0, 0), HV_INVALID_HYPERCALL_INPUT,
           "too long for registers");
    is_u64(enable_vp(0, 1), HV_SUCCESS, "the VP's VTL1");
    is_u64(enable_vp(0, 1), HV_ACCESS_DENIED, "again, from below");
    is_u64(enable_vp(1, 1), HV_ACCESS_DENIED, "another VP's VTL1, from below");

    vsm_run(in_vtl1, 0);
    is_u64(seen_from_vtl1[0], HV_VTL_ALREADY_ENABLED, "again, from VTL1");
    is_u64(seen_from_vtl1[1], HV_SUCCESS, "the other VP's VTL1, from VTL1");
    is_u64(seen_from_vtl1[2], HV_VTL_ALREADY_ENABLED, "that again");
    is_u64(seen_from_vtl1[3], HV_SUCCESS, "the partition's VTL2, from VTL1");
    cpu_call(cpus[1], on_processor_1, 0);
    is_u64(entered_on_1, 77, "the other VP has its VTL1");
}
