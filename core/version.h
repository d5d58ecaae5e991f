/* SPDX-License-Identifier: BSD-2-Clause */
/* The version that banners show. */
#ifndef LAPWING_CORE_VERSION_H
#define LAPWING_CORE_VERSION_H

#define LAPWING_VERSION "0.1.0"

#endif
