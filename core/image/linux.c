/* SPDX-License-Identifier: BSD-2-Clause */
/* Linux by its 64-bit boot protocol, packed (bzImage) or not (vmlinux). Source: the Linux kernel's
 * documentation, "The Linux/x86 Boot Protocol" and "Zero Page". */
#include "core/image/plan.h"

#include "core/guest/layout.h"

/* Fields of the setup header, which has the same place in a bzImage and in struct boot_params. */
enum setup_header {
    SETUP_BEGIN = 0x1f1,
    SETUP_SECTS = 0x1f1,
    SETUP_SYSSIZE = 0x1f4, /* in units */
    SETUP_VID_MODE = 0x1fa,
    SETUP_BOOT_FLAG = 0x1fe,
    SETUP_JUMP_LENGTH = 0x201, /* the header ends so far behind the next byte */
    SETUP_MAGIC = 0x202,
    SETUP_VERSION = 0x206,
    SETUP_TYPE_OF_LOADER = 0x210,
    SETUP_LOADFLAGS = 0x211,
    SETUP_RAMDISK_IMAGE = 0x218,
    SETUP_RAMDISK_SIZE = 0x21c,
    SETUP_CMD_LINE_PTR = 0x228,
    SETUP_INITRD_ADDR_MAX = 0x22c,
    SETUP_KERNEL_ALIGNMENT = 0x230,
    SETUP_XLOADFLAGS = 0x236,
    SETUP_CMDLINE_SIZE = 0x238,
    SETUP_PREF_ADDRESS = 0x258,
    SETUP_INIT_SIZE = 0x260,
    SETUP_END_MAX = 0x290, /* what struct boot_params leaves for it */
};

enum {
    SETUP_SECTOR = 512,
    SETUP_SYSSIZE_UNIT = 16,
    SETUP_SECTS_DEFAULT = 4, /* what 0 stands for */
    SETUP_BOOT_FLAG_VALUE = 0xaa55,
    SETUP_MAGIC_VALUE = 0x53726448, /* "HdrS" */
    SETUP_VERSION_MIN = 0x020c,     /* the first with XLOADFLAGS */
    SETUP_VERSION_OWN = 0x020f,     /* of the header made for a vmlinux */
    SETUP_LOADER_UNDEFINED = 0xff,
    SETUP_LOADED_HIGH = 1 << 0,
    SETUP_XLF_KERNEL_64 = 1 << 0,
    SETUP_VID_MODE_NORMAL = 0xffff,
    SETUP_ENTRY_64 = 0x200, /* from the start of the loaded kernel */
};

/* Other fields of struct boot_params. */
enum zero_page {
    ZERO_ACPI_RSDP = 0x070,
    ZERO_E820_ENTRIES = 0x1e8,
    ZERO_E820_TABLE = 0x2d0,
    ZERO_E820_ENTRY_SIZE = 20,
};

/* The boot structures, below every kernel. */
enum {
    BOOT_GDT = 0x1000,
    BOOT_PARAMS = 0x2000,
    BOOT_CMDLINE = 0x3000,
    BOOT_PML4 = 0x4000,
    BOOT_PDPT = 0x5000,
    BOOT_PD = 0x6000, /* 4 pages: 4 GiB in pages of 2 MiB */
    BOOT_PD_COUNT = 4,
    BOOT_STACK_TOP = 0xb000,
};

enum page_table {
    PAGE_PRESENT = 1 << 0,
    PAGE_WRITABLE = 1 << 1,
    PAGE_LARGE = 1 << 7,
    PAGE_ENTRIES = 512,
    PAGE_LARGE_SIZE = 2 << 20,
};

/* COMMAND_LINE_SIZE - 1 of every x86-64 Linux. */
enum { LINUX_CMDLINE_MAX = 2047 };

_Static_assert(LINUX_CMDLINE_MAX < BOOT_PML4 - BOOT_CMDLINE, "the command line has one page");

/* ---- Planning ----------------------------------------------------------------------------- */

static bool begin(struct image_plan *plan, uint64_t cmdline_max)
{
    const struct image_file *kernel = &plan->boot->kernel;
    const struct image_piece boot_structures = {
        .what = "the boot structures",
        .gpa = BOOT_GDT,
        .size = BOOT_STACK_TOP - BOOT_GDT,
    };
    uint64_t length = image_text_size(plan->boot->kernel.args) - 1;

    if (cmdline_max > LINUX_CMDLINE_MAX)
        cmdline_max = LINUX_CMDLINE_MAX;
    if (length > cmdline_max)
        return image_fail(plan->error, "kernel", kernel,
                          "the command line has %lu bytes; expected at most %lu", length,
                          cmdline_max);
    if (plan->boot->module_count)
        return image_fail(plan->error, "kernel", kernel,
                          "a Linux kernel takes no modules; expected an initrd");
    return image_plan_add(plan, &boot_structures);
}

