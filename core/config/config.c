/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration file: lines, sections, and the messages about what is wrong with them. */
#include "core/config/config.h"

#include <stdarg.h>

#include "core/config/value.h"
#include "core/format.h"
#include "core/string.h"

enum { QUOTE_MAX = 40 }; /* longest piece of the file that a message repeats, in bytes */

#define SECTIONS "[lapwing] or [vm NAME]"

/* A line of the file or of the load options. */
struct place {
    const char *file;
    uint32_t line; /* 0: nowhere */
};

struct parser {
    struct place here; /* the current line */
    const char *end;
    const char *line;     /* start of the current line */
    const char *line_end; /* without the line's end mark */
    const char *options;
    struct config *config;
    struct config_error *error;

    bool in_section;
    enum config_section section;
    struct config_vm *vm; /* of a VM section */
    struct place section_place;
    uint32_t lapwing_line;              /* 0: not seen yet */
    struct place gdb_place;             /* of the last VM that wants a port for GDB */
    struct place keys[CONFIG_KEYS_MAX]; /* where this section set a key */
    uint32_t vm_lines[CONFIG_VMS_MAX];
};

/* Columns count characters: the bytes that do not continue a UTF-8 sequence. */
static uint32_t column_of(const struct parser *p, const char *at)
{
    uint32_t column = 1;

    for (const char *c = p->line; c < at; c++)
        column += ((uint8_t)*c & 0xc0) != 0x80;
    return column;
}

static bool vfail_at(struct parser *p, struct place place, uint32_t column, const char *fmt,
                     va_list args)
{
    struct config_error *error = p->error;
    size_t size = sizeof(error->text);
    size_t used = format_string(error->text, size, "%s:%u:%u: ", place.file, place.line, column);

    error->line = place.line;
    error->column = column;
    if (used < size)
        format_string_v(error->text + used, size - used, fmt, args);
    return false;
}

/* All fail functions return false, to be handed on. */
__attribute__((format(printf, 3, 4))) static bool fail(struct parser *p, const char *at,
                                                       const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vfail_at(p, p->here, column_of(p, at), fmt, args);
    va_end(args);
    return false;
}

__attribute__((format(printf, 3, 4))) static bool fail_line(struct parser *p, struct place place,
                                                            const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vfail_at(p, place, 1, fmt, args);
    va_end(args);
    return false;
}

/* The start of a piece of the file, short enough for a message and cut between characters. */
struct quote {
    char text[QUOTE_MAX + sizeof("...")];
};

static struct quote quote(struct config_span span)
{
    struct quote q = {0};
    size_t length = span.length;

    if (length > QUOTE_MAX) {
        length = QUOTE_MAX;
        while (length && ((uint8_t)span.text[length] & 0xc0) == 0x80)
            length--;
    }
    memcpy(q.text, span.text, length);
    memcpy(q.text + length, length < span.length ? "..." : "", length < span.length ? 4 : 1);
    return q;
}

/* ---- Characters --------------------------------------------------------------------------- */

/* Length of the UTF-8 sequence at c, 0 if it is none (The Unicode Standard, "Well-Formed UTF-8 Byte
 * Sequences"). */
static size_t utf8_length(const char *c, const char *end)
{
    uint8_t lead = (uint8_t)c[0];
    uint8_t low = 0x80, high = 0xbf; /* of the second byte */
    size_t length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

    if (lead > 0xf4 || (size_t)(end - c) < length)
        return 0;
    if (lead == 0xe0)
        low = 0xa0;
    else if (lead == 0xed)
        high = 0x9f;
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i < length; i++) {
        if ((uint8_t)c[i] < low || (uint8_t)c[i] > high)
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return length;
}

static bool check_characters(struct parser *p)
{
    for (const char *c = p->line; c < p->line_end;) {
        uint8_t byte = (uint8_t)*c;
        size_t length = utf8_length(c, p->line_end);

        if (!length)
            return fail(p, c, "byte 0x%02x does not belong to UTF-8 text; expected UTF-8", byte);
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
            return fail(p, c, "control character 0x%02x; expected text", byte);
        c += length;
    }
    return true;
}

/* ---- Keys --------------------------------------------------------------------------------- */

