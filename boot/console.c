/* SPDX-License-Identifier: BSD-2-Clause */
/* Text out, before the hypervisor has a console of its own. */
#include "boot/boot.h"

#include <stdarg.h>

#include "core/bits.h"
#include "core/format.h"
#include "core/string.h"
#include "drivers/host/uart.h"

enum { TEXT_MAX = 1024, CONOUT_MAX = 2048, REPORT_MAX = 32 * 1024 };

static bool firmware_console;
static bool serial_console;
static char report[REPORT_MAX];
static size_t report_size;

/* The variable ConOut lists the devices of the firmware's console. UEFI specification, "Device Path
 * Protocol": an ACPI node for the first PNP0501, then a UART node's type and subtype. */
static bool firmware_uses_serial(void)
{
    static const uint8_t first_port[] = {0x02, 0x01, 12, 0, 0xd0, 0x41, 0x01,
                                         0x05, 0,    0,  0, 0,    0x03, 0x0e};
    static uint8_t path[CONOUT_MAX];
    static EFI_GUID global_variable = EFI_GLOBAL_VARIABLE;
    UINTN size = sizeof(path);
    EFI_STATUS status =
        boot_system->RuntimeServices->GetVariable(L"ConOut", &global_variable, NULL, &size, path);

    for (UINTN at = 0; !EFI_ERROR(status) && at + sizeof(first_port) <= size; at++) {
        if (memcmp(path + at, first_port, sizeof(first_port)) == 0)
            return true;
    }
    return false;
}

void console_start(void)
{
    firmware_console = boot_system->ConOut != NULL;
    serial_console = !firmware_uses_serial() && host_uart_init(HOST_COM1);
}

void console_leave_firmware(void)
{
    firmware_console = false;
    serial_console = host_uart_init(HOST_COM1);
}

static void write_text(const char *text)
{
    static CHAR16 wide[2 * TEXT_MAX];
    size_t kept = min(strlen(text), REPORT_MAX - report_size);
    size_t n = 0;

    memcpy(report + report_size, text, kept);
    report_size += kept;
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            wide[n++] = '\r';
        wide[n++] = (unsigned char)*text < 0x80 ? (CHAR16)*text : '?';
    }
    wide[n] = 0;
    if (firmware_console)
        boot_system->ConOut->OutputString(boot_system->ConOut, wide);
    for (size_t i = 0; serial_console && i < n; i++)
        host_uart_send(HOST_COM1, (char)wide[i]);
}

void print(const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    format_string_v(text, sizeof(text), fmt, args);
    va_end(args);
    write_text(text);
}

EFI_STATUS refuse(EFI_STATUS status, const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    format_string_v(text, sizeof(text), fmt, args);
    va_end(args);
    print("lapwing: refused: %s\n", text);
    return status;
}

const char *console_report(size_t *size)
{
    *size = report_size;
    return report;
}

void console_wait_for_key(uint32_t seconds)
{
    enum { UNITS_PER_SECOND = 10000000 };
    EFI_EVENT events[2];
    UINTN which;

    if (!firmware_console || boot_system->ConIn == NULL ||
        EFI_ERROR(boot_services->CreateEvent(EVT_TIMER, 0, NULL, NULL, &events[1])))
        return;
    print("lapwing: going on in %u seconds, or when a key is pressed\n", seconds);
    events[0] = boot_system->ConIn->WaitForKey;
    if (!EFI_ERROR(boot_services->SetTimer(events[1], TimerRelative,
                                           (uint64_t)seconds * UNITS_PER_SECOND)))
        boot_services->WaitForEvent(2, events, &which);
    boot_services->CloseEvent(events[1]);
}

const char *status_name(EFI_STATUS status)
{
#define NAME(code)                                                                                 \
    case code:                                                                                     \
        return #code
    switch (status) {
        NAME(EFI_SUCCESS);
        NAME(EFI_LOAD_ERROR);
        NAME(EFI_INVALID_PARAMETER);
        NAME(EFI_UNSUPPORTED);
        NAME(EFI_DEVICE_ERROR);
        NAME(EFI_OUT_OF_RESOURCES);
        NAME(EFI_VOLUME_CORRUPTED);
        NAME(EFI_NO_MEDIA);
        NAME(EFI_MEDIA_CHANGED);
        NAME(EFI_NOT_FOUND);
        NAME(EFI_ACCESS_DENIED);
    default:
        return "another EFI status";
    }
#undef NAME
}
