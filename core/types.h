/* SPDX-License-Identifier: BSD-2-Clause */
/* Integer types that say which address space a number belongs to. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t paddr_t; /* host-physical address */
typedef uint64_t vaddr_t; /* host-virtual address as a number */
typedef uint64_t gpa_t;   /* guest-physical address */
typedef uint64_t gva_t;   /* guest-virtual (linear) address */