static const char *section_title(const struct parser *p, char *buf, size_t size)
{
    if (p->section == CONFIG_SECTION_LAPWING)
        return "[lapwing]";
    format_string(buf, size, "[vm %s]", p->vm->name);
    return buf;
}

static bool fail_unknown_key(struct parser *p, struct config_span name)
{
    char title[CONFIG_NAME_MAX + 8];
    char names[CONFIG_ERROR_MAX];
    size_t used = 0;

    for (size_t i = 0; i < config_key_count && used < sizeof(names); i++)
        if (config_keys[i].section == p->section)
            used += format_string(names + used, sizeof(names) - used, "%s%s", used ? ", " : "",
                                  config_keys[i].name);
    return fail(p, name.text, "unknown key '%s' in %s; expected one of %s", quote(name).text,
                section_title(p, title, sizeof(title)), names);
}

static bool fail_value(struct parser *p, const struct config_key *key, struct config_span value,
                       enum config_verdict verdict)
{
    char expected[CONFIG_ERROR_MAX / 2];

    config_expected(key, expected, sizeof(expected));
    switch (verdict) {
    case CONFIG_VALUE_TOO_LONG:
        return fail(p, value.text, "the value of '%s' is too long; expected %s", key->name,
                    expected);
    case CONFIG_VALUE_TOO_MANY:
        return fail(p, value.text, "too many of '%s'; expected %s", key->name, expected);
    case CONFIG_VALUE_TWICE:
        return fail(p, value.text, "'%s' names an ID for the second time in '%s'; expected %s",
                    quote(value).text, key->name, expected);
    case CONFIG_VALUE_NO_STRING_ROOM:
        return fail(p, value.text, "too much text; expected at most %d bytes in all values",
                    CONFIG_STRINGS_MAX);
    default:
        return fail(p, value.text, "bad value '%s' for '%s'; expected %s", quote(value).text,
                    key->name, expected);
    }
}

static bool fail_twice(struct parser *p, struct config_span name, uint32_t first_line)
{
    char title[CONFIG_NAME_MAX + 8];

    return fail(p, name.text, "'%s' is set twice in %s, first in line %u; expected it once",
                quote(name).text, section_title(p, title, sizeof(title)), first_line);
}

static const struct config_key *find_key(enum config_section section, struct config_span name)
{
    for (size_t i = 0; i < config_key_count; i++)
        if (config_keys[i].section == section && config_span_is(name, config_keys[i].name))
            return &config_keys[i];
    return NULL;
}

static bool set_key(struct parser *p, struct config_span name, struct config_span value)
{
    const struct config_key *key = find_key(p->section, name);

    if (!key)
        return fail_unknown_key(p, name);

    struct place *place = &p->keys[key - config_keys];
    if (place->line && key->kind != CONFIG_KIND_FILE)
        return fail_twice(p, name, place->line);
    *place = p->here;

    enum config_verdict verdict = config_set(p->config, p->vm, key, &value);
    return verdict == CONFIG_VALUE_GOOD || fail_value(p, key, value, verdict);
}

/* ---- Load options ------------------------------------------------------------------------- */

/* One line of the load options: SECTION.KEY=VALUE or KEY=VALUE. */
struct option {
    struct config_span section; /* empty: not said */
    struct config_span key;
    struct config_span value;
};

/* False at the end of the options. */
static bool next_option(const char **cursor, struct config_span *line)
{
    const char *end = *cursor;

    while (*end != '\n' && *end != '\0')
        end++;
    *line = (struct config_span){*cursor, (size_t)(end - *cursor)};
    *cursor = *end == '\n' ? end + 1 : end;
    return line->length != 0;
}

/* A VM's name may have points, a key has none. */
static struct option split_option(struct config_span line)
{
    const char *end = line.text + line.length;
    const char *equals = config_find('=', line.text, end);
    const char *key = equals;

    while (key > line.text && key[-1] != '.')
        key--;
    return (struct option){
        .section = {line.text, key > line.text ? (size_t)(key - 1 - line.text) : 0},
        .key = {key, (size_t)(equals - key)},
        .value = equals < end ? config_trim(equals + 1, end) : (struct config_span){end, 0},
    };
}

/* Whether the option is for the section that p is in. What does not name its section is for
 * [lapwing] if that has such a key, else for the first VM: check_options() sees to it that there is
 * no other. */
