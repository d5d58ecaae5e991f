/* SPDX-License-Identifier: BSD-2-Clause */
/* A physical memory for tables that a test makes, and the making of them. */
#pragma once

#include <string.h>

#include "drivers/host/acpi.h"

enum { MEMORY_SIZE = 0x2000 };

static uint8_t memory[MEMORY_SIZE];

static const void *map(paddr_t address, uint64_t size)
{
    return address < MEMORY_SIZE && size <= MEMORY_SIZE - address ? memory + address : NULL;
}

static void put(uint32_t at, uint64_t value, int bytes)
{
    memcpy(memory + at, &value, (size_t)bytes);
}

static void fix_checksum(uint32_t at, uint32_t size, uint32_t checksum_at)
{
    uint8_t sum = 0;
    memory[at + checksum_at] = 0;
    for (uint32_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + memory[at + i]);
    memory[at + checksum_at] = (uint8_t)-sum;
}

static void make_table(uint32_t at, const char *signature, uint32_t length)
{
    memcpy(memory + at, signature, 4);
    put(at + 4, length, 4);
    fix_checksum(at, length, 9);
}
