/* SPDX-License-Identifier: BSD-2-Clause */
/* The session with GDB: the serial port, stopping and going on. */
#include "core/gdb/gdb.h"

#include "core/assert.h"
#include "core/bits.h"
#include "core/cpu.h"
#include "core/format.h"
#include "core/gdb/target.h"
#include "core/handover.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/sched.h"
#include "core/time.h"
#include "core/vcpu.h"
#include "core/vm.h"
#include "core/vm_hold.h"
#include "core/x86.h"
#include "drivers/host/uart.h"

enum { RECEIVED_MAX = 2 * GDB_PACKET_MAX };

static struct {
    bool port; /* it is ours */
    struct vm *vm;
    struct gdb_session session;
    struct gdb_line line;
    struct gdb_reply reply; /* the last one, in case that it has to be sent again */
    char received[RECEIVED_MAX];
    uint32_t first, count;
    _Atomic bool hit; /* a processor has stopped for GDB */
} gdb;

/* ---- The line -------------------------------------------------------------------------------- */

static void receive(void)
{
    for (int byte; (byte = host_uart_receive(HOST_COM2)) >= 0;)
        if (gdb.count < RECEIVED_MAX)
            gdb.received[(gdb.first + gdb.count++) % RECEIVED_MAX] = (char)byte;
    sched_interrupt(this_cpu());
}

static void send_text(const char *text)
{
    while (*text != 0)
        host_uart_send(HOST_COM2, *text++);
}

static void send_reply(void)
{
    char end[] = "#00";

    send_text("$");
    for (size_t i = 0; i < gdb.reply.length; i++)
        host_uart_send(HOST_COM2, gdb.reply.bytes[i]);
    format_string(end, sizeof(end), "#%02x", gdb_checksum(&gdb.reply));
    send_text(end);
}

/* ---- Stopping -------------------------------------------------------------------------------- */

static void tell_stop(struct gdb_stop stop)
{
    gdb.reply.length = 0;
    gdb_tell_stop(&gdb.session, &stop, &gdb.reply);
    send_reply();
}

/* Why GDB's processors stopped. A breakpoint that is not told now is met again. */
static struct gdb_stop find_stop(void)
{
    struct gdb_stop stop = {.kind = GDB_STOP_INTERRUPT,
                            .thread = gdb_target_thread(gdb.vm->vcpus[0]->active)};

    for (uint32_t i = 0; i < gdb.vm->vcpu_count; i++) {
        struct vcpu *vcpu = gdb.vm->vcpus[i];

        if (vcpu->gdb_hit != VCPU_NOT_HIT && stop.kind == GDB_STOP_INTERRUPT)
            stop = (struct gdb_stop){.kind = vcpu->gdb_hit == VCPU_STEPPED ? GDB_STOP_STEP
                                                                           : GDB_STOP_BREAKPOINT,
                                     .thread = gdb_target_thread(vcpu->active)};
        vcpu->gdb_hit = VCPU_NOT_HIT;
        vcpu->steps = false;
    }
    return stop;
}

static struct gdb_stop stop_all(void)
{
    vm_hold(gdb.vm, VM_HELD_BY_DEBUGGER);
    atomic_store(&gdb.hit, false);
    return find_stop();
}

/* On the CPU that runs it. */
static void hit(struct vcpu *vcpu, enum vcpu_hit how)
{
    vcpu->gdb_hit = how;
    vm_hold_here(vcpu, VM_HELD_BY_DEBUGGER);
    atomic_store(&gdb.hit, true);
    sched_interrupt(cpu_get(0));
}

bool gdb_takes_breakpoint(struct context *ctx)
{
    uint64_t address = vmx_get_segment(&ctx->vmx, VMX_CS).base + vmx_get(&ctx->vmx, VMX_RIP);

    if (!gdb_target_has_break(ctx, address))
        return false;
    hit(ctx->vcpu, VCPU_AT_BREAKPOINT);
    return true;
}

/* ---- Stepping -------------------------------------------------------------------------------- */

/*
 * An instruction ends with the monitor trap, with an exit that does its work and moves RIP, or with
 * another VTL active.
 */
enum vmx_outcome gdb_step(struct vcpu *vcpu)
{
    struct context *ctx = vcpu->active;
    uint64_t rip = vmx_get(&ctx->vmx, VMX_RIP);

    vmx_trap_next(&ctx->vmx);
    enum vmx_outcome outcome = vmx_run(&ctx->vmx);
    vmx_load(this_cpu()->vmx, &ctx->vmx);
    bool trapped = vmx_end_trap(&ctx->vmx);
    if (vcpu->gdb_hit == VCPU_NOT_HIT &&
        (trapped || vcpu->active != ctx || vmx_get(&ctx->vmx, VMX_RIP) != rip))
        hit(vcpu, VCPU_STEPPED);
    return outcome;
}

/* ---- The target's commands ------------------------------------------------------------------- */

/* Interrupts wait for one instruction, as after STI, so that the step is not into a handler. */
static void prepare_step(struct context *ctx, void *)
{
    struct vmx_context *vmx = &ctx->vmx;
    uint64_t rflags = vmx_get(vmx, VMX_RFLAGS);
    struct vmx_blocking blocking = vmx_get_blocking(vmx);

    blocking.shadow = true;
    if (ctx == ctx->vcpu->active && ctx->state == CONTEXT_RUNNABLE && rflags & RFLAGS_IF &&
        !(rflags & RFLAGS_TF) && !vmx_get_event(vmx).pending)
        vmx_set_blocking(vmx, blocking);
    ctx->vcpu->steps = true;
}

