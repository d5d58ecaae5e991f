/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest that crashes reports goes to the log. TLFS, "Partitions", "Crash Enlightenment". */
#include "core/hyperv/crash.h"

#include "core/log.h"
#include "core/string.h"

enum {
    MESSAGE_SHOWN = 1024,
    LINE = 120,
    REPORTS_MAX = 16, /* of a VM: more would be noise */
};
#define CRASH_MESSAGE BIT(62)
#define CRASH_NOTIFY  BIT(63)

enum { MESSAGE_GPA = 3, MESSAGE_LENGTH = 4 }; /* parameters, when there is a message */

uint64_t hv_crash_capabilities(void)
{
    return CRASH_NOTIFY | CRASH_MESSAGE;
}

static void print_line(const struct vm *vm, const char *text, size_t length)
{
    if (length > 0)
        log_error("vm %s: crash: %.*s", vm->config->name, (int)length, text);
}

/* The guest's text line by line, with what is not ASCII replaced. */
static void print_message(const struct vm *vm, char *text, size_t size)
{
    size_t start = 0;

    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\n' || i - start == LINE) {
            print_line(vm, text + start, i - start);
            start = text[i] == '\n' ? i + 1 : i;
        } else if (text[i] < ' ' || text[i] > '~') {
            text[i] = '.';
        }
    }
    print_line(vm, text + start, size - start);
}

/* The start of the message, as far as it is in one page that the guest may read. */
static void show_message(struct vcpu *vcpu, gpa_t gpa, uint64_t length)
{
    const void *message = context_view(vcpu->active, gpa, EPT_R);
    size_t size = (size_t)min(length, PAGE_SIZE - (gpa & (PAGE_SIZE - 1)));
    char text[MESSAGE_SHOWN];

    size = min(size, sizeof(text));
    if (message == NULL)
        return;
    memcpy(text, message, size);
    print_message(vcpu->vm, text, size);
}

void hv_crash(struct vcpu *vcpu, uint64_t control)
{
    const struct vm *vm = vcpu->vm;
    const uint64_t *p = vm->hv->crash;

    if (!(control & CRASH_NOTIFY) || vm->hv->crashes == REPORTS_MAX)
        return;
    vm->hv->crashes++;
    log_error("vm %s: the guest reports a crash: 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx", vm->config->name,
              p[0], p[1], p[2], p[3], p[4]);
    if ((control & CRASH_MESSAGE) && p[MESSAGE_LENGTH] <= HV_PAGE_SIZE)
        show_message(vcpu, p[MESSAGE_GPA], p[MESSAGE_LENGTH]);
}
