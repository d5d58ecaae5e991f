/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration file: values, defaults, every message.
 * links: core/config/config.c core/config/keys.c core/config/value.c core/config/vcpus.c
 * links: core/format.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/config/config.h"

static struct config config;

/* Parses a copy on the heap without a final NUL, so that the sanitizer sees a read past its end. */
static bool parse_with(const char *text, size_t len, const char *options,
                       struct config_error *error)
{
    char *copy = malloc(len ? len : 1);

    memcpy(copy, text, len);
    memset(error, 0, sizeof(*error));
    bool good = config_parse("lapwing.conf", copy, len, options, &config, error);
    free(copy);
    return good;
}

static bool parse_bytes(const char *text, size_t len, struct config_error *error)
{
    return parse_with(text, len, "", error);
}

static void accepts(const char *text)
{
    struct config_error error;

    if (!parse_bytes(text, strlen(text), &error))
        fail_msg("%s", error.text);
}

static void refuses_bytes(const char *text, size_t len, const char *message)
{
    struct config_error error;
    char position[64];

    assert_false(parse_bytes(text, len, &error));
    assert_string_equal(error.text, message);
    snprintf(position, sizeof(position), "lapwing.conf:%u:%u: ", error.line, error.column);
    assert_memory_equal(error.text, position, strlen(position));
}

static void refuses(const char *text, const char *message)
{
    refuses_bytes(text, strlen(text), message);
}

/* A file with a good VM whose section goes on with `line`, which is line 3. */
static void refuses_in_vm(const char *line, const char *message)
{
    char text[4096], whole[CONFIG_ERROR_MAX + 16];

    snprintf(text, sizeof(text), "[vm a]\nkernel = k\n%s\n", line);
    snprintf(whole, sizeof(whole), "lapwing.conf:3:%s", message);
    refuses(text, whole);
}

static const char *text_of(config_string s)
{
    return config_text(&config, s);
}

static void no_file(void **state)
{
    (void)state;
    memset(&config, 0xff, sizeof(config));
    struct config_error error;
    assert_true(config_defaults("", &config, &error));
    assert_int_equal(config.log, CONFIG_LOG_INFO);
    assert_int_equal(config.emulator_exit, CONFIG_EXIT_NONE);
    assert_int_equal(config.vm_count, 1);
    const struct config_vm *vm = &config.vms[0];
    assert_string_equal(vm->name, "guest");
    assert_int_equal(vm->memory, 256 << 20);
    assert_int_equal(vm->vcpus, 1);
    assert_int_equal(config.apic_ids[vm->first_apic_id], 0);
    assert_int_equal(vm->x2apic, 1);
    assert_int_equal(vm->id_match, CONFIG_MATCH_ARCHITECTURAL);
    assert_int_equal(vm->on_exit, CONFIG_THEN_NEXT);
    assert_int_equal(vm->time_limit_ns, 0);
    assert_int_equal(vm->console, 1);
    assert_string_equal(text_of(vm->kernel), "\\EFI\\lapwing\\kernel");
    assert_string_equal(text_of(vm->initrd), "\\EFI\\lapwing\\initrd");
    assert_true(vm->initrd_optional);
    assert_string_equal(text_of(vm->cmdline), "console=ttyS0");
    assert_int_equal(vm->modules.count, 0);
}

static void least_file(void **state)
{
    (void)state;
    memset(&config, 0xff, sizeof(config));
    accepts("[vm x]\nkernel=k");
    assert_int_equal(config.vm_count, 1);
    assert_string_equal(config.vms[0].name, "x");
    assert_int_equal(config.vms[0].memory, 256 << 20);
    assert_int_equal(config.vms[0].console, 1);
    assert_string_equal(text_of(config.vms[0].kernel), "\\k");
    assert_string_equal(text_of(config.vms[0].initrd), "");
    assert_string_equal(text_of(config.vms[0].cmdline), "");
    assert_false(config.vms[0].initrd_optional);
}

