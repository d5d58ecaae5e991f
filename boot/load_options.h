/* SPDX-License-Identifier: BSD-2-Clause */
/* The load options of the image, as the firmware's shell or a boot entry gives them. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum load_options_result {
    LOAD_OPTIONS_GOOD,
    LOAD_OPTIONS_NO_TEXT, /* a boot entry may hold anything; lines is empty then */
    LOAD_OPTIONS_OPEN_QUOTE,
    LOAD_OPTIONS_TOO_LONG,
};

/*
 * From UCS-2, up to the end or a NUL, to the words in UTF-8, each a line, for config_parse().
 * Blanks separate words; between quotation marks they do not, and the marks themselves are left
 * out. A first word without '=' is the program's name, and left out, too. data need not be aligned.
 */
enum load_options_result load_options_convert(const uint8_t *data, size_t bytes, char *lines,
                                              size_t size);
