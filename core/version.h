/* SPDX-License-Identifier: BSD-2-Clause */
/* The version that banners show. */
#pragma once

#define LAPWING_VERSION "0.1.0"