static bool is_for_section(const struct parser *p, const struct option *option)
{
    bool lapwing = option->section.length ? config_span_is(option->section, "lapwing")
                                          : find_key(CONFIG_SECTION_LAPWING, option->key) != NULL;

    if (p->section == CONFIG_SECTION_LAPWING || lapwing)
        return p->section == CONFIG_SECTION_LAPWING && lapwing;
    return option->section.length ? config_span_is(option->section, p->vm->name)
                                  : p->vm == p->config->vms;
}

/* Calls `visit` with each option, whose line is then the current one, until that fails. */
static bool for_each_option(struct parser *p, bool (*visit)(struct parser *p, struct option option))
{
    const char *cursor = p->options, *old_line = p->line, *old_end = p->line_end;
    struct place old_here = p->here;
    struct config_span line;

    p->here = (struct place){"load options", 0};
    while (next_option(&cursor, &line)) {
        p->line = line.text;
        p->line_end = line.text + line.length;
        p->here.line++; /* the word's number */
        if (!visit(p, split_option(line)))
            return false;
    }
    p->here = old_here;
    p->line = old_line;
    p->line_end = old_end;
    return true;
}

static bool check_form(struct parser *p, struct option option)
{
    if (option.key.text + option.key.length < p->line_end)
        return true;
    return fail(p, p->line, "no '=' in '%s'; expected KEY=VALUE or NAME.KEY=VALUE",
                quote((struct config_span){p->line, (size_t)(p->line_end - p->line)}).text);
}

static bool apply_option(struct parser *p, struct option option)
{
    return !is_for_section(p, &option) || set_key(p, option.key, option.value);
}

/* With the file read: is there a section for the option, and only one? */
static bool check_section(struct parser *p, struct option option)
{
    const struct config *config = p->config;

    if (!option.section.length) {
        if (config->vm_count == 1 || find_key(CONFIG_SECTION_LAPWING, option.key))
            return true;
        return fail(p, p->line,
                    "'%s' is a key of [vm NAME], of which there are %u; expected "
                    "NAME.%s",
                    quote(option.key).text, config->vm_count, quote(option.key).text);
    }
    for (uint32_t i = 0; i < config->vm_count; i++)
        if (config_span_is(option.section, config->vms[i].name))
            return true;
    return config_span_is(option.section, "lapwing") ||
           fail(p, p->line, "there is no [vm %s]; expected lapwing or the name of a VM, such as %s",
                quote(option.section).text, config->vms[0].name);
}

/* The load options' word takes the place of the file's. */
static bool is_overridden(const struct parser *p, struct config_span name)
{
    const char *cursor = p->options;
    struct config_span line;

    while (next_option(&cursor, &line)) {
        struct option option = split_option(line);

        if (is_for_section(p, &option) && option.key.length == name.length &&
            !memcmp(option.key.text, name.text, name.length))
            return true;
    }
    return false;
}

/* ---- Sections ----------------------------------------------------------------------------- */

static void set_fallbacks(struct config *config, struct config_vm *vm, enum config_section section)
{
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        if (key->section == section && key->fallback) {
            struct config_span value = {key->fallback, strlen(key->fallback)};
            config_set(config, vm, key, &value);
        }
    }
}

static void clear(struct config *config)
{
    memset(config, 0, sizeof(*config));
    config->strings_used = 1; /* offset 0 is the empty string */
    set_fallbacks(config, NULL, CONFIG_SECTION_LAPWING);
}

static struct config_vm *add_vm(struct config *config, struct config_span name)
{
    struct config_vm *vm = &config->vms[config->vm_count++];

    memcpy(vm->name, name.text, name.length);
    vm->first_apic_id = config->apic_ids_used;
    set_fallbacks(config, vm, CONFIG_SECTION_VM);
    return vm;
}

/* Where this section set the key, else where it begins. */
static struct place place_of(const struct parser *p, const char *name)
{
    for (size_t i = 0; i < config_key_count; i++)
        if (p->keys[i].line && !strcmp(config_keys[i].name, name))
            return p->keys[i];
    return p->section_place;
}

