/* SPDX-License-Identifier: BSD-2-Clause */
/* Several VMs on one console: lines that do not mix, and input for one at a time. */
#include "core/vm_console.h"

#include "core/bits.h"
#include "core/guest/machine.h"
#include "core/log.h"
#include "core/monitor/monitor.h"
#include "core/spinlock.h"
#include "core/vm.h"

#define PARTIAL_LINE_NS 50000000ull

enum { ESCAPE_KEY = 'A' & 0x1f, NEXT_KEY = 'n', NUMBER_MAX = 99999 };

static struct {
    struct spinlock lock;
    struct vm_console *first; /* of those that take input, in the order in which they came */
    struct vm_console *focus; /* gets what is typed; NULL: nobody does */
    bool escaped;             /* the escape key was typed, and digits, if any */
    uint32_t number;          /* which they are; MONITOR_NO_NUMBER: none */
} input;

void vm_console_open(struct vm_console *console, struct vm *vm, const char *name)
{
    console->vm = vm;
    console->writer.name = name;
    console->flush_at = UINT64_MAX;
}

/* ---- Output ---------------------------------------------------------------------------------- */

static void flush(struct vm_console *console)
{
    if (console->line_used > 0)
        console_write_part(&console->writer, console->line, console->line_used);
    console->line_used = 0;
    console->flush_at = UINT64_MAX;
}

void vm_console_write(struct vm_console *console, const char *bytes, size_t n, uint64_t now_ns)
{
    if (console->writer.name == NULL) {
        console_write(bytes, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        console->line[console->line_used++] = bytes[i];
        console->flush_at = now_ns + PARTIAL_LINE_NS;
        if (bytes[i] == '\n' || console->line_used == sizeof(console->line))
            flush(console);
    }
}

uint64_t vm_console_advance(struct vm_console *console, uint64_t now_ns)
{
    if (now_ns >= console->flush_at)
        flush(console);
    return console->flush_at;
}

/* ---- Input ----------------------------------------------------------------------------------- */

static bool several(void)
{
    return input.first != NULL && input.first->next != NULL;
}

/* What one alone does not read stays in the UART once its buffer is full; else the UART is always
 * read: the escape key must get past a guest that does not. */
static bool can_receive(void)
{
    return input.focus == NULL || several() || input.focus->typed < VM_CONSOLE_INPUT_MAX;
}

static void set_focus(struct vm_console *console)
{
    input.focus = console;
    input.escaped = false;
    if (several())
        log_info("console: what is typed goes to vm %s, Ctrl-A n to the next one",
                 console->vm->config->name);
    console_want_input(can_receive());
}

static struct vm_console *after(const struct vm_console *console)
{
    return console->next != NULL ? console->next : input.first;
}

static void type(struct vm_console *console, char byte)
{
    if (console == NULL || console->typed == VM_CONSOLE_INPUT_MAX)
        return;
    console->input[(console->first + console->typed) % VM_CONSOLE_INPUT_MAX] = byte;
    console->typed++;
}

static void add_digit(uint32_t digit)
{
    if (input.number == MONITOR_NO_NUMBER)
        input.number = 0;
    input.number = min(input.number * 10 + digit, (uint32_t)NUMBER_MAX);
}

/* What comes after the escape key. */
static void receive_order(char byte)
{
    if (byte >= '0' && byte <= '9') {
        add_digit((uint32_t)(byte - '0'));
        return;
    }
    input.escaped = false;
    if (byte == ESCAPE_KEY)
        type(input.focus, byte);
    else if (byte != NEXT_KEY)
        monitor_order(byte, input.number);
    else if (several())
        set_focus(after(input.focus));
}

static void receive(char byte)
{
    if (input.escaped) {
        receive_order(byte);
    } else if (byte == ESCAPE_KEY) {
        input.escaped = true;
        input.number = MONITOR_NO_NUMBER;
    } else {
        type(input.focus, byte);
    }
}

/* Receives until nothing is there or somebody else gets it; returns who got something. */
static struct vm_console *receive_for_one(void)
{
    struct vm_console *focus = input.focus;
    uint32_t before = focus != NULL ? focus->typed : 0;

    while (can_receive()) {
        int byte = console_read();

        if (byte < 0)
            break;
        receive((char)byte);
        if (input.focus == focus)
            continue;
        if (focus != NULL && focus->typed != before)
            return focus;
        focus = input.focus;
        before = focus->typed;
    }
    console_want_input(can_receive());
    return focus != NULL && focus->typed != before ? focus : NULL;
}

void vm_console_input(void)
{
    for (;;) {
        spin_lock(&input.lock);
        struct vm_console *console = receive_for_one();
        spin_unlock(&input.lock);
        if (console == NULL)
            return;
        if (console->vm->held_at == 0)
            machine_advance(console->vm);
    }
}

const struct vm *vm_console_focus(void)
{
    return input.focus != NULL ? input.focus->vm : NULL;
}

int vm_console_read(struct vm_console *console)
{
    int byte = -1;

    spin_lock(&input.lock);
    if (console->typed > 0) {
        byte = (uint8_t)console->input[console->first];
        console->first = (console->first + 1) % VM_CONSOLE_INPUT_MAX;
        if (console->typed-- == VM_CONSOLE_INPUT_MAX)
            console_want_input(can_receive());
    }
    spin_unlock(&input.lock);
    return byte;
}

void vm_console_take_input(struct vm_console *console)
{
    struct vm_console **end = &input.first;

    spin_lock(&input.lock);
    while (*end != NULL)
        end = &(*end)->next;
    *end = console;
    if (input.focus == NULL || input.focus->next == console)
        set_focus(input.focus != NULL ? input.focus : console);
    spin_unlock(&input.lock);
}

void vm_console_close(struct vm_console *console)
{
    struct vm_console **link = &input.first;

    flush(console);
    spin_lock(&input.lock);
    while (*link != NULL && *link != console)
        link = &(*link)->next;
    if (*link != NULL)
        *link = console->next;
    if (input.focus == console)
        set_focus(after(console));
    input.escaped = false;
    spin_unlock(&input.lock);
}
