/* SPDX-License-Identifier: BSD-2-Clause */
/* One table of registers, and the description made of it. */
#include "core/gdb/registers.h"

#include "core/bits.h"
#include "core/format.h"
#include "core/string.h"

enum { ELEMENT_MAX = 256 };

/* Registers that follow each other and have one size and type. */
struct group {
    const char *feature; /* begins here; NULL: the one before goes on */
    const char *names;   /* with blanks */
    const char *type;
    uint8_t size;
    bool writable;
};

static const struct group groups[] = {
    {"org.gnu.gdb.i386.core", "rax rbx rcx rdx rsi rdi rbp", "int64", 8, true},
    {NULL, "rsp", "data_ptr", 8, true},
    {NULL, "r8 r9 r10 r11 r12 r13 r14 r15", "int64", 8, true},
    {NULL, "rip", "code_ptr", 8, true},
    {NULL, "eflags", "int32", 4, true},
    {NULL, "cs ss ds es fs gs", "int32", 4, false},
    {NULL, "st0 st1 st2 st3 st4 st5 st6 st7", "i387_ext", 10, true},
    {NULL, "fctrl fstat ftag fiseg fioff foseg fooff fop", "int", 4, false},
    {"org.gnu.gdb.i386.sse",
     "xmm0 xmm1 xmm2 xmm3 xmm4 xmm5 xmm6 xmm7 xmm8 xmm9 xmm10 xmm11 xmm12 xmm13 xmm14 xmm15",
     "vec128", 16, true},
    {NULL, "mxcsr", "int", 4, false},
    {"org.gnu.gdb.i386.segments", "fs_base gs_base", "int64", 8, false},
    {"org.lapwing.system", "cr0 cr2 cr3 cr4 efer", "int64", 8, false},
};

static unsigned count(const struct group *group)
{
    unsigned n = 1;

    for (const char *c = group->names; *c != 0; c++)
        n += *c == ' ';
    return n;
}

static const struct group *group_of(unsigned number, size_t *offset)
{
    *offset = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(groups); i++) {
        unsigned n = count(&groups[i]);

        if (number < n) {
            *offset += (size_t)number * groups[i].size;
            return &groups[i];
        }
        number -= n;
        *offset += (size_t)n * groups[i].size;
    }
    return NULL;
}

bool gdb_register_place(unsigned number, size_t *offset, size_t *size)
{
    const struct group *group = group_of(number, offset);

    *size = group != NULL ? group->size : 0;
    return group != NULL;
}

bool gdb_register_is_writable(unsigned number)
{
    size_t offset;
    const struct group *group = group_of(number, &offset);

    return group != NULL && group->writable;
}

/* ---- The description ------------------------------------------------------------------------- */

/* The part of a text from `skip` on, into what is left of a buffer. */
struct window {
    char *to;
    size_t max, skip, used;
};

static void show(struct window *window, const char *text)
{
    size_t length = strlen(text);
    size_t skipped = min(window->skip, length);
    size_t n = min(length - skipped, window->max - window->used);

    memcpy(window->to + window->used, text + skipped, n);
    window->skip -= skipped;
    window->used += n;
}

static void show_registers(struct window *window, const struct group *group)
{
    char element[ELEMENT_MAX];

    for (const char *name = group->names; *name != 0;) {
        int length = 0;

        while (name[length] != 0 && name[length] != ' ')
            length++;
        format_string(element, sizeof(element), "<reg name=\"%.*s\" bitsize=\"%u\" type=\"%s\"/>\n",
                      length, name, group->size * 8u, group->type);
        show(window, element);
        name += length + (name[length] == ' ');
    }
}

static const char vector_type[] = "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>\n"
                                  "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>\n"
                                  "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>\n"
                                  "<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>\n"
                                  "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>\n"
                                  "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>\n"
                                  "<union id=\"vec128\">\n"
                                  "<field name=\"v4_float\" type=\"v4f\"/>\n"
                                  "<field name=\"v2_double\" type=\"v2d\"/>\n"
                                  "<field name=\"v16_int8\" type=\"v16i8\"/>\n"
                                  "<field name=\"v8_int16\" type=\"v8i16\"/>\n"
                                  "<field name=\"v4_int32\" type=\"v4i32\"/>\n"
                                  "<field name=\"v2_int64\" type=\"v2i64\"/>\n"
                                  "<field name=\"uint128\" type=\"uint128\"/>\n"
                                  "</union>\n";

size_t gdb_description(char *to, size_t max, size_t offset)
{
    struct window window = {.to = to, .max = max, .skip = offset};
    char element[ELEMENT_MAX];

    show(&window, "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
                  "<target version=\"1.0\">\n<architecture>i386:x86-64</architecture>\n");
    for (unsigned i = 0; i < ARRAY_SIZE(groups); i++) {
        if (groups[i].feature != NULL) {
            format_string(element, sizeof(element), "%s<feature name=\"%s\">\n",
                          i > 0 ? "</feature>\n" : "", groups[i].feature);
            show(&window, element);
        }
        if (groups[i].size == 16)
            show(&window, vector_type);
        show_registers(&window, &groups[i]);
    }
    show(&window, "</feature>\n</target>\n");
    return window.used;
}
