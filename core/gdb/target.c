/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers, memory and breakpoints of the debugged VM: their owners are asked for them. */
#include "core/gdb/target.h"

#include "core/bits.h"
#include "core/emulate/linear.h"
#include "core/emulate/walk.h"
#include "core/format.h"
#include "core/remote.h"
#include "core/string.h"
#include "core/vcpu.h"
#include "core/vm.h"
#include "core/x86.h"

enum { BREAKPOINTS_MAX = 64, INT3 = 0xcc };

/* `byte` points to guest RAM, where INT3 stands in place of `original`. */
struct breakpoint {
    uint8_t *byte; /* NULL: free */
    uint8_t original;
    uint8_t wanted; /* bit 0: by `break`, bit 1: by `hbreak` */
};

static struct {
    struct vm *vm;
    struct breakpoint breakpoints[BREAKPOINTS_MAX]; /* changed only while all vCPUs are held */
} target;

void gdb_target_choose(struct vm *vm)
{
    target.vm = vm;
    memset(target.breakpoints, 0, sizeof(target.breakpoints));
}

/* ---- Threads: one for each processor and VTL ------------------------------------------------- */

uint32_t gdb_target_thread(const struct context *ctx)
{
    return ctx->vcpu->index * VM_VTLS_MAX + ctx->vtl + 1;
}

static struct context *context_of(uint32_t thread)
{
    struct vcpu *vcpu;
    uint32_t vtl = (thread - 1) % VM_VTLS_MAX;

    if (thread == 0 || (thread - 1) / VM_VTLS_MAX >= target.vm->vcpu_count)
        return NULL;
    vcpu = target.vm->vcpus[(thread - 1) / VM_VTLS_MAX];
    return vtl < target.vm->vtls && vcpu_has_vtl(vcpu, vtl) ? &vcpu->contexts[vtl] : NULL;
}

bool gdb_target_has_thread(uint32_t thread)
{
    return context_of(thread) != NULL;
}

uint32_t gdb_target_next_thread(uint32_t thread)
{
    while (++thread <= target.vm->vcpu_count * VM_VTLS_MAX)
        if (context_of(thread) != NULL)
            return thread;
    return 0;
}

void gdb_target_thread_name(uint32_t thread, char *to, size_t size)
{
    const struct context *ctx = context_of(thread);

    format_string(to, size, "vcpu %u vtl %u%s", ctx->vcpu->index, ctx->vtl,
                  ctx->vcpu->active == ctx ? "" : " (not active)");
}

/* Has the owner do something with the context current there. */
struct request {
    struct context *ctx;
    void (*call)(struct context *ctx, void *arg);
    void *arg;
};

static void carry_out(void *arg)
{
    const struct request *request = arg;
    struct vmx_context *before = vcpu_borrow(request->ctx);

    request->call(request->ctx, request->arg);
    vcpu_give_back(before);
}

void gdb_target_ask(uint32_t thread, void (*call)(struct context *ctx, void *arg), void *arg)
{
    struct request request = {.ctx = context_of(thread), .call = call, .arg = arg};

    if (request.ctx != NULL)
        remote_call(atomic_load(&request.ctx->vcpu->sched.home), carry_out, &request);
}

/* ---- Registers ------------------------------------------------------------------------------- */

static const enum vmx_gpr gprs[] = {VMX_RAX, VMX_RBX,     VMX_RCX, VMX_RDX, VMX_RSI, VMX_RDI,
                                    VMX_RBP, VMX_GPR_RSP, VMX_R8,  VMX_R9,  VMX_R10, VMX_R11,
                                    VMX_R12, VMX_R13,     VMX_R14, VMX_R15};
static const enum vmx_segment_name segments[] = {VMX_CS, VMX_SS, VMX_DS, VMX_ES, VMX_FS, VMX_GS};
static const enum vmx_reg system_registers[] = {VMX_CR0, VMX_CR2, VMX_CR3, VMX_CR4, VMX_EFER};

/* SDM Vol 1, "FXSAVE Area". */
enum {
    FX_CONTROL = 0,
    FX_STATUS = 2,
    FX_TAGS = 4, /* a bit for each that is not empty */
    FX_OPCODE = 6,
    FX_IP = 8,
    FX_DP = 16,
    FX_MXCSR = 24,
    FX_ST = 32,
    FX_XMM = 160,
    FX_STRIDE = 16,
};