bool gdb_target_resume(uint32_t step, uint32_t only)
{
    if (step != 0 && !vmx_has(this_cpu()->vmx->caps, VMX_MONITOR_TRAP_FLAG))
        return false;
    if (step != 0)
        gdb_target_ask(step, prepare_step, NULL);
    vm_release(gdb.vm, VM_HELD_BY_DEBUGGER,
               only != 0 ? gdb.vm->vcpus[(only - 1) / VM_VTLS_MAX] : NULL);
    return true;
}

void gdb_target_let_go(bool kill)
{
    gdb_target_clear();
    if (kill) {
        log_error("vm %s: killed by the debugger", gdb.vm->config->name);
        vm_stop(gdb.vm, VM_ERROR, 0);
    }
    vm_release(gdb.vm, VM_HELD_BY_DEBUGGER, NULL);
}

/* ---- The session ----------------------------------------------------------------------------- */

/* The first packet of a GDB, which may have taken the place of another. */
static void connect(void)
{
    struct gdb_stop stop = stop_all();

    gdb.session = (struct gdb_session){.connected = true, .stop = stop};
    log_info("vm %s: GDB has stopped it", gdb.vm->config->name);
}

static bool begins_session(const char *packet)
{
    return gdb_take(&(struct gdb_cursor){.at = packet}, "qSupported");
}

static void take_packet(void)
{
    const char *packet = gdb.line.packet;

    if (!gdb.session.connected || begins_session(packet))
        connect();
    if (!gdb.session.no_acks)
        send_text("+");
    if (gdb.session.runs)
        return;
    gdb.reply.length = 0;
    if (gdb_carry_out(&gdb.session, packet, &gdb.reply))
        send_reply();
}

static void take_byte(char byte)
{
    switch (gdb_receive(&gdb.line, byte)) {
    case GDB_NOTHING:
        return;
    case GDB_PACKET:
        take_packet();
        return;
    case GDB_DAMAGED:
        if (!gdb.session.no_acks)
            send_text("-");
        return;
    case GDB_NOT_TAKEN:
        if (!gdb.session.no_acks)
            send_reply();
        return;
    case GDB_INTERRUPT:
        if (gdb.session.runs)
            tell_stop(stop_all());
        return;
    }
}

bool gdb_is_wanted(void)
{
    return gdb.count > 0 || atomic_load_explicit(&gdb.hit, memory_order_relaxed);
}

void gdb_run(void)
{
    if (gdb.vm == NULL || vm_stopping(gdb.vm)) {
        gdb.count = 0;
        atomic_store(&gdb.hit, false);
        return;
    }
    if (atomic_load(&gdb.hit)) {
        struct gdb_stop stop = stop_all();

        if (gdb.session.runs)
            tell_stop(stop);
        else if (!gdb.session.connected) /* it has left meanwhile */
            vm_release(gdb.vm, VM_HELD_BY_DEBUGGER, NULL);
    }
    while (gdb.count > 0) {
        char byte = gdb.received[gdb.first];

        gdb.first = (gdb.first + 1) % RECEIVED_MAX;
        gdb.count--;
        take_byte(byte);
    }
}

/* ---- Life ------------------------------------------------------------------------------------ */

void gdb_init(const struct handover *handover)
{
    const struct config *config = &handover->config;
    bool wanted = false;

    for (uint32_t i = 0; i < config->vm_count; i++)
        wanted |= config->vms[i].gdb != CONFIG_GDB_OFF;
    if (!wanted)
        return;
    gdb.port = host_uart_init(HOST_COM2);
    if (!gdb.port) {
        log_error("gdb: this machine has no second serial port");
        return;
    }
    interrupt_register(VECTOR_DEBUGGER, receive);
    if (!interrupt_route_isa(HOST_COM2_IRQ, this_cpu(), VECTOR_DEBUGGER))
        log_error("gdb: no interrupt route for the second serial port, nothing can be received");
    host_uart_enable_interrupt(HOST_COM2, true);
}

void gdb_vm_starts(struct vm *vm)
{
    if (!gdb.port || vm->config->gdb == CONFIG_GDB_OFF)
        return;
    gdb.vm = vm;
    gdb.session = (struct gdb_session){.connected = false};
    gdb_target_choose(vm);
    for (uint32_t i = 0; i < vm->vcpu_count; i++) {
        for (unsigned vtl = 0; vtl < vm->vtls; vtl++) {
            struct vmx_context *before = vcpu_borrow(&vm->vcpus[i]->contexts[vtl]);

            vmx_debug(&vm->vcpus[i]->contexts[vtl].vmx);
            vcpu_give_back(before);
        }
        if (vm->config->gdb == CONFIG_GDB_COM2_WAIT)
            vm_hold_here(vm->vcpus[i], VM_HELD_BY_DEBUGGER);
    }
    if (vm->config->gdb == CONFIG_GDB_COM2_WAIT) {
        vm->held_at = vm->tsc_start;
        log_info("vm %s: waits for GDB at the second serial port", vm->config->name);
    }
}

void gdb_vm_ends(const struct vm *vm)
{
    if (gdb.vm != vm)
        return;
    if (gdb.session.connected)
        tell_stop((struct gdb_stop){.kind = GDB_STOP_ENDED});
    gdb.vm = NULL;
    gdb_target_choose(NULL);
}
