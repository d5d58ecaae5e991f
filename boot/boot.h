/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the UEFI application share. Each function runs on the boot processor, before
 * ExitBootServices unless it says otherwise. A function that "refuses" prints the reason itself;
 * its caller passes the status on and says nothing. */
#pragma once

#include <efi.h>
#include <stdbool.h>

#include "boot/memory_map.h"
#include "core/handover.h"
#include "core/types.h"
#include "vmx/mitigations.h"

/* Set once by efi_main. boot_services is not to be used after ExitBootServices. */
extern EFI_HANDLE boot_image;
extern EFI_SYSTEM_TABLE *boot_system;
extern EFI_BOOT_SERVICES *boot_services;

/* What the program does, in main.c or check.c; its status goes to the firmware. */
EFI_STATUS application(void);

/* ---- console.c: text out, before the hypervisor has a console of its own ------------------- */

/* Finds out where text goes: to the firmware's console, and to the first serial port unless the
 * firmware's console already goes there. Call first. */
void console_start(void);

/* Boot services are gone: text goes to the serial port alone, if there is one. */
void console_leave_firmware(void);

/* As format_string() in core/format.h; '\n' ends a line. A text over 1 KiB is cut. */
void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Prints "lapwing: refused: TEXT" and returns status. Exactly one call per start. */
EFI_STATUS refuse(EFI_STATUS status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Gives a person so many seconds to read, or less if they press a key. */
void console_wait_for_key(uint32_t seconds);

/* What print() has printed so far, but for what is over 32 KiB. */
const char *console_report(size_t *size);

/* "EFI_LOAD_ERROR" and the like. */
const char *status_name(EFI_STATUS status);

/* ---- memory.c: memory for the hypervisor, given back together (a refused start) or handed over
 * as HANDOVER_HYPERVISOR ---------------------------------------------------------------------- */

/* Highest addresses for memory_take(). */
#define MEMORY_BELOW_1M 0xfffffull
#define MEMORY_BELOW_4G 0xffffffffull
#define MEMORY_ANYWHERE (~0ull)

/* Takes size bytes, rounded up to pages, as high up as there is room, the last one at or below
 * highest; not zeroed. The firmware allows to execute what lies below 1 MiB. Returns the physical
 * address, which is also the pointer, or 0. */
uint64_t memory_take(uint64_t size, uint64_t highest);

void memory_free_all(void);

/* The memory for the firmware's map; it is taken from the firmware, but not handed over. */
struct map_buffer {
    void *descriptors;
    UINTN capacity;
};

/* Makes room for the map, with slack: allocations and ExitBootServices may split ranges. Refuses.
 * Give the descriptors back with FreePool. */
EFI_STATUS map_take_buffer(struct map_buffer *buffer);

/* The map as it is now, in the buffer, and its key for ExitBootServices. */
EFI_STATUS map_get(const struct map_buffer *buffer, struct firmware_map *map, UINTN *key);

/* memory_map_convert() with our claims. */
bool map_convert(const struct firmware_map *map, struct range_list *list);

enum { MAP_SLACK_DESCRIPTORS = 64 };

/* ---- files.c: files on the EFI system partition that this application was started from ------ */

/* Opens the volume. Refuses. */
EFI_STATUS files_open_volume(void);

/* Closes it; harmless when it is not open. */
void files_close_volume(void);

/* Reads a whole, not empty file into memory of memory_take(). EFI_NOT_FOUND is left to the caller
 * to report; all other errors are refusals. */
EFI_STATUS file_load(const char *path, uint64_t *base, uint64_t *size);

/* Writes a file, in place of one that may be there. */
EFI_STATUS file_save(const char *path, const char *data, size_t size);

/* ---- processor.c: what this processor can do ------------------------------------------------- */

/* False: it has no VMX, and *caps is not filled. */
bool processor_has_vmx(struct vmx_caps *caps);

/* Why it cannot run the hypervisor, naming all that is missing; NULL if it can. */
const char *processor_refusal(void);

/* ---- guests.c: the configuration and the files it names ------------------------------------- */

/* Fills handover->config from the configuration file, or with the defaults. Refuses. */
EFI_STATUS guests_read_config(struct handover *handover);

/* Fills handover->files with every file the configuration names, each once. An optional initrd
 * that is not there is taken out of the configuration. Refuses. */
EFI_STATUS guests_load_files(struct handover *handover);

/* Can every VM's files be started in its memory? Refuses. */
EFI_STATUS guests_check_images(const struct handover *handover);

/* The VMs run one after another: is there room for the largest in free bytes of memory, beside what
 * the hypervisor needs? Refuses. */
EFI_STATUS guests_check_memory(const struct handover *handover, uint64_t free);

/* ---- firmware.c: what the firmware knows of the machine -------------------------------------- */

/* Fills rsdp, framebuffer, tsc_hz and cpus: the processor this runs on comes first. */
void firmware_describe(struct handover *handover);

/* An acpi_map: UEFI maps memory at its physical addresses. */
const void *firmware_memory(paddr_t address, uint64_t size);

/* Fills boot_time; to be called shortly before boot services end. */
void firmware_read_clock(struct handover *handover);

/* ---- hypervisor.c: the hypervisor that this application carries ------------------------------ */

/* Copies the image, its symbols and the trampoline code to their places, and fills the fields of
 * handover that say where. Refuses. */
EFI_STATUS hypervisor_load(struct handover *handover);

/* Builds the page tables: the direct map of ram, the image and the trampoline page. After
 * hypervisor_load(). Refuses. */
EFI_STATUS hypervisor_map(struct handover *handover, const struct range_list *ram);

/* Leaves the firmware's address space for good. After ExitBootServices. */
_Noreturn void hypervisor_enter(const struct handover *handover);

/* ---- leave.c --------------------------------------------------------------------------------- */

/* With everything loaded: checks that memory suffices, builds the page tables, ends boot services
 * and enters the hypervisor. Returns only after a refusal. */
EFI_STATUS leave_firmware(struct handover *handover);