/* All keys, byte-order mark, CRLF, blanks everywhere, both comment signs, no final line end. */
static void whole_file(void **state)
{
    (void)state;
    accepts("\xef\xbb\xbf# comment\r\n"
            "  [ lapwing ]  \r\n"
            "\tlog=debug\r\n"
            "emulator_exit = bochs\r\n"
            "\r\n"
            "; comment\r\n"
            "[vm  one]\r\n"
            "memory = 2G\r\n"
            "vcpus = 300\r\n"
            "x2apic = off\r\n"
            "id_match = kvm-32bit\r\n"
            "kernel = /EFI/debian/vmlinuz\r\n"
            "initrd = EFI\\debian/initrd\r\n"
            "cmdline =   console=ttyS0  quiet # = ;   \r\n"
            "time_limit = 2min\r\n"
            "on_exit = halt\r\n"
            "console = no\r\n"
            "[vm two.2_b-C]\r\n"
            "kernel = a\r\n"
            "module = /m/one\r\n"
            "module = m/two  with  a string\r\n"
            "time_limit = 1500ms\r\n"
            "cmdline =\r\n"
            "memory = 65536K");
    assert_int_equal(config.log, CONFIG_LOG_DEBUG);
    assert_int_equal(config.emulator_exit, CONFIG_EXIT_BOCHS);
    assert_int_equal(config.vm_count, 2);

    const struct config_vm *vm = &config.vms[0];
    assert_string_equal(vm->name, "one");
    assert_int_equal(vm->memory, 2ULL << 30);
    assert_int_equal(vm->vcpus, 300);
    assert_int_equal(vm->x2apic, 0);
    assert_int_equal(vm->id_match, CONFIG_MATCH_KVM_32BIT);
    assert_string_equal(text_of(vm->kernel), "\\EFI\\debian\\vmlinuz");
    assert_string_equal(text_of(vm->initrd), "\\EFI\\debian\\initrd");
    assert_string_equal(text_of(vm->cmdline), "console=ttyS0  quiet # = ;");
    assert_int_equal(vm->time_limit_ns, 120000000000);
    assert_int_equal(vm->on_exit, CONFIG_THEN_HALT);
    assert_int_equal(vm->console, 0);
    assert_int_equal(vm->modules.count, 0);

    vm = &config.vms[1];
    assert_string_equal(vm->name, "two.2_b-C");
    assert_int_equal(vm->modules.count, 2);
    assert_string_equal(text_of(vm->modules.files[0].path), "\\m\\one");
    assert_string_equal(text_of(vm->modules.files[0].args), "");
    assert_string_equal(text_of(vm->modules.files[1].path), "\\m\\two");
    assert_string_equal(text_of(vm->modules.files[1].args), "with  a string");
    assert_int_equal(vm->time_limit_ns, 1500000000);
    assert_string_equal(text_of(vm->cmdline), "");
    assert_int_equal(vm->memory, 64 << 20);
}

static void bad_lines(void **state)
{
    (void)state;
    refuses("", "lapwing.conf:1:1: no VM in the file; expected at least one section [vm NAME]");
    refuses("[lapwing]\nlog = warn\n",
            "lapwing.conf:2:1: no VM in the file; expected at least one section [vm NAME]");
    refuses("\nkernel = k\n",
            "lapwing.conf:2:1: key before the first section; expected [lapwing] or [vm NAME]");
    refuses("[vm a]\n  kernel k\n", "lapwing.conf:2:3: no '=' in 'kernel k'; expected KEY = VALUE, "
                                    "a [section] or a # comment");
}

static void bad_characters(void **state)
{
    static const struct {
        const char *bytes;
        uint8_t wrong;
    } not_utf8[] = {
        {"\x80", 0x80},         {"\xc1\x80", 0xc1},     {"\xc3", 0xc3},
        {"\xe0\x9f\x80", 0xe0}, {"\xed\xa0\x80", 0xed}, {"\xf0\x8f\x80\x80", 0xf0},
        {"\xe2\x82z", 0xe2},    {"\xf5\x80\x80", 0xf5}, {"\xf4\x90\x80\x80", 0xf4},
    };

    (void)state;
    refuses_bytes("[vm a]\nker\0nel", 14,
                  "lapwing.conf:2:4: control character 0x00; expected text");
    refuses("[vm a]\n# a\rb\n", "lapwing.conf:2:4: control character 0x0d; expected text");
    refuses("# \x7f", "lapwing.conf:1:3: control character 0x7f; expected text");
    for (size_t i = 0; i < sizeof(not_utf8) / sizeof(not_utf8[0]); i++) {
        char text[32], message[128];
        snprintf(text, sizeof(text), "\n# \xc3\xa9%s", not_utf8[i].bytes);
        snprintf(message, sizeof(message),
                 "lapwing.conf:2:4: byte 0x%02x does not belong to UTF-8 text; expected UTF-8",
                 not_utf8[i].wrong);
        refuses(text, message);
    }
    accepts("# \xc2\x80 \xed\x9f\xbf \xe0\xa0\x80 \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf\n[vm a]\n"
            "kernel = \xe2\x82\xac\n");
    assert_string_equal(text_of(config.vms[0].kernel), "\\\xe2\x82\xac");
}

