/* SPDX-License-Identifier: BSD-2-Clause */
/* Values of the configuration file: from text to what struct config holds, and what is accepted. */
#include "core/config/value.h"

#include "core/format.h"
#include "core/string.h"

#define APIC_ID_BROADCAST 0xffffffffu /* no APIC can have it */

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit size_units[] = {
    {"G", 1ULL << 30}, {"M", 1ULL << 20}, {"K", 1ULL << 10}, {"", 1}, {NULL, 0},
};

static const struct unit duration_units[] = {
    {"min", 60000000000ULL},
    {"s", 1000000000ULL},
    {"ms", 1000000ULL},
    {NULL, 0},
};

static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

bool config_span_is(struct config_span span, const char *text)
{
    return span.length == strlen(text) && !memcmp(span.text, text, span.length);
}

/* A decimal or, after 0x, a hexadecimal number of up to 32 bits. */
static bool parse_integer(struct config_span value, uint64_t *out)
{
    bool hex = value.length > 2 && !memcmp(value.text, "0x", 2);
    size_t i = hex ? 2 : 0;

    if (value.length == 0)
        return false;
    for (*out = 0; i < value.length; i++) {
        char c = value.text[i];
        unsigned digit;

        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if (hex && (c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (unsigned)((c | 0x20) - 'a') + 10;
        else
            return false;
        *out = *out * (hex ? 16 : 10) + digit;
        if (*out > UINT32_MAX)
            return false;
    }
    return true;
}

/* A decimal number and one of the units. */
static bool parse_number(struct config_span value, const struct unit *units, uint64_t *out)
{
    uint64_t number = 0;
    size_t digits = 0;

    for (; digits < value.length; digits++) {
        unsigned digit = (unsigned)value.text[digits] - '0';
        if (digit > 9)
            break;
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, digit, &number))
            return false;
    }
    if (!digits)
        return false;

    struct config_span rest = {value.text + digits, value.length - digits};
    for (; units->name; units++)
        if (config_span_is(rest, units->name))
            return !__builtin_mul_overflow(number, units->factor, out);
    return false;
}

static enum config_verdict parse_ranged(const struct config_key *key, struct config_span value,
                                        const struct unit *units, uint64_t *out)
{
    if (!parse_number(value, units, out) || *out < key->min || *out > key->max)
        return CONFIG_VALUE_BAD;
    if (key->grain && *out % key->grain)
        return CONFIG_VALUE_BAD;
    return CONFIG_VALUE_GOOD;
}

static enum config_verdict parse_word(const struct config_key *key, struct config_span value,
                                      uint32_t *out)
{
    for (uint32_t i = 0; key->words[i]; i++) {
        if (config_span_is(value, key->words[i])) {
            *out = i;
            return CONFIG_VALUE_GOOD;
        }
    }
    return CONFIG_VALUE_BAD;
}

/* Some of the words with commas between them, or one of "all" and "off". */
static enum config_verdict parse_set(const struct config_key *key, struct config_span *value,
                                     uint32_t *out)
{
    const char *end = value->text + value->length;
    uint32_t words = 0, bit;

    while (key->words[words])
        words++;
    *out = config_span_is(*value, "all") ? (1u << words) - 1 : 0;
    if (*out != 0 || config_span_is(*value, "off"))
        return CONFIG_VALUE_GOOD;
    for (const char *from = value->text;; from++) {
        const char *comma = config_find(',', from, end);
        struct config_span item = config_trim(from, comma);

        if (parse_word(key, item, &bit) != CONFIG_VALUE_GOOD) {
            *value = item;
            return CONFIG_VALUE_BAD;
        }
        *out |= 1u << bit;
        if (comma == end)
            return CONFIG_VALUE_GOOD;
        from = comma;
    }
}

static enum config_verdict add_string(struct config *config, struct config_span value,
                                      size_t max_length, config_string *out)
{
    if (value.length > max_length)
        return CONFIG_VALUE_TOO_LONG;
    if (value.length >= CONFIG_STRINGS_MAX - config->strings_used)
        return CONFIG_VALUE_NO_STRING_ROOM;

    char *to = config->strings + config->strings_used;
    memcpy(to, value.text, value.length);
    to[value.length] = '\0';
    *out = config->strings_used;
    config->strings_used += (uint32_t)value.length + 1;
    return CONFIG_VALUE_GOOD;
}

