/* SPDX-License-Identifier: BSD-2-Clause */
/* Bits, fields, alignment and the few macros C lacks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BIT(n) (1ull << (n))

/* Mask of bits high..low, both included. */
#define MASK(high, low) ((~0ull >> (63 - (high))) & (~0ull << (low)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define container_of(pointer, type, member) ((type *)((uintptr_t)(pointer)-offsetof(type, member)))

#define min(a, b)                                                                                  \
    ({                                                                                             \
        __typeof__(a) min_a_ = (a);                                                                \
        __typeof__(b) min_b_ = (b);                                                                \
        min_a_ < min_b_ ? min_a_ : min_b_;                                                         \
    })

#define max(a, b)                                                                                  \
    ({                                                                                             \
        __typeof__(a) max_a_ = (a);                                                                \
        __typeof__(b) max_b_ = (b);                                                                \
        max_a_ > max_b_ ? max_a_ : max_b_;                                                         \
    })

/* The field that `mask` (contiguous, not 0) selects in `value`, shifted down to bit 0. */
static inline uint64_t field_get(uint64_t value, uint64_t mask)
{
    return (value & mask) >> __builtin_ctzll(mask);
}

/* `value` with the field that `mask` selects replaced; bits of `field` that do not fit are lost. */
static inline uint64_t field_set(uint64_t value, uint64_t mask, uint64_t field)
{
    return (value & ~mask) | ((field << __builtin_ctzll(mask)) & mask);
}

/* Numbers at any alignment. */
static inline uint16_t load16(const void *p)
{
    uint16_t value;
    __builtin_memcpy(&value, p, sizeof(value));
    return value;
}

static inline uint32_t load32(const void *p)
{
    uint32_t value;
    __builtin_memcpy(&value, p, sizeof(value));
    return value;
}

static inline uint64_t load64(const void *p)
{
    uint64_t value;
    __builtin_memcpy(&value, p, sizeof(value));
    return value;
}

/* `align` is a power of two in all of these. */
static inline uint64_t align_down(uint64_t value, uint64_t align)
{
    return value & ~(align - 1);
}

/* Wraps to 0 when the result does not fit. */
static inline uint64_t align_up(uint64_t value, uint64_t align)
{
    return (value + align - 1) & ~(align - 1);
}

static inline bool is_aligned(uint64_t value, uint64_t align)
{
    return (value & (align - 1)) == 0;
}

static inline bool is_power_of_two(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}
