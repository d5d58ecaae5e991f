/* SPDX-License-Identifier: BSD-2-Clause */
/* The legacy 8259 pair, which is only ever switched off. */
#pragma once

#include "core/types.h"

/* Moves both to `first_vector` (16 vectors, for spurious interrupts) and masks every input. */
void host_pic_disable(uint8_t first_vector);
