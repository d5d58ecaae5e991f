/* SPDX-License-Identifier: BSD-2-Clause */
/* From a VM's configuration to the files boot/ loaded for it. */
#pragma once

#include "core/handover.h"
#include "core/image/image.h"

/* The file loaded from @path, or NULL. */
const struct handover_file *guest_file_find(const struct handover *handover, const char *path);

/* The file of a path with its string, reached at its physical address plus @mapped_at. No file was
 * loaded from there: data is NULL. */
struct image_file guest_file(const struct handover *handover, uint64_t mapped_at,
                             config_string path, config_string args);

/*
 * Fills *boot with the files, strings and memory size of @vm, one of @handover's. Files are reached
 * at their physical address plus @mapped_at. A file that was not loaded is left out.
 */
void guest_files(const struct handover *handover, const struct config_vm *vm, uint64_t mapped_at,
                 struct image_boot *boot);
