/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading one value of the configuration file; private to core/config*.c. */
#ifndef LAPWING_CORE_CONFIG_VALUE_H
#define LAPWING_CORE_CONFIG_VALUE_H

#include "core/config.h"

/* A piece of text, not terminated. */
struct config_span {
    const char *text;
    size_t length;
};

enum config_verdict {
    CONFIG_VALUE_GOOD,
    CONFIG_VALUE_BAD,           /* not of the form that config_expected() describes */
    CONFIG_VALUE_TOO_LONG,      /* a path or string */
    CONFIG_VALUE_TOO_MANY,      /* modules */
    CONFIG_VALUE_NO_STRING_ROOM /* struct config holds no more text */
};

/* Stores a value into *vm, or into *config for a key of that section; strings go to *config. The
 * value has no blanks at its ends. Unless the result is CONFIG_VALUE_GOOD nothing was stored. */
enum config_verdict config_set(struct config *config, struct config_vm *vm,
                               const struct config_key *key, struct config_span value);

#endif
