/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor: what a person at the console asks of the hypervisor, whatever the guests do. Ctrl-A,
 * a number if wanted, and a letter; Ctrl-A h prints what there is.
 *
 * Orders are taken by the console's interrupt and carried out by the boot processor between turns
 * of its vCPUs. What another CPU owns, that CPU is asked for (core/remote.h).
 */
#pragma once

#include "core/types.h"

struct vm;

#define MONITOR_NO_NUMBER UINT32_MAX

/* Takes an order. On the boot processor. One that comes while too many wait is lost. */
void monitor_order(char letter, uint32_t number);

/* Whether an order waits. On the boot processor. */
bool monitor_is_wanted(void);

/* Carries out all orders that wait, for these VMs; an element may be NULL. On the boot processor,
 * in no vCPU's turn, with no lock held and outside the epoch. */
void monitor_run(struct vm *const *vms, uint32_t count);

/* ---- Its parts, for core/monitor*.c only; as monitor_run() ---- */

void monitor_show_vms(struct vm *const *vms, uint32_t count, const struct vm *chosen);
void monitor_show_exits(struct vm *vm, uint32_t unused);
void monitor_show_apics(struct vm *vm, uint32_t index); /* of processor `index`, in each VTL */
void monitor_show_map(struct vm *vm, uint32_t unused);
void monitor_nmi(struct vm *vm, uint32_t index);