/* Columns count characters, not bytes. */
static void column_of_character(void **state)
{
    (void)state;
    refuses("[vm \xe2\x82\xac\xe2\x82\xac] x",
            "lapwing.conf:1:10: section header without ']' at its end; expected [lapwing] or "
            "[vm NAME]");
}

static void bad_sections(void **state)
{
    (void)state;
    refuses("[vm a", "lapwing.conf:1:6: section header without ']' at its end; expected [lapwing] "
                     "or [vm NAME]");
    refuses("[", "lapwing.conf:1:2: section header without ']' at its end; expected [lapwing] or "
                 "[vm NAME]");
    refuses("[]", "lapwing.conf:1:1: unknown section []; expected [lapwing] or [vm NAME]");
    refuses("[vmx]", "lapwing.conf:1:1: unknown section [vmx]; expected [lapwing] or [vm NAME]");
    refuses("[vm ]", "lapwing.conf:1:5: VM without a name; expected [vm NAME]");
    refuses("[vm a b]", "lapwing.conf:1:5: bad VM name 'a b'; expected 1 to 31 letters, digits, "
                        "'-', '_' or '.'");
    refuses("[vm 12345678901234567890123456789012]",
            "lapwing.conf:1:5: bad VM name '12345678901234567890123456789012'; expected 1 to 31 "
            "letters, digits, '-', '_' or '.'");
    refuses("[lapwing]\n[lapwing]",
            "lapwing.conf:2:1: section [lapwing] appears twice, first in line 1; expected one");
    refuses("[vm a]\nkernel=k\n[vm b]\nkernel=k\n[vm a]",
            "lapwing.conf:5:5: VM name 'a' appears twice, first in line 1; expected another name");
    refuses("\n[vm a]\nmemory=1G\n[vm b]\nkernel=k",
            "lapwing.conf:2:1: [vm a] has no 'kernel'; expected kernel = the path of a file, at "
            "most 254 bytes");
    refuses("[vm a]\n", "lapwing.conf:1:1: [vm a] has no 'kernel'; expected kernel = the path of a "
                        "file, at most 254 bytes");
}

/* As one that no key of [vm NAME] has; the message names them in the order of the table. */
static void refuses_key_in_vm(const char *line, const char *key)
{
    char message[CONFIG_ERROR_MAX];
    int n =
        snprintf(message, sizeof(message), "1: unknown key '%s' in [vm a]; expected one of", key);
    const char *separator = " ";

    for (size_t i = 0; i < config_key_count; i++) {
        if (config_keys[i].section != CONFIG_SECTION_VM)
            continue;
        n += snprintf(message + n, sizeof(message) - (size_t)n, "%s%s", separator,
                      config_keys[i].name);
        separator = ", ";
    }
    assert_true(n < (int)sizeof(message));
    refuses_in_vm(line, message);
}

#define BAD_ADDRESS(value)                                                                         \
    refuses_in_vm("load_address = " value,                                                         \
                  "16: bad value '" value "' for 'load_address'; expected an address from 0x1000 " \
                  "to 0xbfffffff, such as 0x100000")

static void bad_keys(void **state)
{
    (void)state;
    refuses_key_in_vm("memroy = 1G", "memroy");
    refuses_key_in_vm("log = info", "log");
    refuses_key_in_vm("= x", "");
    refuses_in_vm("vtls = 2", "1: [vm a] has 2 VTLs; expected hyperv = on");
    accepts("[vm a]\nkernel = k\nvtls = 2\nhyperv = on");
    accepts("[vm a]\nkernel = k\nvtls = 1");
    accepts("[vm a]\nkernel = k\nload_address = 0x7c00");
    assert_int_equal(config.vms[0].load_address, 0x7c00);
    accepts("[vm a]\nkernel = k\nload_address = 1048576");
    assert_int_equal(config.vms[0].load_address, 0x100000);
    BAD_ADDRESS("0xfff");
    BAD_ADDRESS("0xc0000000");
    BAD_ADDRESS("0x100001000");
    BAD_ADDRESS("1M");
    refuses_in_vm("fw_cfg_file = f opt/f", "1: [vm a] has files for fw_cfg; expected fw_cfg = on");
    accepts("[vm a]\nkernel = k\nfw_cfg_file = f opt/f\nfw_cfg = on\nfw_cfg_file = g opt/g");
    assert_int_equal(config.vms[0].fw_cfg_files.count, 2);
    assert_string_equal(text_of(config.vms[0].fw_cfg_files.files[1].args), "opt/g");
    refuses_in_vm("fw_cfg_file = f",
                  "15: bad value 'f' for 'fw_cfg_file'; expected the path of a file, at most 254 "
                  "bytes, and a string, at most 55 bytes; at most 16 in a VM");
    refuses_in_vm("vtls = 4", "8: bad value '4' for 'vtls'; expected a number from 1 to 3");
    refuses("[lapwing]\nkernel = k", "lapwing.conf:2:1: unknown key 'kernel' in [lapwing]; "
                                     "expected one of log, emulator_exit, trace, mitigations");
    refuses_in_vm("  kernel = again",
                  "3: 'kernel' is set twice in [vm a], first in line 2; expected it once");
    refuses("[lapwing]\nlog=info\nlog=info",
            "lapwing.conf:3:1: 'log' is set twice in [lapwing], first in line 2; expected it once");
    refuses("[lapwing]\nthis_is_a_rather_long_key_name_\xe2\x82\xac_\xe2\x82\xac\xe2\x82\xac_z=1",
            "lapwing.conf:2:1: unknown key 'this_is_a_rather_long_key_name_\xe2\x82\xac_\xe2\x82"
            "\xac...' in [lapwing]; expected one of log, emulator_exit, trace, mitigations");
}