static void get_fpu(const uint8_t *image, struct gdb_registers *r)
{
    uint32_t tags = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(r->st); i++) {
        memcpy(r->st[i], image + FX_ST + i * FX_STRIDE, sizeof(r->st[i]));
        tags |= image[FX_TAGS] >> i & 1 ? 0u : 3u << 2 * i;
    }
    const uint32_t x87[] = {
        load16(image + FX_CONTROL), load16(image + FX_STATUS), tags, 0, load32(image + FX_IP), 0,
        load32(image + FX_DP),      load16(image + FX_OPCODE)};
    memcpy(r->x87, x87, sizeof(x87));
    memcpy(r->xmm, image + FX_XMM, sizeof(r->xmm));
    r->mxcsr = load32(image + FX_MXCSR);
}

static void get_registers(struct context *ctx, void *arg)
{
    struct gdb_registers *r = arg;
    struct vmx_context *vmx = &ctx->vmx;

    for (unsigned i = 0; i < ARRAY_SIZE(gprs); i++)
        r->gpr[i] = gprs[i] == VMX_GPR_RSP ? vmx_get(vmx, VMX_RSP) : vmx->regs->gpr[gprs[i]];
    r->rip = vmx_get(vmx, VMX_RIP);
    r->eflags = (uint32_t)vmx_get(vmx, VMX_RFLAGS);
    for (unsigned i = 0; i < ARRAY_SIZE(segments); i++)
        r->segments[i] = vmx_get_segment(vmx, segments[i]).selector;
    get_fpu(vmx_fpu_image(vmx), r);
    r->bases[0] = vmx_get_segment(vmx, VMX_FS).base;
    r->bases[1] = vmx_get_segment(vmx, VMX_GS).base;
    for (unsigned i = 0; i < ARRAY_SIZE(system_registers); i++)
        r->system[i] = vmx_get(vmx, system_registers[i]);
}

void gdb_target_get(uint32_t thread, struct gdb_registers *registers)
{
    memset(registers, 0, sizeof(*registers));
    gdb_target_ask(thread, get_registers, registers);
}

struct setting {
    const struct gdb_registers *registers;
    bool good;
};

/* RIP and RFLAGS have rules, which a VM entry would fail by. */
static bool set_rules(struct vmx_context *vmx, uint64_t rip, uint64_t rflags)
{
    uint64_t rip_before = vmx_get(vmx, VMX_RIP), rflags_before = vmx_get(vmx, VMX_RFLAGS);

    if (!vmx_value_allowed(vmx, VMX_RFLAGS, rflags))
        return false;
    vmx_set(vmx, VMX_RIP, rip);
    vmx_set(vmx, VMX_RFLAGS, rflags);
    if (vmx_state_error(vmx) == NULL)
        return true;
    vmx_set(vmx, VMX_RIP, rip_before);
    vmx_set(vmx, VMX_RFLAGS, rflags_before);
    return false;
}

static void set_registers(struct context *ctx, void *arg)
{
    struct setting *setting = arg;
    const struct gdb_registers *r = setting->registers;
    struct vmx_context *vmx = &ctx->vmx;

    setting->good = set_rules(vmx, r->rip, r->eflags);
    if (!setting->good)
        return;
    for (unsigned i = 0; i < ARRAY_SIZE(gprs); i++) {
        if (gprs[i] == VMX_GPR_RSP)
            vmx_set(vmx, VMX_RSP, r->gpr[i]);
        else
            vmx->regs->gpr[gprs[i]] = r->gpr[i];
    }
    uint8_t *image = vmx_fpu_image(vmx);
    for (unsigned i = 0; i < ARRAY_SIZE(r->st); i++)
        memcpy(image + FX_ST + i * FX_STRIDE, r->st[i], sizeof(r->st[i]));
    memcpy(image + FX_XMM, r->xmm, sizeof(r->xmm));
}