/* Of the VMs before this one, beside it. */
static bool has_debugged_before(const struct parser *p)
{
    const struct config_vm *vm = p->vm;

    while (vm->start == CONFIG_START_BESIDE && vm > p->config->vms)
        if ((--vm)->gdb != CONFIG_GDB_OFF)
            return true;
    return false;
}

static bool finish_vm(struct parser *p)
{
    const char *key;
    char why[CONFIG_ERROR_MAX / 2];

    if (p->vm == p->config->vms && p->vm->start == CONFIG_START_BESIDE)
        return fail_line(p, place_of(p, "start"),
                         "[vm %s] starts beside the VM before it, and is the first; expected after",
                         p->vm->name);
    if (p->vm->vtls > 1 && !p->vm->hyperv)
        return fail_line(p, place_of(p, "vtls"), "[vm %s] has %u VTLs; expected hyperv = on",
                         p->vm->name, p->vm->vtls);
    if (p->vm->fw_cfg_files.count && !p->vm->fw_cfg)
        return fail_line(p, place_of(p, "fw_cfg_file"),
                         "[vm %s] has files for fw_cfg; expected fw_cfg = on", p->vm->name);
    if (p->vm->gdb != CONFIG_GDB_OFF && has_debugged_before(p))
        return fail_line(p, place_of(p, "gdb"),
                         "[vm %s] wants the second serial port for GDB, as a VM beside it does; "
                         "expected gdb = off",
                         p->vm->name);
    if (p->vm->gdb != CONFIG_GDB_OFF)
        p->gdb_place = place_of(p, "gdb");
    return config_finish_vcpus(p->config, p->vm, &key, why, sizeof(why)) ||
           fail_line(p, place_of(p, key), "[vm %s] %s", p->vm->name, why);
}

/* What can only be judged when the section is complete. */
static bool end_section(struct parser *p)
{
    if (!p->in_section)
        return true;
    if (!for_each_option(p, apply_option))
        return false;
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        char expected[CONFIG_ERROR_MAX / 2];

        if (key->section != p->section || !key->required || p->keys[i].line)
            continue;
        config_expected(key, expected, sizeof(expected));
        return fail_line(p, p->section_place, "[vm %s] has no '%s'; expected %s = %s", p->vm->name,
                         key->name, key->name, expected);
    }
    return p->section == CONFIG_SECTION_LAPWING || finish_vm(p);
}

static bool begin_section(struct parser *p, enum config_section section)
{
    if (!end_section(p))
        return false;
    p->in_section = true;
    p->section = section;
    p->section_place = p->here;
    memset(p->keys, 0, sizeof(p->keys));
    return true;
}

static bool begin_lapwing(struct parser *p)
{
    if (p->lapwing_line)
        return fail(p, p->line, "section [lapwing] appears twice, first in line %u; expected one",
                    p->lapwing_line);
    p->lapwing_line = p->here.line;
    return begin_section(p, CONFIG_SECTION_LAPWING);
}

static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

static bool check_name(struct parser *p, struct config_span name)
{
    bool good = name.length && name.length <= CONFIG_NAME_MAX;

    for (size_t i = 0; i < name.length; i++)
        good = good && is_name_character(name.text[i]);
    if (!good)
        return fail(p, name.text,
                    "bad VM name '%s'; expected 1 to %d letters, digits, '-', '_' or '.'",
                    quote(name).text, CONFIG_NAME_MAX);
    for (uint32_t i = 0; i < p->config->vm_count; i++)
        if (config_span_is(name, p->config->vms[i].name))
            return fail(p, name.text,
                        "VM name '%s' appears twice, first in line %u; expected another name",
                        p->config->vms[i].name, p->vm_lines[i]);
    return true;
}

static bool begin_vm(struct parser *p, struct config_span name)
{
    if (!begin_section(p, CONFIG_SECTION_VM) || !check_name(p, name))
        return false;
    if (p->config->vm_count == CONFIG_VMS_MAX)
        return fail(p, p->line, "too many VMs; expected at most %d", CONFIG_VMS_MAX);
    p->vm_lines[p->config->vm_count] = p->here.line;
    p->vm = add_vm(p->config, name);
    return true;
}

