/* SPDX-License-Identifier: BSD-2-Clause */
/* What goes where in a guest's memory before it starts; private to core/image*.c. A loader first
 * adds every piece, so that all claims of a file are judged before a byte is written. */
#pragma once

#include "core/image/image.h"

enum {
    IMAGE_SEGMENTS_MAX = 32,
    IMAGE_PIECES_MAX = IMAGE_SEGMENTS_MAX + IMAGE_MODULES_MAX + 2, /* 2: what Lapwing adds */
    IMAGE_PAGE = 4096,
};

/* [gpa, gpa + size) of guest memory: first data_size bytes of a file, then zeros. */
struct image_piece {
    const char *what; /* "segment" */
    uint32_t number;  /* from 1; 0: there is only one */
    uint64_t gpa;
    uint64_t size;
    const uint8_t *data;
    uint64_t data_size;
};

struct image_plan {
    const struct image_boot *boot;
    struct image_error *error;
    enum image_format format;
    uint64_t entry; /* guest-physical */
    uint32_t piece_count;
    struct image_piece pieces[IMAGE_PIECES_MAX];
    uint64_t end;        /* of the highest piece */
    uint64_t memory_min; /* bytes that hold all pieces packed together; 0: end */

    /* Linux. */
    uint64_t top_vaddr;          /* of the segments of an ELF file */
    const uint8_t *setup_header; /* in the file, to be handed on; NULL: the file has none */
    uint64_t setup_header_size;
    uint64_t initrd; /* where it goes */

    /* Kernels that start in 32-bit protected mode. */
    uint64_t info; /* what they are told, and their GDT */
    uint64_t modules[IMAGE_MODULES_MAX];
};

/* Writes "ROLE 'NAME': " and the message. Returns false, to be handed on. */
bool image_fail(struct image_error *error, const char *role, const struct image_file *file,
                const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Adds a piece. False, with a message about the kernel, when it is not in RAM that a guest could
 * have below 4 GiB or overlaps another piece. */
bool image_plan_add(struct image_plan *plan, const struct image_piece *piece);

/* The lowest page from `from` on where size bytes touch no piece and end at `to` or before; 0:
 * none. */
uint64_t image_plan_find_room(const struct image_plan *plan, uint64_t size, uint64_t from,
                              uint64_t to);

/* Copies every piece's data. */
bool image_plan_write(const struct image_plan *plan, const struct guest_memory *gm);

/* Whether [offset, offset + size) lies in the file. */
bool image_file_has(const struct image_file *file, uint64_t offset, uint64_t size);

/* A little-endian number of 1 to 8 bytes; 0 for what lies beyond the file's end. */
uint64_t image_file_number(const struct image_file *file, uint64_t offset, unsigned bytes);

/* Selectors of the table that image_put_gdt() writes: flat 4 GiB segments. */
enum {
    IMAGE_GDT_CODE32 = 0x08,
    IMAGE_GDT_CODE64 = 0x10, /* __BOOT_CS of the Linux boot protocol */
    IMAGE_GDT_DATA = 0x18,   /* __BOOT_DS */
    IMAGE_GDT_SIZE = 0x20,
};

bool image_put_gdt(const struct guest_memory *gm, uint64_t gpa, struct guest_start *start);

static inline uint64_t image_page_up(uint64_t value)
{
    return (value + IMAGE_PAGE - 1) & ~(uint64_t)(IMAGE_PAGE - 1);
}

/* The loaders. A plan function judges and fills the plan; its load function carries out what is
 * special to the format, after image_plan_write(). */
bool image_is_bzimage(const struct image_file *kernel);
bool image_is_multiboot(const struct image_file *kernel);
bool image_is_elf(const struct image_file *kernel);
bool image_is_elf64(const struct image_file *kernel);

/* Where the image of every x86-64 Linux starts in virtual memory. */
#define IMAGE_LINUX_VADDR 0xffffffff80000000ULL

bool image_plan_bzimage(struct image_plan *plan);
bool image_plan_vmlinux(struct image_plan *plan);
bool image_load_linux(const struct image_plan *plan, const struct guest_memory *gm,
                      struct guest_start *start);

bool image_plan_multiboot(struct image_plan *plan);
bool image_load_multiboot(const struct image_plan *plan, const struct guest_memory *gm,
                          struct guest_start *start);

bool image_plan_flat(struct image_plan *plan);
bool image_load_flat(const struct image_plan *plan, const struct guest_memory *gm,
                     struct guest_start *start);

bool image_plan_firmware(struct image_plan *plan);
bool image_load_firmware(const struct image_plan *plan, const struct guest_memory *gm,
                         struct guest_start *start);

bool image_is_multiboot2(const struct image_file *kernel);
bool image_plan_multiboot2(struct image_plan *plan);
bool image_load_multiboot2(const struct image_plan *plan, const struct guest_memory *gm,
                           struct guest_start *start);

bool image_plan_pvh(struct image_plan *plan, uint64_t entry);
bool image_load_pvh(const struct image_plan *plan, const struct guest_memory *gm,
                    struct guest_start *start);

/* Adds the loadable segments of an ELF file for x86, 32 or 64 bit, at their physical addresses, and
 * sets the plan's entry: to the physical address *entry or, with NULL, to what the file says. */
bool image_plan_elf(struct image_plan *plan, const uint64_t *entry);

/* Whether the kernel is a good ELF file with a note for PVH; then *entry is the physical address
 * there, and *top_vaddr the highest virtual address of a segment. */
bool image_elf_pvh_entry(struct image_plan *plan, uint64_t *entry, uint64_t *top_vaddr);

/* ---- Kernels that start in 32-bit protected mode --------------------------------------------- */

#define IMAGE_LOADER_NAME "Lapwing"

/* False, with a message, when the configuration names an initrd. */
bool image_refuse_initrd(struct image_plan *plan);

/* Where a Multiboot header says that the file's parts go; load_end and bss_end may be 0. */
struct image_addresses {
    uint64_t header, load, load_end, bss_end, entry;
};

/* Adds the kernel by the addresses of the header that is `header` bytes into the file. */
bool image_plan_addresses(struct image_plan *plan, uint64_t header,
                          const struct image_addresses *addresses);

/* Adds all modules, behind the kernel, on page boundaries. */
bool image_plan_modules(struct image_plan *plan);

/* Finds room for `size` bytes that the kernel is told, on a page boundary. */
bool image_plan_info(struct image_plan *plan, uint64_t size);

/* Flat protected mode at the plan's entry; all but the GDT. */
void image_start32(const struct image_plan *plan, struct guest_start *start, uint64_t rax,
                   uint64_t rbx);

/* For writing what a kernel is told. After a write that was not to RAM `good` is false. */
struct image_writer {
    const struct guest_memory *gm;
    uint64_t at; /* where the next string goes */
    bool good;
};

/* A little-endian number of 1 to 8 bytes. */
void image_write(struct image_writer *w, uint64_t gpa, uint64_t value, unsigned bytes);

/* The memory map: of each line the address, the size and the type (8, 8 and 4 bytes), one line
 * every `stride` bytes. How many there are. */
size_t image_write_map(struct image_writer *w, uint64_t gpa, uint64_t stride, uint64_t memory);

/* A string, NULL for an empty one, with its NUL: its size, and its address once written. */
uint64_t image_text_size(const char *text);
uint64_t image_write_text(struct image_writer *w, const char *text);
