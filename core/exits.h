/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest's exits mean to the machine it runs on: core's answers to vmx/. */
#pragma once

#include "vmx/vmx.h"

/* For every context; its owner is the struct context. */
extern const struct vmx_client exit_client;