/* The initrd goes as high as it may, away from what the kernel unpacks around itself. */
static bool place_initrd(struct image_plan *plan, uint64_t limit)
{
    const struct image_file *initrd = &plan->boot->initrd;
    uint64_t least = image_page_up(plan->end);
    uint64_t ram = guest_low_ram(plan->boot->memory);

    if (!initrd->data)
        return true;
    if (limit > GUEST_LOW_RAM_TOP)
        limit = GUEST_LOW_RAM_TOP;
    if (!initrd->size)
        return image_fail(plan->error, "initrd", initrd, "the file is empty");
    if (initrd->size > limit || least > limit - initrd->size)
        return image_fail(plan->error, "initrd", initrd,
                          "0x%lx bytes do not fit between the kernel, which ends at 0x%lx, and "
                          "0x%lx",
                          initrd->size, plan->end, limit);

    plan->memory_min = least + initrd->size;
    if (limit > ram)
        limit = ram;
    if (plan->memory_min > limit)
        return true; /* image.c says how much memory it takes */
    plan->initrd = (limit - initrd->size) & ~(uint64_t)(IMAGE_PAGE - 1);
    const struct image_piece piece = {
        .what = "the initrd",
        .gpa = plan->initrd,
        .size = initrd->size,
        .data = initrd->data,
        .data_size = initrd->size,
    };
    return image_plan_add(plan, &piece);
}

bool image_is_bzimage(const struct image_file *kernel)
{
    return image_file_number(kernel, SETUP_BOOT_FLAG, 2) == SETUP_BOOT_FLAG_VALUE &&
           image_file_number(kernel, SETUP_MAGIC, 4) == SETUP_MAGIC_VALUE;
}

static bool check_setup_header(struct image_plan *plan)
{
    const struct image_file *file = &plan->boot->kernel;
    uint64_t version = image_file_number(file, SETUP_VERSION, 2);

    if (!image_file_has(file, 0, SETUP_END_MAX))
        return image_fail(plan->error, "kernel", file,
                          "truncated: the setup header needs bytes up to 0x%x, the file has 0x%lx",
                          SETUP_END_MAX, file->size);
    if (version < SETUP_VERSION_MIN)
        return image_fail(plan->error, "kernel", file,
                          "bzImage of boot protocol %lu.%02lu; expected 2.12 or newer",
                          version >> 8, version & 0xff);
    if (!(image_file_number(file, SETUP_XLOADFLAGS, 2) & SETUP_XLF_KERNEL_64))
        return image_fail(plan->error, "kernel", file,
                          "bzImage without a 64-bit entry point; expected a kernel for x86-64");
    return true;
}

static bool add_packed_kernel(struct image_plan *plan)
{
    const struct image_file *file = &plan->boot->kernel;
    uint64_t sectors = image_file_number(file, SETUP_SECTS, 1);
    uint64_t start = ((sectors ? sectors : SETUP_SECTS_DEFAULT) + 1) * SETUP_SECTOR;
    uint64_t size = image_file_number(file, SETUP_SYSSIZE, 4) * SETUP_SYSSIZE_UNIT;
    uint64_t init_size = image_file_number(file, SETUP_INIT_SIZE, 4);

    /* The file may end within the last unit. */
    if (!image_file_has(file, start, size ? size - (SETUP_SYSSIZE_UNIT - 1) : 0))
        return image_fail(
            plan->error, "kernel", file,
            "truncated: the packed kernel needs bytes 0x%lx-0x%lx, the file has 0x%lx", start,
            start + size - 1, file->size);
    if (size <= SETUP_ENTRY_64)
        return image_fail(plan->error, "kernel", file,
                          "a packed kernel of 0x%lx bytes has no 64-bit entry point at 0x%x", size,
                          SETUP_ENTRY_64);
    /* Below the preferred address the kernel would move itself there before it unpacks, and nothing
     * of ours is in the way there. */
    const struct image_piece piece = {
        .what = "the kernel",
        .gpa = image_file_number(file, SETUP_PREF_ADDRESS, 8),
        .size = init_size > size ? init_size : size,
        .data = file->data + start,
        .data_size = image_file_has(file, start, size) ? size : file->size - start,
    };
    plan->entry = piece.gpa + SETUP_ENTRY_64;
    return image_plan_add(plan, &piece);
}

static void keep_setup_header(struct image_plan *plan)
{
    const struct image_file *file = &plan->boot->kernel;
    uint64_t end = SETUP_MAGIC + image_file_number(file, SETUP_JUMP_LENGTH, 1);

    if (end > SETUP_END_MAX)
        end = SETUP_END_MAX;
    plan->setup_header = file->data + SETUP_BEGIN;
    plan->setup_header_size = end - SETUP_BEGIN;
}

