/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints docs/configuration.md: the keys of the configuration file from the parser's own table. */
#include <stdio.h>

#include "core/config/config.h"

static const char head[] =
    "<!-- Made by \"make docs\" from core/config/keys.c. -->\n"
    "# Configuration\n"
    "\n"
    "Lapwing reads `" CONFIG_FILE "` on the EFI system partition: text in UTF-8, one\n"
    "`key = value` in a line, under `[lapwing]` or a `[vm NAME]` for each virtual machine. VMs "
    "run\n"
    "one after the other, in the order of the file. A line that starts with `#` or `;` is a\n"
    "comment; there are none behind a value. Paths are those of the partition, with `/` or `\\`.\n"
    "Whatever is wrong is refused before the firmware is left, with line, column and what was\n"
    "expected. [lapwing.conf](lapwing.conf) is an example with all keys. Without the file one VM\n"
    "starts `\\EFI\\lapwing\\kernel`, with the initial RAM disk `\\EFI\\lapwing\\initrd` if it is\n"
    "there, and `console=ttyS0`.\n";

static const char options[] =
    "\n## Load options\n"
    "\n"
    "Words behind the program's name in the firmware's shell, or in a boot entry, take the place "
    "of\n"
    "keys of the file for one start:\n"
    "\n"
    "    BOOTX64.EFI log=debug guest.memory=2G \"guest.cmdline=console=ttyS0 quiet\"\n"
    "\n"
    "- `NAME.KEY=VALUE` is a key of `[vm NAME]`, or of `[lapwing]` with that name. `KEY=VALUE` is\n"
    "  a key of `[lapwing]` if that has it, else of the only VM. There are no blanks around `=`.\n"
    "- Blanks separate words, but not between quotation marks, which may stand anywhere in a "
    "word.\n"
    "- What the file says of a key that a word sets is not looked at. Keys that may be repeated "
    "may be\n"
    "  so in words, too: all words of that key take the place of all lines.\n"
    "- A first word without `=` is the program's name. Any other word that is not a key, or has a "
    "bad\n"
    "  value, is refused with its number (the name is not counted) and column, as\n"
    "  `load options:2:14: bad value '63K' for 'memory'; expected ...`.\n"
    "- They are UCS-2, up to a NUL or the end. Options that are no text are left alone: some "
    "firmware\n"
    "  puts marks of its own into boot entries.\n"
    "\n"
    "## Limits\n";

static void print_key(const struct config_key *key)
{
    char accepted[CONFIG_ERROR_MAX];

    config_expected(key, accepted, sizeof(accepted));
    printf("| `%s` | %s | ", key->name, accepted);
    if (key->fallback)
        printf("`%s`", key->fallback);
    else if (key->required)
        printf("required");
    printf(" | %s |\n", key->doc);
}

static void print_section(enum config_section section, const char *title)
{
    printf("\n## %s\n\n| key | value | default | what it says |\n| --- | --- | --- | --- |\n",
           title);
    for (size_t i = 0; i < config_key_count; i++)
        if (config_keys[i].section == section)
            print_key(&config_keys[i]);
}

int main(void)
{
    fputs(head, stdout);
    print_section(CONFIG_SECTION_LAPWING, "[lapwing]");
    print_section(CONFIG_SECTION_VM, "[vm NAME]");
    fputs(options, stdout);
    printf(
        "\nA VM's name has 1 to %d letters, digits, `-`, `_` or `.`. A file has at most %d VMs.\n",
        CONFIG_NAME_MAX, CONFIG_VMS_MAX);
    return 0;
}
