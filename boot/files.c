/* SPDX-License-Identifier: BSD-2-Clause */
/* Files on the EFI system partition that this application was started from. */
#include "boot/boot.h"

#include "core/bits.h"

enum {
    INFO_MAX = SIZE_OF_EFI_FILE_INFO + 2 * CONFIG_PATH_MAX,
    /* Some firmware reads a large file only in pieces, and a person wants to see it go on. */
    CHUNK = 1024 * 1024,
    PROGRESS = 16 * 1024 * 1024,
};
#define FILE_SIZE_MAX 0xffffffffull /* FAT knows none above */

static EFI_FILE_HANDLE volume;

EFI_STATUS files_open_volume(void)
{
    static EFI_GUID loaded_image_guid = LOADED_IMAGE_PROTOCOL;
    static EFI_GUID file_system_guid = SIMPLE_FILE_SYSTEM_PROTOCOL;
    EFI_LOADED_IMAGE *loaded_image;
    EFI_FILE_IO_INTERFACE *file_system;
    EFI_STATUS status =
        boot_services->HandleProtocol(boot_image, &loaded_image_guid, (void **)&loaded_image);

    if (EFI_ERROR(status))
        return refuse(status, "the firmware does not say where Lapwing was started from");
    status = boot_services->HandleProtocol(loaded_image->DeviceHandle, &file_system_guid,
                                           (void **)&file_system);
    if (EFI_ERROR(status))
        return refuse(EFI_UNSUPPORTED, "Lapwing was not started from a volume with a file system");
    status = file_system->OpenVolume(file_system, &volume);
    if (EFI_ERROR(status))
        return refuse(status, "cannot open the volume Lapwing was started from");
    return EFI_SUCCESS;
}

void files_close_volume(void)
{
    if (volume != NULL)
        volume->Close(volume);
    volume = NULL;
}

static EFI_STATUS get_size(EFI_FILE_HANDLE handle, const char *path, uint64_t *size)
{
    static EFI_GUID info_guid = EFI_FILE_INFO_ID;
    static uint64_t buffer[INFO_MAX / sizeof(uint64_t)];
    const EFI_FILE_INFO *info = (const EFI_FILE_INFO *)buffer;
    UINTN length = sizeof(buffer);
    EFI_STATUS status = handle->GetInfo(handle, &info_guid, &length, buffer);

    if (EFI_ERROR(status))
        return refuse(EFI_LOAD_ERROR, "file '%s': cannot find out its size: %s", path,
                      status_name(status));
    if (info->Attribute & EFI_FILE_DIRECTORY)
        return refuse(EFI_LOAD_ERROR, "file '%s': is a directory", path);
    if (info->FileSize == 0)
        return refuse(EFI_LOAD_ERROR, "file '%s': is empty", path);
    if (info->FileSize > FILE_SIZE_MAX)
        return refuse(EFI_LOAD_ERROR, "file '%s': %lu bytes are too many", path, info->FileSize);
    *size = info->FileSize;
    return EFI_SUCCESS;
}

static EFI_STATUS read_all(EFI_FILE_HANDLE handle, const char *path, uint64_t base, uint64_t size)
{
    uint64_t done = 0;

    while (done < size) {
        UINTN length = min(size - done, (uint64_t)CHUNK);
        EFI_STATUS status = handle->Read(handle, &length, (void *)(base + done));

        if (EFI_ERROR(status))
            return refuse(EFI_LOAD_ERROR, "file '%s': reading failed at byte %lu: %s", path, done,
                          status_name(status));
        if (length == 0)
            return refuse(EFI_LOAD_ERROR, "file '%s': ends at byte %lu, not at %lu", path, done,
                          size);
        done += length;
        if (done % PROGRESS == 0)
            print("lapwing: read %lu of %lu MiB\n", done >> 20, size >> 20);
    }
    return EFI_SUCCESS;
}

static EFI_STATUS load_open(EFI_FILE_HANDLE handle, const char *path, uint64_t *base,
                            uint64_t *size)
{
    EFI_STATUS status = get_size(handle, path, size);

    if (EFI_ERROR(status))
        return status;
    *base = memory_take(*size, MEMORY_ANYWHERE);
    if (*base == 0)
        return refuse(EFI_OUT_OF_RESOURCES, "file '%s': no room for its %lu bytes", path, *size);
    print("lapwing: reading %s, %lu KiB\n", path, (*size + 1023) / 1024);
    return read_all(handle, path, *base, *size);
}

/* Of ASCII alone. */
static bool is_name(const char *path, CHAR16 wide[CONFIG_PATH_MAX])
{
    size_t n = 0;

    while (n < CONFIG_PATH_MAX && (unsigned char)path[n] < 0x80) {
        wide[n] = (CHAR16)path[n];
        if (path[n++] == '\0')
            return true;
    }
    return false;
}

EFI_STATUS file_load(const char *path, uint64_t *base, uint64_t *size)
{
    CHAR16 wide[CONFIG_PATH_MAX];
    EFI_FILE_HANDLE handle;
    EFI_STATUS status;

    if (!is_name(path, wide))
        return refuse(EFI_INVALID_PARAMETER, "file '%s': expected a name of ASCII characters",
                      path);
    status = volume->Open(volume, &handle, wide, EFI_FILE_MODE_READ, 0);
    if (status == EFI_NOT_FOUND)
        return status;
    if (EFI_ERROR(status))
        return refuse(EFI_LOAD_ERROR, "file '%s': cannot be opened: %s", path, status_name(status));
    status = load_open(handle, path, base, size);
    handle->Close(handle);
    return status;
}

EFI_STATUS file_save(const char *path, const char *data, size_t size)
{
    const uint64_t mode = EFI_FILE_MODE_READ | EFI_FILE_MODE_WRITE;
    CHAR16 wide[CONFIG_PATH_MAX];
    EFI_FILE_HANDLE handle;
    UINTN length = size;
    EFI_STATUS status;

    if (!is_name(path, wide))
        return EFI_INVALID_PARAMETER;
    if (!EFI_ERROR(volume->Open(volume, &handle, wide, mode, 0)))
        handle->Delete(handle); /* it may be longer */
    status = volume->Open(volume, &handle, wide, mode | EFI_FILE_MODE_CREATE, 0);
    if (EFI_ERROR(status))
        return status;
    status = handle->Write(handle, &length, (void *)data);
    handle->Close(handle);
    return status;
}
