/* SPDX-License-Identifier: BSD-2-Clause */
/* Text out, before the hypervisor has a console of its own. */
#include "boot/console.h"

#include <stdarg.h>
#include <stdbool.h>

#include "boot/device_path.h"
#include "boot/serial.h"
#include "core/format.h"

enum { TEXT_MAX = 1024, CONOUT_MAX = 2048 };

static bool firmware_console;
static bool serial_console;

/* The variable ConOut lists the devices of the firmware's console. */
static bool firmware_uses_serial(void)
{
    static uint8_t path[CONOUT_MAX];
    static EFI_GUID global_variable = EFI_GLOBAL_VARIABLE;
    UINTN size = sizeof(path);
    EFI_STATUS status =
        boot_system->RuntimeServices->GetVariable(L"ConOut", &global_variable, NULL, &size, path);

    return !EFI_ERROR(status) && device_path_has_first_uart(path, size);
}

void console_start(void)
{
    firmware_console = boot_system->ConOut != NULL;
    serial_console = !firmware_uses_serial() && serial_start();
}

void console_leave_firmware(void)
{
    firmware_console = false;
    serial_console = serial_start();
}

static void firmware_write(const char *text)
{
    static CHAR16 wide[2 * TEXT_MAX];
    size_t n = 0;

    for (; *text != '\0'; text++) {
        if (*text == '\n')
            wide[n++] = '\r';
        wide[n++] = (unsigned char)*text < 0x80 ? (CHAR16)*text : '?';
    }
    wide[n] = 0;
    boot_system->ConOut->OutputString(boot_system->ConOut, wide);
}

static void write_text(const char *text)
{
    if (firmware_console)
        firmware_write(text);
    if (serial_console)
        serial_write(text);
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
    write_text("lapwing: refused: ");
    write_text(text);
    write_text("\n");
    return status;
}

const char *status_name(EFI_STATUS status)
{
    switch (status) {
    case EFI_SUCCESS:
        return "EFI_SUCCESS";
    case EFI_LOAD_ERROR:
        return "EFI_LOAD_ERROR";
    case EFI_INVALID_PARAMETER:
        return "EFI_INVALID_PARAMETER";
    case EFI_UNSUPPORTED:
        return "EFI_UNSUPPORTED";
    case EFI_DEVICE_ERROR:
        return "EFI_DEVICE_ERROR";
    case EFI_OUT_OF_RESOURCES:
        return "EFI_OUT_OF_RESOURCES";
    case EFI_VOLUME_CORRUPTED:
        return "EFI_VOLUME_CORRUPTED";
    case EFI_NO_MEDIA:
        return "EFI_NO_MEDIA";
    case EFI_MEDIA_CHANGED:
        return "EFI_MEDIA_CHANGED";
    case EFI_NOT_FOUND:
        return "EFI_NOT_FOUND";
    case EFI_ACCESS_DENIED:
        return "EFI_ACCESS_DENIED";
    default:
        return "another EFI status";
    }
}