bool gdb_target_set(uint32_t thread, const struct gdb_registers *registers)
{
    struct setting setting = {.registers = registers};

    gdb_target_ask(thread, set_registers, &setting);
    return setting.good;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

/* The RAM at a linear address, whatever the rights of it; *left: how far it goes there. */
static uint8_t *find_ram(struct context *ctx, uint64_t address, size_t *left)
{
    struct linear_walk w;
    struct walk_out out;

    linear_walk_begin(ctx, &w);
    w.env.cpl = 0;
    w.env.ac = true;
    if (!(w.env.efer & EFER_LMA))
        address &= UINT32_MAX;
    *left = PAGE_SIZE - (address & (PAGE_SIZE - 1));
    if (walk(&w.env, address, WALK_READ | WALK_KEEP_TABLES, &out) != WALK_OK)
        return NULL;
    return context_view(ctx, out.gpa, 0);
}

static struct breakpoint *breakpoint_at(const uint8_t *byte)
{
    for (unsigned i = 0; i < BREAKPOINTS_MAX; i++)
        if (target.breakpoints[i].byte == byte)
            return &target.breakpoints[i];
    return NULL;
}

struct access {
    uint64_t address;
    uint8_t *to;
    const uint8_t *from; /* to be written; NULL: reads */
    size_t n, done;
};

/* GDB sees what its breakpoints cover, and changes that. */
static void copy(const struct access *access, uint8_t *ram, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct breakpoint *covering = breakpoint_at(&ram[i]);
        uint8_t *byte = covering != NULL ? &covering->original : &ram[i];

        if (access->from != NULL)
            *byte = access->from[access->done + i];
        else
            access->to[access->done + i] = *byte;
    }
}

static void access_memory(struct context *ctx, void *arg)
{
    struct access *access = arg;

    while (access->done < access->n) {
        size_t left;
        uint8_t *ram = find_ram(ctx, access->address + access->done, &left);

        if (ram == NULL)
            return;
        left = min(left, access->n - access->done);
        copy(access, ram, left);
        access->done += left;
    }
}

size_t gdb_target_read(uint32_t thread, uint64_t address, void *to, size_t n)
{
    struct access access = {.address = address, .to = to, .n = n};

    gdb_target_ask(thread, access_memory, &access);
    return access.done;
}

bool gdb_target_write(uint32_t thread, uint64_t address, const void *from, size_t n)
{
    static uint8_t there[GDB_PACKET_MAX];
    struct access access = {.address = address, .from = from, .n = n};

    if (n > sizeof(there) || gdb_target_read(thread, address, there, n) != n)
        return false;
    gdb_target_ask(thread, access_memory, &access);
    return access.done == n;
}

/* ---- Breakpoints ----------------------------------------------------------------------------- */

struct search {
    uint64_t address;
    uint8_t *byte;
};

static void search_byte(struct context *ctx, void *arg)
{
    struct search *search = arg;
    size_t left;

    search->byte = find_ram(ctx, search->address, &left);
}

static void take_out(struct breakpoint *breakpoint)
{
    if (*breakpoint->byte == INT3)
        *breakpoint->byte = breakpoint->original;
    breakpoint->byte = NULL;
}

bool gdb_target_break(uint32_t thread, uint64_t address, bool hard, bool set)
{
    uint8_t wanted = hard ? BIT(1) : BIT(0);
    struct search search = {.address = address};

    gdb_target_ask(thread, search_byte, &search);
    if (search.byte == NULL)
        return false;
    struct breakpoint *there = breakpoint_at(search.byte);
    if (!set) {
        if (there != NULL && (there->wanted &= ~wanted) == 0)
            take_out(there);
        return true;
    }
    if (there == NULL)
        there = breakpoint_at(NULL);
    if (there == NULL)
        return false;
    if (there->byte == NULL)
        *there = (struct breakpoint){.byte = search.byte, .original = *search.byte};
    there->wanted |= wanted;
    *there->byte = INT3;
    return true;
}

bool gdb_target_has_break(struct context *ctx, uint64_t address)
{
    size_t left;
    const uint8_t *byte = find_ram(ctx, address, &left);

    return byte != NULL && breakpoint_at(byte) != NULL;
}

void gdb_target_clear(void)
{
    for (unsigned i = 0; i < BREAKPOINTS_MAX; i++)
        if (target.breakpoints[i].byte != NULL)
            take_out(&target.breakpoints[i]);
}
