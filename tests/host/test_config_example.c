/* SPDX-License-Identifier: BSD-2-Clause */
/* docs/lapwing.conf is a good configuration, with and without the keys it has as comments, and
 * leaves no key out.
 * links: core/config/config.c core/config/keys.c core/config/value.c core/config/vcpus.c
 * links: core/format.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/config/config.h"

static struct config config;
static char text[64 * 1024];
static size_t length;

static int read_example(void **state)
{
    FILE *file = fopen("docs/lapwing.conf", "r");

    (void)state;
    if (!file)
        return 1;
    length = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[length] = '\0';
    return length == 0 || length == sizeof(text) - 1;
}

/* Whether the line, which may begin with '#', sets this key. */
static bool sets(const char *line, const struct config_key *key)
{
    size_t name = strlen(key->name);

    line += *line == '#';
    return !strncmp(line, key->name, name) && !strncmp(line + name, " = ", 3);
}

static void parses(void)
{
    struct config_error error;

    if (!config_parse("docs/lapwing.conf", text, length, "", &config, &error))
        fail_msg("%s", error.text);
}

static void as_it_stands(void **state)
{
    (void)state;
    parses();
    assert_int_equal(config.vm_count, 4);
    assert_int_equal(config.vms[0].vcpus, 4);
}

static void with_all_keys(void **state)
{
    bool seen[CONFIG_KEYS_MAX] = {false};

    (void)state;
    for (char *line = text; line; line = strchr(line, '\n')) {
        bool key = false;

        line += *line == '\n';
        for (size_t i = 0; i < config_key_count; i++) {
            if (!sets(line, &config_keys[i]))
                continue;
            seen[i] = key = true;
        }
        if (key && *line == '#')
            *line = ' ';
    }
    for (size_t i = 0; i < config_key_count; i++)
        if (!seen[i])
            fail_msg("docs/lapwing.conf does not mention '%s'", config_keys[i].name);
    parses();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(as_it_stands, read_example),
        cmocka_unit_test_setup(with_all_keys, read_example),
    };
    return cmocka_run_group_tests_name("example configuration", tests, NULL, NULL);
}