/* Backslashes, and one in front: that is how the firmware wants to have it. */
static enum config_verdict parse_path(struct config *config, struct config_span value,
                                      config_string *out)
{
    char path[CONFIG_PATH_MAX];
    size_t length = 0;

    if (!value.length)
        return CONFIG_VALUE_BAD;
    if (value.text[0] != '/' && value.text[0] != '\\')
        path[length++] = '\\';
    if (value.length > sizeof(path) - 1 - length)
        return CONFIG_VALUE_TOO_LONG;
    for (size_t i = 0; i < value.length; i++)
        path[length++] = (char)(value.text[i] == '/' ? '\\' : value.text[i]);
    if (path[length - 1] == '\\')
        return CONFIG_VALUE_BAD;
    return add_string(config, (struct config_span){path, length}, sizeof(path) - 1, out);
}

static enum config_verdict parse_file(struct config *config, const struct config_key *key,
                                      struct config_span value, struct config_file_list *list)
{
    struct config_file file = {0};
    size_t path_length = 0;

    if (list->count == CONFIG_FILES_MAX)
        return CONFIG_VALUE_TOO_MANY;
    while (path_length < value.length && !config_is_blank(value.text[path_length]))
        path_length++;

    size_t args = path_length;
    while (args < value.length && config_is_blank(value.text[args]))
        args++;

    struct config_span path = {value.text, path_length};
    struct config_span rest = {value.text + args, value.length - args};
    if (rest.length < key->min)
        return CONFIG_VALUE_BAD;
    enum config_verdict verdict = parse_path(config, path, &file.path);
    if (verdict == CONFIG_VALUE_GOOD && rest.length)
        verdict = add_string(config, rest, key->max_length, &file.args);
    if (verdict == CONFIG_VALUE_GOOD)
        list->files[list->count++] = file;
    return verdict;
}

static bool is_listed(const struct config *config, const struct config_vm *vm, uint32_t id)
{
    for (uint32_t i = vm->first_apic_id; i < config->apic_ids_used; i++)
        if (config->apic_ids[i] == id)
            return true;
    return false;
}

static enum config_verdict add_ids(struct config *config, const struct config_vm *vm,
                                   uint64_t first, uint64_t last)
{
    if (last - first >= CONFIG_VCPUS_MAX)
        return CONFIG_VALUE_TOO_MANY;
    for (; first <= last; first++) {
        if (is_listed(config, vm, (uint32_t)first))
            return CONFIG_VALUE_TWICE;
        if (config->apic_ids_used == CONFIG_VCPUS_ALL_MAX ||
            config->apic_ids_used - vm->first_apic_id == CONFIG_VCPUS_MAX)
            return CONFIG_VALUE_TOO_MANY;
        config->apic_ids[config->apic_ids_used++] = (uint32_t)first;
    }
    return CONFIG_VALUE_GOOD;
}

/* One ID or a range. */
static enum config_verdict parse_id_range(struct config *config, const struct config_vm *vm,
                                          struct config_span item)
{
    const char *end = item.text + item.length;
    const char *dash = config_find('-', item.text, end);
    uint64_t first, last;

    if (!parse_integer(config_trim(item.text, dash), &first))
        return CONFIG_VALUE_BAD;
    last = first;
    if (dash < end && !parse_integer(config_trim(dash + 1, end), &last))
        return CONFIG_VALUE_BAD;
    if (last < first || last >= APIC_ID_BROADCAST)
        return CONFIG_VALUE_BAD;
    return add_ids(config, vm, first, last);
}

static enum config_verdict parse_ids(struct config *config, const struct config_vm *vm,
                                     struct config_span *value)
{
    const char *end = value->text + value->length;

    for (const char *from = value->text;; from++) {
        const char *comma = config_find(',', from, end);
        struct config_span item = config_trim(from, comma);
        enum config_verdict verdict = parse_id_range(config, vm, item);

        if (verdict != CONFIG_VALUE_GOOD) {
            *value = item;
            return verdict;
        }
        if (comma == end)
            return CONFIG_VALUE_GOOD;
        from = comma;
    }
}

static enum config_verdict parse_count(const struct config_key *key, struct config_span value,
                                       uint32_t *out)
{
    uint64_t count;
    enum config_verdict verdict = parse_ranged(key, value, no_units, &count);

    if (verdict == CONFIG_VALUE_GOOD)
        *out = (uint32_t)count;
    return verdict;
}

static enum config_verdict parse_address(const struct config_key *key, struct config_span value,
                                         uint32_t *out)
{
    uint64_t address;

    if (!parse_integer(value, &address) || address < key->min || address > key->max)
        return CONFIG_VALUE_BAD;
    *out = (uint32_t)address;
    return CONFIG_VALUE_GOOD;
}

