/* SPDX-License-Identifier: BSD-2-Clause */
/* The monitor's orders, and the simple ones among their answers. */
#include "core/monitor/monitor.h"

#include "core/assert.h"
#include "core/bits.h"
#include "core/console.h"
#include "core/cpu.h"
#include "core/log.h"
#include "core/sched.h"
#include "core/vcpu.h"
#include "core/vm.h"
#include "core/vm_hold.h"

enum { ORDERS_MAX = 16 };

static struct {
    struct {
        char letter;
        uint32_t number;
    } orders[ORDERS_MAX];
    uint32_t first, count;
    const struct vm *chosen; /* what orders are about; only compared, it may have ended */
} monitor;

void monitor_order(char letter, uint32_t number)
{
    uint32_t at = (monitor.first + monitor.count) % ORDERS_MAX;

    if (monitor.count == ORDERS_MAX)
        return;
    monitor.orders[at].letter = letter;
    monitor.orders[at].number = number;
    monitor.count++;
    sched_interrupt(this_cpu());
}

bool monitor_is_wanted(void)
{
    return monitor.count > 0;
}

/* ---- Orders ---------------------------------------------------------------------------------- */

static void pause_or_go_on(struct vm *vm, uint32_t)
{
    bool held = vm->vcpu_count > 0 && atomic_load(&vm->vcpus[0]->held) & VM_HELD_BY_MONITOR;

    if (held)
        vm_release(vm, VM_HELD_BY_MONITOR, NULL);
    else
        vm_hold(vm, VM_HELD_BY_MONITOR);
    console_print("vm %s: %s", vm->config->name, held ? "goes on" : "paused");
}

static void reset(struct vm *vm, uint32_t)
{
    vm->starts_anew = true;
    vm_stop(vm, VM_RESET, 0);
}

/* With the number of one of its processors, 0 unless said otherwise. */
static bool names_processor(const struct vm *vm, uint32_t *number)
{
    if (*number == MONITOR_NO_NUMBER)
        *number = 0;
    if (*number < vm->vcpu_count)
        return true;
    console_print("vm %s has the processors 0 to %u", vm->config->name, vm->vcpu_count - 1);
    return false;
}

static void show_apics(struct vm *vm, uint32_t number)
{
    if (names_processor(vm, &number))
        monitor_show_apics(vm, number);
}

static void send_nmi(struct vm *vm, uint32_t number)
{
    if (!names_processor(vm, &number))
        return;
    console_print("vm %s: vcpu %u: NMI", vm->config->name, number);
    monitor_nmi(vm, number);
}

static const struct {
    char letter;
    void (*carry_out)(struct vm *vm, uint32_t number);
    const char *help;
} orders[] = {
    {'a', show_apics, "Na  the local APICs of processor N (0), one for each VTL"},
    {'i', send_nmi, "Ni  an NMI to processor N (0)"},
    {'m', monitor_show_map, "m   which APICs have which ID, for each group"},
    {'p', pause_or_go_on, "p   pause the VM, or let it go on; its time stands still meanwhile"},
    {'r', reset, "r   start the VM anew"},
    {'x', monitor_show_exits, "x   VM exits by reason: in all, and per second since last asked"},
};

static void help(void)
{
    console_print("Ctrl-A, then a letter, before which N stands for a number:");
    console_print("h   this");
    console_print("v   the VMs and their processors");
    console_print("Ns  choose VM N, as v numbers them; at first it is the one that gets what is "
                  "typed, or the first");
    for (unsigned i = 0; i < ARRAY_SIZE(orders); i++)
        console_print("%s", orders[i].help);
    console_print("Nl  log errors (0), warnings, information or all (3); l: the next of these");
    console_print("n   what is typed goes to the next VM");
    console_print("Ctrl-A  types one Ctrl-A");
}

static void set_log_level(uint32_t number)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    uint32_t level = number == MONITOR_NO_NUMBER ? (log_get_level() + 1) % ARRAY_SIZE(names)
                                                 : min(number, (uint32_t)LOG_DEBUG);

    log_set_level((enum log_level)level);
    console_print("log = %s", names[level]);
}

/* ---- Which VM -------------------------------------------------------------------------------- */

static struct vm *chosen(struct vm *const *vms, uint32_t count)
{
    struct vm *first = NULL, *typed_to = NULL;

    for (uint32_t i = count; i-- > 0;) {
        if (vms[i] == NULL)
            continue;
        if (vms[i] == monitor.chosen)
            return vms[i];
        if (vms[i] == vm_console_focus())
            typed_to = vms[i];
        first = vms[i];
    }
    return typed_to != NULL ? typed_to : first;
}

static void choose(struct vm *const *vms, uint32_t count, uint32_t number)
{
    if (number >= count || vms[number] == NULL) {
        console_print("there is no such VM; Ctrl-A v lists those that run");
        return;
    }
    monitor.chosen = vms[number];
    console_print("vm %s is chosen", vms[number]->config->name);
}

static void about_vm(struct vm *const *vms, uint32_t count, char letter, uint32_t number)
{
    struct vm *vm = chosen(vms, count);

    for (unsigned i = 0; i < ARRAY_SIZE(orders); i++) {
        if (orders[i].letter != letter)
            continue;
        if (vm != NULL && !vm_has_ended(vm))
            orders[i].carry_out(vm, number);
        else
            console_print("no VM runs");
        return;
    }
    console_print("the monitor does not know that letter; Ctrl-A h lists those it does");
}

static void carry_out(struct vm *const *vms, uint32_t count, char letter, uint32_t number)
{
    switch (letter) {
    case 'h':
    case '?':
        help();
        return;
    case 'v':
        monitor_show_vms(vms, count, chosen(vms, count));
        return;
    case 's':
        choose(vms, count, number);
        return;
    case 'l':
        set_log_level(number);
        return;
    default:
        about_vm(vms, count, letter, number);
        return;
    }
}

void monitor_run(struct vm *const *vms, uint32_t count)
{
    while (monitor.count > 0) {
        uint32_t at = monitor.first;

        monitor.first = (at + 1) % ORDERS_MAX;
        monitor.count--;
        carry_out(vms, count, monitor.orders[at].letter, monitor.orders[at].number);
    }
}