/* line starts with '['. */
static bool parse_section(struct parser *p, struct config_span line)
{
    const char *end = line.text + line.length;

    if (end[-1] != ']')
        return fail(p, end, "section header without ']' at its end; expected " SECTIONS);

    struct config_span inner = config_trim(line.text + 1, end - 1);
    if (config_span_is(inner, "lapwing"))
        return begin_lapwing(p);
    if (config_span_is(inner, "vm"))
        return fail(p, end - 1, "VM without a name; expected [vm NAME]");
    if (inner.length > 2 && !memcmp(inner.text, "vm", 2) &&
        (inner.text[2] == ' ' || inner.text[2] == '\t'))
        return begin_vm(p, config_trim(inner.text + 2, inner.text + inner.length));
    return fail(p, line.text, "unknown section [%s]; expected " SECTIONS, quote(inner).text);
}

/* ---- Lines -------------------------------------------------------------------------------- */

static bool parse_line(struct parser *p)
{
    if (!check_characters(p))
        return false;

    struct config_span line = config_trim(p->line, p->line_end);
    if (!line.length || line.text[0] == '#' || line.text[0] == ';')
        return true;
    if (line.text[0] == '[')
        return parse_section(p, line);

    const char *end = line.text + line.length;
    const char *equals = config_find('=', line.text, end);
    if (equals == end)
        return fail(p, line.text,
                    "no '=' in '%s'; expected KEY = VALUE, a [section] or a # comment",
                    quote(line).text);
    if (!p->in_section)
        return fail(p, line.text, "key before the first section; expected " SECTIONS);

    struct config_span name = config_trim(line.text, equals);
    return is_overridden(p, name) || set_key(p, name, config_trim(equals + 1, end));
}

/* Finds the line that starts at p->line, and returns where the next one does. */
static const char *find_line_end(struct parser *p)
{
    const char *c = config_find('\n', p->line, p->end);

    p->line_end = c > p->line && c[-1] == '\r' ? c - 1 : c;
    return c < p->end ? c + 1 : p->end;
}

/* What can only be judged when all sections are complete: a port has one use. */
static bool check_ports(struct parser *p)
{
    uint32_t traced = p->config->trace;

    for (uint32_t i = 0; i < p->config->vm_count; i++)
        traced |= p->config->vms[i].trace;
    return !traced || p->gdb_place.line == 0 ||
           fail_line(p, p->gdb_place,
                     "GDB wants the second serial port, and so do traces; expected gdb = off or "
                     "trace = off");
}

static bool parse(struct parser *p, const char *text, size_t len)
{
    static const char byte_order_mark[3] = {'\xef', '\xbb', '\xbf'};

    clear(p->config);
    p->line = text;
    p->end = text + len;
    if (len >= sizeof(byte_order_mark) && !memcmp(text, byte_order_mark, sizeof(byte_order_mark)))
        p->line += sizeof(byte_order_mark);
    if (!for_each_option(p, check_form))
        return false;
    while (p->line < p->end) {
        const char *next = find_line_end(p);
        p->here.line++;
        if (!parse_line(p))
            return false;
        p->line = next;
    }
    /* For the load options: the section may be missing. */
    if ((!p->lapwing_line && !begin_section(p, CONFIG_SECTION_LAPWING)) || !end_section(p))
        return false;
    p->here.line = p->here.line ? p->here.line : 1;
    if (!p->config->vm_count)
        return fail_line(p, p->here, "no VM in the file; expected at least one section [vm NAME]");
    return check_ports(p) && for_each_option(p, check_section);
}

bool config_parse(const char *file, const char *text, size_t len, const char *options,
                  struct config *out, struct config_error *err)
{
    struct parser p = {.here = {file, 0}, .options = options, .config = out, .error = err};

    return parse(&p, text, len);
}

bool config_defaults(const char *options, struct config *out, struct config_error *err)
{
#define DEFAULT_INITRD "\\EFI\\lapwing\\initrd"
    static const char text[] = "[vm guest]\n"
                               "kernel = \\EFI\\lapwing\\kernel\n"
                               "initrd = " DEFAULT_INITRD "\n"
                               "cmdline = console=ttyS0\n";

    if (!config_parse(CONFIG_FILE, text, sizeof(text) - 1, options, out, err))
        return false;
    out->vms[0].initrd_optional = !strcmp(config_text(out, out->vms[0].initrd), DEFAULT_INITRD);
    return true;
}