static void sets(void **state)
{
    (void)state;
    accepts("[vm a]\nkernel = k");
    assert_int_equal(config.trace | config.vms[0].trace, 0);
    accepts("[lapwing]\ntrace = off\n[vm a]\nkernel = k\ntrace = all\n[vm b]\nkernel = k\n"
            "trace = vtl ,exits,vtl");
    assert_int_equal(config.trace, 0);
    assert_int_equal(config.vms[0].trace, (1 << CONFIG_TRACE_CLASSES) - 1);
    assert_int_equal(config.vms[1].trace, 1 << CONFIG_TRACE_VTL | 1 << CONFIG_TRACE_EXITS);
#define BAD_SET(value, column, part)                                                               \
    refuses_in_vm("trace = " value,                                                                \
                  column ": bad value '" part "' for 'trace'; expected all, off, or some of "      \
                         "exits, apic, messages, interrupts, timers and vtl")
    BAD_SET("", "8", "");
    BAD_SET("exit", "9", "exit");
    BAD_SET("exits, all", "16", "all");
    BAD_SET("exits, , vtl", "16", "");
    BAD_SET("exits,", "15", "");
}

/* Load options on a file with two VMs, or with one. */
static const char two[] = "[lapwing]\nlog = warn\n[vm a]\nkernel = k\nmemory = 63K\n"
                          "apic_ids = 1-3\n[vm b.c]\nkernel = l\nmodule = m\n";
static const char one[] = "[vm a]\nkernel = k\nvcpus = 2\n";

static void options_accepted(const char *text, const char *options)
{
    struct config_error error;

    if (!parse_with(text, strlen(text), options, &error))
        fail_msg("%s", error.text);
}

static void options_refused(const char *text, const char *options, const char *message)
{
    struct config_error error;

    assert_false(parse_with(text, strlen(text), options, &error));
    assert_string_equal(error.text, message);
}

static void load_options(void **state)
{
    (void)state;
    options_accepted(two, "log=debug\na.memory=8M\na.apic_ids=7,9\nb.c.module=x one\n"
                          "b.c.module=y\nlapwing.emulator_exit=qemu\nb.c.cmdline=a=b c\n");
    assert_int_equal(config.log, CONFIG_LOG_DEBUG);
    assert_int_equal(config.emulator_exit, CONFIG_EXIT_QEMU);
    assert_int_equal(config.vms[0].memory,
                     8 << 20); /* the file's, which is bad, is not looked at */
    assert_int_equal(config.vms[0].vcpus, 2);
    assert_int_equal(config.apic_ids[config.vms[0].first_apic_id], 7);
    assert_int_equal(config.vms[1].memory, 256 << 20);
    assert_int_equal(config.vms[1].modules.count, 2);
    assert_string_equal(text_of(config.vms[1].modules.files[0].path), "\\x");
    assert_string_equal(text_of(config.vms[1].modules.files[0].args), "one");
    assert_string_equal(text_of(config.vms[1].cmdline), "a=b c");
    options_accepted(one, "vcpus=4\nlog=error");
    assert_int_equal(config.vms[0].vcpus, 4);
    assert_int_equal(config.log, CONFIG_LOG_ERROR); /* there is no [lapwing] */
    options_accepted("[vm a]\n", "kernel=k");       /* what is required may stand there */
    assert_string_equal(text_of(config.vms[0].kernel), "\\k");
    options_accepted("[vm a]\nkernel=k\n[vm b]\nkernel=k\n", "");
}

