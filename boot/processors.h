/* SPDX-License-Identifier: BSD-2-Clause */
/* The enabled processors, from the firmware's MP services and the ACPI MADT. */
#ifndef LAPWING_BOOT_PROCESSORS_H
#define LAPWING_BOOT_PROCESSORS_H

#include "core/handover.h"

/* Fills handover->cpus; handover->rsdp has to be set. The processor this runs on comes first. */
void processors_find(struct handover *handover);

#endif
