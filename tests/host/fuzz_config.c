/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzz target: a configuration file and load options. What is accepted is whole, and what is
 * refused has a message with a place and with what was expected.
 * The input's first two bytes say how many of the next are load options; the rest is the file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/load_options.h"
#include "core/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static void check_string(const struct config *config, config_string s)
{
    CHECK(s < config->strings_used);
    CHECK(memchr(config->strings + s, 0, config->strings_used - s));
}

static void check_files(const struct config *config, const struct config_file_list *list)
{
    CHECK(list->count <= CONFIG_FILES_MAX);
    for (uint32_t i = 0; i < list->count; i++) {
        check_string(config, list->files[i].path);
        check_string(config, list->files[i].args);
        CHECK(config_text(config, list->files[i].path)[0] == '\\');
    }
}

static void check_vm(const struct config *config, const struct config_vm *vm)
{
    CHECK(vm->name[0] != 0 && memchr(vm->name, 0, sizeof(vm->name)));
    CHECK(vm->vcpus >= 1 && vm->vcpus <= CONFIG_VCPUS_MAX);
    CHECK(vm->first_apic_id + vm->vcpus <= config->apic_ids_used);
    CHECK(vm->memory != 0 && vm->memory % 4096 == 0);
    CHECK(vm->vtls >= 1 && vm->vtls <= CONFIG_VTLS_MAX && (vm->vtls == 1 || vm->hyperv));
    CHECK(vm->threads >= 1 && vm->topology.per_core >= 1 && vm->topology.per_package >= 1);
    check_string(config, vm->kernel);
    check_string(config, vm->initrd);
    check_string(config, vm->cmdline);
    CHECK(config_text(config, vm->kernel)[0] == '\\');
    check_files(config, &vm->modules);
    check_files(config, &vm->fw_cfg_files);
}

static void check_config(const struct config *config)
{
    CHECK(config->vm_count >= 1 && config->vm_count <= CONFIG_VMS_MAX);
    CHECK(config->apic_ids_used <= CONFIG_VCPUS_ALL_MAX);
    CHECK(config->strings_used <= CONFIG_STRINGS_MAX);
    CHECK(config->vms[0].start == CONFIG_START_AFTER);
    for (uint32_t i = 0; i < config->vm_count; i++) {
        check_vm(config, &config->vms[i]);
        for (uint32_t j = 0; j < i; j++)
            CHECK(strcmp(config->vms[i].name, config->vms[j].name) != 0);
    }
}

static void check_error(const struct config_error *error)
{
    char file[64], options[64];

    CHECK(error->line >= 1 && error->column >= 1);
    CHECK(memchr(error->text, 0, sizeof(error->text)) && !strchr(error->text, '\n'));
    snprintf(file, sizeof(file), "file:%u:%u: ", error->line, error->column);
    snprintf(options, sizeof(options), "load options:%u:%u: ", error->line, error->column);
    CHECK(!strncmp(error->text, file, strlen(file)) ||
          !strncmp(error->text, options, strlen(options)));
    CHECK(strstr(error->text, "; expected "));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config config;
    struct config_error error = {0};
    char options[96] = ""; /* short: too much is tried, too */

    if (size < 2)
        return 0;
    size_t length = data[0] | data[1] << 8;
    data += 2;
    size -= 2;
    length = length < size ? length : size;
    load_options_convert(data, length, options, sizeof(options));
    if (config_parse("file", (const char *)data + length, size - length, options, &config, &error))
        check_config(&config);
    else
        check_error(&error);
    return 0;
}
