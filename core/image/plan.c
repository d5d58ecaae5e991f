/* SPDX-License-Identifier: BSD-2-Clause */
/* What goes where in a guest's memory, and the small reads and writes that all loaders share. */
#include "core/image/plan.h"

#include <stdarg.h>

#include "core/format.h"
#include "core/guest/layout.h"
#include "core/string.h"

bool image_fail(struct image_error *error, const char *role, const struct image_file *file,
                const char *fmt, ...)
{
    size_t size = sizeof(error->text);
    size_t used = format_string(error->text, size, "%s '%s': ", role, file->name);
    va_list args;

    if (used >= size)
        return false;
    va_start(args, fmt);
    format_string_v(error->text + used, size - used, fmt, args);
    va_end(args);
    return false;
}

static bool inside(const struct image_piece *piece, uint64_t from, uint64_t to)
{
    return piece->gpa >= from && piece->gpa < to && piece->size <= to - piece->gpa;
}

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a < b + b_size && b < a + a_size;
}

struct label {
    char text[80];
};

static struct label label(const struct image_piece *piece)
{
    struct label l = {0};
    char number[16] = "";

    if (piece->number)
        format_string(number, sizeof(number), " %u", piece->number);
    format_string(l.text, sizeof(l.text), "%s%s (0x%lx-0x%lx)", piece->what, number, piece->gpa,
                  piece->gpa + piece->size - 1);
    return l;
}

bool image_plan_add(struct image_plan *plan, const struct image_piece *piece)
{
    const struct image_file *kernel = &plan->boot->kernel;

    if (!inside(piece, 0, GUEST_CONVENTIONAL_TOP) &&
        !inside(piece, GUEST_EXTENDED_BASE, GUEST_LOW_RAM_TOP))
        return image_fail(plan->error, "kernel", kernel,
                          "%s lies outside the RAM that a guest can have below 4 GiB; expected "
                          "0x0-0x%x or 0x%x-0x%llx",
                          label(piece).text, GUEST_CONVENTIONAL_TOP - 1, GUEST_EXTENDED_BASE,
                          GUEST_LOW_RAM_TOP - 1);
    for (uint32_t i = 0; i < plan->piece_count; i++) {
        const struct image_piece *other = &plan->pieces[i];
        if (overlap(piece->gpa, piece->size, other->gpa, other->size))
            return image_fail(plan->error, "kernel", kernel, "%s overlaps %s", label(piece).text,
                              label(other).text);
    }
    plan->pieces[plan->piece_count++] = *piece;
    if (plan->end < piece->gpa + piece->size)
        plan->end = piece->gpa + piece->size;
    return true;
}

static const struct image_piece *find_overlap(const struct image_plan *plan, uint64_t gpa,
                                              uint64_t size)
{
    for (uint32_t i = 0; i < plan->piece_count; i++)
        if (overlap(gpa, size, plan->pieces[i].gpa, plan->pieces[i].size))
            return &plan->pieces[i];
    return NULL;
}

uint64_t image_plan_find_room(const struct image_plan *plan, uint64_t size, uint64_t from,
                              uint64_t to)
{
    uint64_t gpa = image_page_up(from);

    while (gpa <= to && size <= to - gpa) {
        const struct image_piece *other = find_overlap(plan, gpa, size);
        if (!other)
            return gpa;
        gpa = image_page_up(other->gpa + other->size);
    }
    return 0;
}

bool image_plan_write(const struct image_plan *plan, const struct guest_memory *gm)
{
    bool good = true;

    for (uint32_t i = 0; i < plan->piece_count; i++) {
        const struct image_piece *piece = &plan->pieces[i];
        good = good && gm_write(gm, piece->gpa, piece->data, piece->data_size);
    }
    return good;
}

bool image_file_has(const struct image_file *file, uint64_t offset, uint64_t size)
{
    return offset <= file->size && size <= file->size - offset;
}

uint64_t image_file_number(const struct image_file *file, uint64_t offset, unsigned bytes)
{
    uint64_t value = 0;

    if (image_file_has(file, offset, bytes))
        memcpy(&value, file->data + offset, bytes);
    return value;
}

bool image_put_gdt(const struct guest_memory *gm, uint64_t gpa, struct guest_start *start)
{
    static const uint64_t gdt[IMAGE_GDT_SIZE / sizeof(uint64_t)] = {
        [IMAGE_GDT_CODE32 / sizeof(uint64_t)] = 0x00cf9b000000ffff,
        [IMAGE_GDT_CODE64 / sizeof(uint64_t)] = 0x00af9b000000ffff,
        [IMAGE_GDT_DATA / sizeof(uint64_t)] = 0x00cf93000000ffff,
    };

    start->gdt_base = gpa;
    start->gdt_limit = sizeof(gdt) - 1;
    start->ds = IMAGE_GDT_DATA;
    return gm_write(gm, gpa, gdt, sizeof(gdt));
}