enum config_verdict config_set(struct config *config, struct config_vm *vm,
                               const struct config_key *key, struct config_span *span)
{
    struct config_span value = *span;
    char *base = key->section == CONFIG_SECTION_VM ? (char *)vm : (char *)config;
    void *field = base + key->offset;

    switch (key->kind) {
    case CONFIG_KIND_WORD:
        return parse_word(key, value, field);
    case CONFIG_KIND_SET:
        return parse_set(key, span, field);
    case CONFIG_KIND_COUNT:
        return parse_count(key, value, field);
    case CONFIG_KIND_ADDRESS:
        return parse_address(key, value, field);
    case CONFIG_KIND_SIZE:
        return parse_ranged(key, value, size_units, field);
    case CONFIG_KIND_DURATION:
        return parse_ranged(key, value, duration_units, field);
    case CONFIG_KIND_PATH:
        return parse_path(config, value, field);
    case CONFIG_KIND_FILE:
        return parse_file(config, key, value, field);
    case CONFIG_KIND_IDS:
        return parse_ids(config, vm, span);
    case CONFIG_KIND_LINE:
        return add_string(config, value, key->max_length, field);
    }
    return CONFIG_VALUE_BAD;
}

/* "a, b or c" */
static void expected_words(const struct config_key *key, const char *before, const char *last,
                           char *buf, size_t size)
{
    size_t used = format_string(buf, size, "%s", before);

    for (size_t i = 0; key->words[i] && used < size; i++) {
        const char *joint = !i ? "" : key->words[i + 1] ? ", " : last;
        used += format_string(buf + used, size - used, "%s%s", joint, key->words[i]);
    }
}

/* A number in the largest unit that divides it. */
static void with_unit(uint64_t number, const struct unit *units, char *buf, size_t size)
{
    while (units[1].name && number % units->factor)
        units++;
    format_string(buf, size, "%lu%s", number / units->factor, units->name);
}

static void expected_range(const struct config_key *key, const char *what, const struct unit *units,
                           const char *example, char *buf, size_t size)
{
    char min[32], max[32], grain[48] = "";

    with_unit(key->min, units, min, sizeof(min));
    with_unit(key->max, units, max, sizeof(max));
    if (key->grain) {
        char step[32];
        with_unit(key->grain, units, step, sizeof(step));
        format_string(grain, sizeof(grain), " in steps of %s", step);
    }
    format_string(buf, size, "a %s from %s to %s%s%s", what, min, max, grain, example);
}

void config_expected(const struct config_key *key, char *buf, size_t size)
{
    switch (key->kind) {
    case CONFIG_KIND_WORD:
        expected_words(key, "", " or ", buf, size);
        return;
    case CONFIG_KIND_SET:
        expected_words(key, "all, off, or some of ", " and ", buf, size);
        return;
    case CONFIG_KIND_COUNT:
        expected_range(key, "number", no_units, "", buf, size);
        return;
    case CONFIG_KIND_ADDRESS:
        format_string(buf, size, "an address from 0x%lx to 0x%lx, such as 0x100000", key->min,
                      key->max);
        return;
    case CONFIG_KIND_SIZE:
        expected_range(key, "size", size_units, ", such as 512M", buf, size);
        return;
    case CONFIG_KIND_DURATION:
        expected_range(key, "time", duration_units, ", such as 500ms or 10s", buf, size);
        return;
    case CONFIG_KIND_PATH:
        format_string(buf, size, "the path of a file, at most %d bytes", CONFIG_PATH_MAX - 2);
        return;
    case CONFIG_KIND_FILE:
        format_string(buf, size,
                      "the path of a file, at most %d bytes, and %sa string, at most %zu bytes; "
                      "at most %d in a VM",
                      CONFIG_PATH_MAX - 2, key->min ? "" : "optionally ", key->max_length,
                      CONFIG_FILES_MAX);
        return;
    case CONFIG_KIND_IDS:
        format_string(buf, size,
                      "different numbers from 0 to 0x%x and ranges of them, such as 0-3, 0x23, "
                      "0x123; at most %d",
                      APIC_ID_BROADCAST - 1, CONFIG_VCPUS_MAX);
        return;
    case CONFIG_KIND_LINE:
        format_string(buf, size, "text, at most %zu bytes", key->max_length);
        return;
    }
}
