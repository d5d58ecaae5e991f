/* SPDX-License-Identifier: BSD-2-Clause */
/* Text on a linear framebuffer of 32-bit pixels. Callers serialize. */
#pragma once

#include "core/types.h"

/*
 * `pixels` is the mapped framebuffer, `stride` bytes per line. Clears the screen. False, and
 * nothing is drawn, when the screen is too small for a line of text or memory is short.
 */
bool host_framebuffer_init(void *pixels, uint32_t width, uint32_t height, uint32_t stride);

/* One byte: printable ASCII, CR, LF, BS or TAB; ANSI control sequences are swallowed. */
void host_framebuffer_put(char byte);