bool image_plan_bzimage(struct image_plan *plan)
{
    const struct image_file *file = &plan->boot->kernel;

    plan->format = IMAGE_LINUX_BZIMAGE;
    if (!check_setup_header(plan) || !begin(plan, image_file_number(file, SETUP_CMDLINE_SIZE, 4)) ||
        !add_packed_kernel(plan))
        return false;
    keep_setup_header(plan);
    return place_initrd(plan, image_file_number(file, SETUP_INITRD_ADDR_MAX, 4) + 1);
}

bool image_plan_vmlinux(struct image_plan *plan)
{
    plan->format = IMAGE_LINUX_VMLINUX;
    if (!begin(plan, LINUX_CMDLINE_MAX) || !image_plan_elf(plan, NULL))
        return false;
    if (plan->top_vaddr < IMAGE_LINUX_VADDR)
        return image_fail(plan->error, "kernel", &plan->boot->kernel,
                          "ELF64 file that is no Linux kernel (no segment at or above 0x%llx) and "
                          "has no Multiboot header or PVH note",
                          IMAGE_LINUX_VADDR);
    return place_initrd(plan, GUEST_LOW_RAM_TOP);
}

/* ---- Loading ------------------------------------------------------------------------------ */

static void put_param(struct image_writer *w, unsigned offset, uint64_t value, unsigned bytes)
{
    image_write(w, BOOT_PARAMS + offset, value, bytes);
}

/* A vmlinux has no setup header of its own: what the kernel proper still reads of it. */
static void put_own_header(struct image_writer *w)
{
    put_param(w, SETUP_BOOT_FLAG, SETUP_BOOT_FLAG_VALUE, 2);
    put_param(w, SETUP_MAGIC, SETUP_MAGIC_VALUE, 4);
    put_param(w, SETUP_VERSION, SETUP_VERSION_OWN, 2);
    put_param(w, SETUP_LOADFLAGS, SETUP_LOADED_HIGH, 1);
    put_param(w, SETUP_KERNEL_ALIGNMENT, PAGE_LARGE_SIZE, 4);
    put_param(w, SETUP_CMDLINE_SIZE, LINUX_CMDLINE_MAX, 4);
}

static void put_boot_params(struct image_writer *w, const struct image_plan *plan)
{
    const struct image_boot *boot = plan->boot;

    if (plan->setup_header)
        w->good =
            gm_write(w->gm, BOOT_PARAMS + SETUP_BEGIN, plan->setup_header, plan->setup_header_size);
    else
        put_own_header(w);
    put_param(w, SETUP_TYPE_OF_LOADER, SETUP_LOADER_UNDEFINED, 1);
    put_param(w, SETUP_VID_MODE, SETUP_VID_MODE_NORMAL, 2);
    put_param(w, SETUP_CMD_LINE_PTR, BOOT_CMDLINE, 4);
    put_param(w, SETUP_RAMDISK_IMAGE, plan->initrd, 4);
    put_param(w, SETUP_RAMDISK_SIZE, boot->initrd.data ? boot->initrd.size : 0, 4);
    put_param(w, ZERO_ACPI_RSDP, boot->rsdp, 8);
    put_param(w, ZERO_E820_ENTRIES,
              image_write_map(w, BOOT_PARAMS + ZERO_E820_TABLE, ZERO_E820_ENTRY_SIZE, boot->memory),
              1);
    image_write_text(w, boot->kernel.args);
}

/* Maps the first 4 GiB to themselves. */
static void put_page_tables(struct image_writer *w)
{
    const uint64_t table = PAGE_PRESENT | PAGE_WRITABLE;

    image_write(w, BOOT_PML4, BOOT_PDPT | table, 8);
    for (unsigned i = 0; i < BOOT_PD_COUNT; i++)
        image_write(w, BOOT_PDPT + i * 8, (BOOT_PD + i * IMAGE_PAGE) | table, 8);
    for (unsigned i = 0; i < BOOT_PD_COUNT * PAGE_ENTRIES; i++)
        image_write(w, BOOT_PD + i * 8, (uint64_t)i * PAGE_LARGE_SIZE | table | PAGE_LARGE, 8);
}

bool image_load_linux(const struct image_plan *plan, const struct guest_memory *gm,
                      struct guest_start *start)
{
    struct image_writer w = {gm, BOOT_CMDLINE, true};

    *start = (struct guest_start){
        .mode = GUEST_ENTRY_LONG64,
        .rip = plan->entry,
        .rsp = BOOT_STACK_TOP,
        .rsi = BOOT_PARAMS,
        .cr3 = BOOT_PML4,
        .cs = IMAGE_GDT_CODE64,
    };
    put_boot_params(&w, plan);
    put_page_tables(&w);
    return w.good && image_put_gdt(gm, BOOT_GDT, start);
}