static void load_options_without_file(void **state)
{
    struct config_error error;

    (void)state;
    assert_true(config_defaults("memory=64M\nguest.initrd=x\n", &config, &error));
    assert_int_equal(config.vms[0].memory, 64 << 20);
    assert_int_equal(config.vms[0].initrd_optional, 0);
    assert_string_equal(text_of(config.vms[0].cmdline), "console=ttyS0");
    assert_false(config_defaults("other.memory=64M", &config, &error));
    assert_string_equal(error.text, "load options:1:1: there is no [vm other]; expected lapwing or "
                                    "the name of a VM, such as guest");
}

static void bad_load_options(void **state)
{
    (void)state;
    options_refused(one, "log=info\nmemroy",
                    "load options:2:1: no '=' in 'memroy'; expected KEY=VALUE or NAME.KEY=VALUE");
    options_refused(one, "log=info\na.memory=63K",
                    "load options:2:10: bad value '63K' for 'memory'; expected a size from 4M to "
                    "256G in steps of 2M, such as 512M");
    options_refused(one, "lapwing.memory=64M",
                    "load options:1:9: unknown key 'memory' in [lapwing]; expected one of log, "
                    "emulator_exit, trace, mitigations");
    options_refused(one, "vcpus=1\na.vcpus=2",
                    "load options:2:3: 'vcpus' is set twice in [vm a], "
                    "first in line 1; expected it once");
    options_refused(one, "z.vcpus=1",
                    "load options:1:1: there is no [vm z]; expected lapwing or the "
                    "name of a VM, such as a");
    options_refused(
        "[vm a]\nkernel=k\n[vm b]\nkernel=k\n", "vcpus=1",
        "load options:1:1: 'vcpus' is a key of [vm NAME], of which there are 2; expected "
        "NAME.vcpus");
    options_refused(one, "log=info\nvtls=2",
                    "load options:2:1: [vm a] has 2 VTLs; expected hyperv = on");
    options_refused("[vm a]\nkernel=k\nvtls=2\nhyperv=on", "hyperv=off",
                    "lapwing.conf:3:1: [vm a] has 2 VTLs; expected hyperv = on");
}

static void groups(void **state)
{
    (void)state;
    accepts("[vm a]\nkernel = k\n[vm b]\nkernel = k\nstart = beside\n[vm c]\nkernel = k\n"
            "start = beside\n[vm d]\nkernel = k\nstart = after\n[vm e]\nkernel = k\n");
    assert_int_equal(config_group_size(&config, 0), 3);
    assert_int_equal(config_group_size(&config, 1), 2);
    assert_int_equal(config_group_size(&config, 3), 1);
    assert_int_equal(config_group_size(&config, 4), 1);
    refuses("[vm a]\nkernel = k\nstart = beside\n",
            "lapwing.conf:3:1: [vm a] starts beside the VM before it, and is the first; expected "
            "after");
    refuses("[lapwing]\n[vm a]\nstart = beside\nkernel = k\n[vm b]\nkernel = k\n",
            "lapwing.conf:3:1: [vm a] starts beside the VM before it, and is the first; expected "
            "after");
    refuses_in_vm("start = before", "9: bad value 'before' for 'start'; expected after or beside");
}

#define BAD_MEMORY(value)                                                                          \
    refuses_in_vm("memory = " value, "10: bad value '" value "' for 'memory'; expected a size "    \
                                     "from 4M to 256G in steps of 2M, such as 512M")
#define BAD_LIMIT(value)                                                                           \
    refuses_in_vm("time_limit=" value, "12: bad value '" value "' for 'time_limit'; expected a "   \
                                       "time from 1ms to 10080min, such as 500ms or 10s")

