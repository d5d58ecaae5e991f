/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading one value of the configuration file; private to core/config*.c. */
#pragma once

#include "core/config/config.h"

/* A piece of text, not terminated. */
struct config_span {
    const char *text;
    size_t length;
};

static inline bool config_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static inline struct config_span config_trim(const char *from, const char *to)
{
    while (from < to && config_is_blank(*from))
        from++;
    while (to > from && config_is_blank(to[-1]))
        to--;
    return (struct config_span){from, (size_t)(to - from)};
}

/* The first c, or `to`. */
static inline const char *config_find(char c, const char *from, const char *to)
{
    while (from < to && *from != c)
        from++;
    return from;
}

bool config_span_is(struct config_span span, const char *text);

enum config_verdict {
    CONFIG_VALUE_GOOD,
    CONFIG_VALUE_BAD,           /* not of the form that config_expected() describes */
    CONFIG_VALUE_TOO_LONG,      /* a path or string */
    CONFIG_VALUE_TOO_MANY,      /* modules, APIC IDs */
    CONFIG_VALUE_TWICE,         /* an APIC ID */
    CONFIG_VALUE_NO_STRING_ROOM /* struct config holds no more text */
};

/* Stores a value into *vm, or into *config for a key of that section; strings and APIC IDs go to
 * *config. *span has no blanks at its ends. When a part of it is to blame it becomes that part. */
enum config_verdict config_set(struct config *config, struct config_vm *vm,
                               const struct config_key *key, struct config_span *span);

/* Makes a VM whose keys are all read have as many APIC IDs as processors, and its topology. On
 * false `why` says what is wrong and what is expected, *key names the one to blame. */
bool config_finish_vcpus(struct config *config, struct config_vm *vm, const char **key, char *why,
                         size_t size);
