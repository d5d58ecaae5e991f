/* SPDX-License-Identifier: BSD-2-Clause */
/* What the log says of a VM that has stopped. */
#ifndef LAPWING_CORE_VM_REPORT_H
#define LAPWING_CORE_VM_REPORT_H

struct vm;

/* Why it stopped, its guest time, and its exits by reason. When no vCPU of it runs any more. */
void vm_report(const struct vm *vm);

#endif