static void bad_values(void **state)
{
    (void)state;
    refuses_in_vm("memory =",
                  "9: bad value '' for 'memory'; expected a size from 4M to 256G in steps of 2M, "
                  "such as 512M");
    BAD_MEMORY("M");
    BAD_MEMORY("512MB");
    BAD_MEMORY("512 M");
    BAD_MEMORY("-1");
    BAD_MEMORY("0x1000000");
    BAD_MEMORY("2M");
    BAD_MEMORY("257G");
    BAD_MEMORY("5M");
    BAD_MEMORY("18446744073709551616");
    BAD_MEMORY("18446744073709551615G");
    BAD_MEMORY("17179869185G");
    BAD_LIMIT("10");
    BAD_LIMIT("0s");
    BAD_LIMIT("1h");
    BAD_LIMIT("8000000000000000000s");
    BAD_LIMIT("604801s");
    BAD_LIMIT("18446744073709551620s"); /* 4 s, if it wrapped */
    refuses_in_vm("vcpus = 0", "9: bad value '0' for 'vcpus'; expected a number from 1 to 4096");
    refuses_in_vm("vcpus = 4097",
                  "9: bad value '4097' for 'vcpus'; expected a number from 1 to 4096");
    refuses_in_vm("on_exit = stop", "11: bad value 'stop' for 'on_exit'; expected next, "
                                    "halt, reset or poweroff");
    refuses_in_vm("gdb = com1", "7: bad value 'com1' for 'gdb'; expected off, com2 or com2-wait");
    refuses(
        "[vm a]\nkernel = \\k\ngdb = com2\n[vm b]\nkernel = \\k\nstart = beside\n"
        "[vm c]\nstart = beside\ngdb = com2-wait\nkernel = \\k\n",
        "lapwing.conf:9:1: [vm c] wants the second serial port for GDB, as a VM beside it does; "
        "expected gdb = off");
    refuses("[vm a]\nkernel = \\k\ngdb = com2\n[vm b]\nkernel = \\k\n[lapwing]\ntrace = apic\n",
            "lapwing.conf:3:1: GDB wants the second serial port, and so do traces; expected "
            "gdb = off or trace = off");
    refuses("[vm a]\nkernel = \\k\ntrace = all\n[vm b]\nkernel = \\k\ngdb = com2-wait\n",
            "lapwing.conf:6:1: GDB wants the second serial port, and so do traces; expected "
            "gdb = off or trace = off");
    refuses_in_vm("console = Yes", "11: bad value 'Yes' for 'console'; expected no or yes");
    refuses("[lapwing]\nlog = loud",
            "lapwing.conf:2:7: bad value 'loud' for 'log'; expected error, warn, info or debug");
    refuses("[lapwing]\nemulator_exit = vmware",
            "lapwing.conf:2:17: bad value 'vmware' for 'emulator_exit'; expected none, bochs or "
            "qemu");
    refuses_in_vm("initrd = ",
                  "9: bad value '' for 'initrd'; expected the path of a file, at most 254 bytes");
    refuses_in_vm("initrd = a/",
                  "10: bad value 'a/' for 'initrd'; expected the path of a file, at most 254 "
                  "bytes");
    refuses_in_vm("module = / x",
                  "10: bad value '/ x' for 'module'; expected the path of a file, at most 254 "
                  "bytes, and optionally a string, at most 511 bytes; at most 16 in a VM");
}

/* The last VM's IDs and topology after `lines`. */
static void has_vcpus(const char *lines, const uint32_t *ids, uint32_t count,
                      struct config_topology expected)
{
    char text[512];

    snprintf(text, sizeof(text), "[vm first]\nkernel = k\nvcpus = 3\n[vm a]\nkernel = k\n%s",
             lines);
    accepts(text);
    const struct config_vm *vm = &config.vms[1];
    assert_int_equal(vm->vcpus, count);
    assert_memory_equal(config.apic_ids + vm->first_apic_id, ids, count * sizeof(ids[0]));
    assert_memory_equal(&vm->topology, &expected, sizeof(expected));
    assert_int_equal(config.apic_ids[2], 2);
}

#define HAS_VCPUS(lines, per_core, per_package, core_shift, package_shift, ...)                    \
    has_vcpus(lines, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4, \
              (struct config_topology){per_core, per_package, core_shift, package_shift})

static void processors(void **state)
{
    (void)state;
    HAS_VCPUS("", 1, 1, 0, 0, 0);
    HAS_VCPUS("vcpus = 5", 1, 5, 0, 3, 0, 1, 2, 3, 4);
    HAS_VCPUS("cores = 3\nthreads = 2", 2, 6, 1, 3, 0, 1, 2, 3, 4, 5);
    HAS_VCPUS("vcpus = 6\nthreads = 3", 3, 6, 2, 3, 0, 1, 2, 4, 5, 6);
    HAS_VCPUS("vcpus = 6\ncores = 3", 1, 3, 0, 2, 0, 1, 2, 4, 5, 6);
    HAS_VCPUS("apic_ids = 0x23,0x123", 1, 2, 0, 9, 0x23, 0x123);
    HAS_VCPUS("vcpus = 6\napic_ids = 7 ,\t0x10 - 0x13, 4294967294", 1, 6, 0, 31, 7, 0x10, 0x11,
              0x12, 0x13, 0xfffffffe);
    HAS_VCPUS("apic_ids = 2-3,0x100-0x101\nthreads = 2", 2, 4, 1, 9, 2, 3, 0x100, 0x101);
    HAS_VCPUS("apic_ids = 8,5,4,9\ncores = 2", 1, 2, 0, 1, 8, 5, 4, 9);
}

#define SOME_IDS                                                                                   \
    "different numbers from 0 to 0xfffffffe and ranges of them, such as 0-3, 0x23, 0x123; at "     \
    "most 4096"
#define BAD_IDS(value, column, item)                                                               \
    refuses_in_vm("apic_ids = " value,                                                             \
                  #column ": bad value '" item "' for 'apic_ids'; expected " SOME_IDS)

static void bad_processors(void **state)
{
    char text[512];

    (void)state;
    BAD_IDS("", 11, "");
    BAD_IDS("1,", 14, "");
    BAD_IDS("1, ,2", 15, "");
    BAD_IDS("1 2", 12, "1 2");
    BAD_IDS("0x", 12, "0x");
    BAD_IDS("3, 5-4", 15, "5-4");
    BAD_IDS("3-", 12, "3-");
    BAD_IDS("1-2-3", 12, "1-2-3");
    BAD_IDS("0xffffffff", 12, "0xffffffff");
    BAD_IDS("0-4294967296", 12, "0-4294967296");
    BAD_IDS("12g", 12, "12g");
    BAD_IDS("0x1g", 12, "0x1g");
    refuses_in_vm("apic_ids = 1, 0x23, 0x20-0x25",
                  "21: '0x20-0x25' names an ID for the second time in 'apic_ids'; expected "
                  "" SOME_IDS);
    refuses_in_vm("apic_ids = 1-4096, 5000", "20: too many of 'apic_ids'; expected " SOME_IDS);
    refuses_in_vm("apic_ids = 0-0xfffffffe", "12: too many of 'apic_ids'; expected " SOME_IDS);
    refuses("[vm a]\nkernel=k\napic_ids=1,2\nvcpus=3\n",
            "lapwing.conf:3:1: [vm a] lists 2 APIC IDs for 3 processors; expected as many");
    refuses("[vm a]\nkernel=k\nthreads=2\nvcpus=3\n",
            "lapwing.conf:4:1: [vm a] has 3 processors, which do not fill cores of 2; expected a "
            "multiple");
    refuses("[vm a]\nkernel=k\ncores=2\nthreads=2\napic_ids=1-6\n",
            "lapwing.conf:1:1: [vm a] has 6 processors, which do not fill packages of 4; expected "
            "a multiple");
    refuses("[vm a]\nkernel=k\ncores=65\nthreads=64\n",
            "lapwing.conf:3:1: [vm a] has 4160 processors in a package; expected at most 4096");
    refuses("[vm a]\nkernel=k\napic_ids=0-2,4\nthreads=2\n",
            "lapwing.conf:3:1: [vm a] has 1 processors with APIC ID >> 1 = 0x1, which is a core; "
            "expected 2");
    refuses("[vm a]\nkernel=k\napic_ids=0-2,4\ncores=2\n",
            "lapwing.conf:3:1: [vm a] has 1 processors with APIC ID >> 1 = 0x1, which is a "
            "package; expected 2");
    size_t used = 0;
    for (int i = 0; i < 4; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used,
                                 "[vm %d]\nkernel=k\nvcpus=4096\n", i);
    accepts(text);
    snprintf(text + used, sizeof(text) - used, "[vm e]\nkernel=k");
    refuses(text, "lapwing.conf:13:1: [vm e] brings the processors of all VMs above what there is "
                  "room for; expected at most 16384");
    snprintf(text + used, sizeof(text) - used, "[vm e]\nkernel=k\napic_ids=0");
    refuses(text, "lapwing.conf:15:10: too many of 'apic_ids'; expected " SOME_IDS);
}

static void longest_strings(void **state)
{
    char line[2600], path[512];

    (void)state;
    memset(path, 'p', sizeof(path));
    snprintf(line, sizeof(line), "[vm a]\nkernel=%.254s\ninitrd=/%.254s", path, path);
    accepts(line);
    assert_int_equal(strlen(text_of(config.vms[0].kernel)), CONFIG_PATH_MAX - 1);
    assert_int_equal(strlen(text_of(config.vms[0].initrd)), CONFIG_PATH_MAX - 1);
    snprintf(line, sizeof(line), "initrd=%.255s", path);
    refuses_in_vm(line, "8: the value of 'initrd' is too long; expected the path of a file, at "
                        "most 254 bytes");
    snprintf(line, sizeof(line), "module=m %.512s", path);
    refuses_in_vm(line, "8: the value of 'module' is too long; expected the path of a file, at "
                        "most 254 bytes, and optionally a string, at most 511 bytes; at most 16 "
                        "in a VM");
    memcpy(line, "cmdline=", 8);
    memset(line + 8, 'c', 2048);
    line[8 + 2048] = '\0';
    refuses_in_vm(line, "9: the value of 'cmdline' is too long; expected text, at most 2047 bytes");
}

static void too_many_modules(void **state)
{
    char text[1024] = "[vm a]\nkernel=k\n";

    (void)state;
    for (int i = 0; i < CONFIG_FILES_MAX; i++)
        strcat(text, "module=m\n");
    accepts(text);
    assert_int_equal(config.vms[0].modules.count, CONFIG_FILES_MAX);
    strcat(text, "module=m\n");
    refuses(text, "lapwing.conf:19:8: too many of 'module'; expected the path of a file, at most "
                  "254 bytes, and optionally a string, at most 511 bytes; at most 16 in a VM");
}

static void many_vms(void **state)
{
    static char text[(CONFIG_VMS_MAX + 1) * 32];
    size_t used = 0;

    (void)state;
    for (int i = 0; i < CONFIG_VMS_MAX; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "[vm %d]\nkernel=%d\n", i, i);
    accepts(text);
    assert_int_equal(config.vm_count, CONFIG_VMS_MAX);
    assert_string_equal(text_of(config.vms[CONFIG_VMS_MAX - 1].kernel), "\\255");
    snprintf(text + used, sizeof(text) - used, "[vm x]\nkernel=k\n");
    refuses(text, "lapwing.conf:513:1: too many VMs; expected at most 256");
}

static void too_much_text(void **state)
{
    static char text[CONFIG_VMS_MAX * 2100];
    static char filler[2001];
    size_t used = 0;

    (void)state;
    memset(filler, 'f', sizeof(filler) - 1);
    for (int i = 0; i < 66; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used,
                                 "[vm %d]\nkernel=k\ncmdline=%s\n", i, filler);
    refuses(text, "lapwing.conf:198:9: too much text; expected at most 131072 bytes in all values");
}

/* Whatever a good file is cut to, or gets in place of one of its bytes, the verdict is orderly. */
static void damaged_files(void **state)
{
    static const char good[] = "\xef\xbb\xbf[lapwing]\r\nlog = info\n[vm a]\nkernel = /k\r\n"
                               "module = m \xe2\x82\xac\ntime_limit = 10s\nmemory=1G\n";
    static const char bytes[] = {'\0', '\n', '\r', '[', ']', '=', ' ', '9', '\x80', '\xf0'};
    struct config_error error;

    (void)state;
    for (size_t len = 0; len < sizeof(good); len++)
        if (!parse_bytes(good, len, &error))
            assert_non_null(strstr(error.text, "; expected "));
    for (size_t at = 0; at < sizeof(good) - 1; at++) {
        for (size_t i = 0; i < sizeof(bytes); i++) {
            char bad[sizeof(good)];
            memcpy(bad, good, sizeof(good));
            bad[at] = bytes[i];
            if (!parse_bytes(bad, sizeof(good) - 1, &error))
                assert_non_null(strstr(error.text, "; expected "));
        }
    }
}

/* The table is what messages and documentation are made of. */
static void table_is_complete(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        char expected[CONFIG_ERROR_MAX / 2] = "";

        config_expected(key, expected, sizeof(expected));
        assert_int_not_equal(expected[0], '\0');
        assert_non_null(key->doc);
        assert_int_equal(key->doc[strlen(key->doc) - 1], '.');
        for (size_t j = 0; j < i; j++)
            assert_false(key->section == config_keys[j].section &&
                         !strcmp(key->name, config_keys[j].name));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_file),
        cmocka_unit_test(least_file),
        cmocka_unit_test(whole_file),
        cmocka_unit_test(bad_lines),
        cmocka_unit_test(bad_characters),
        cmocka_unit_test(column_of_character),
        cmocka_unit_test(bad_sections),
        cmocka_unit_test(bad_keys),
        cmocka_unit_test(sets),
        cmocka_unit_test(load_options),
        cmocka_unit_test(load_options_without_file),
        cmocka_unit_test(bad_load_options),
        cmocka_unit_test(groups),
        cmocka_unit_test(bad_values),
        cmocka_unit_test(longest_strings),
        cmocka_unit_test(too_many_modules),
        cmocka_unit_test(many_vms),
        cmocka_unit_test(too_much_text),
        cmocka_unit_test(damaged_files),
        cmocka_unit_test(table_is_complete),
        cmocka_unit_test(processors),
        cmocka_unit_test(bad_processors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
