# SPDX-License-Identifier: BSD-2-Clause
"""A disk image: a GUID partition table with one FAT32 EFI system partition.

Made without root and without loop devices; the same input gives the same bytes (UEFI
Specification, "GUID Partition Table (GPT) Disk Layout").
"""

import os
import struct
import subprocess
import tempfile
import uuid
import zlib
from pathlib import Path, PureWindowsPath

SECTOR = 512
FIRST = 2048  # first sector of the partition: 1 MiB
ENTRIES = 128
ENTRY_SIZE = 128
TABLE_SECTORS = ENTRIES * ENTRY_SIZE // SECTOR
SMALLEST_FAT32 = 40 << 20  # fewer clusters would make it FAT16
SYSTEM_PARTITION = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
DISK_ID = uuid.UUID("6c617077-696e-4764-8001-000000000001")
PARTITION_ID = uuid.UUID("6c617077-696e-4764-8001-000000000002")
VOLUME_ID = "1a99e001"
EPOCH = "946684800"  # 2000-01-01, the time stamp of every file

BOOT_FILE = r"\EFI\BOOT\BOOTX64.EFI"
CONFIG_FILE = r"\EFI\lapwing\lapwing.conf"


def _header(here, other, last_usable, table_sector, table_crc):
    def pack(crc):
        return struct.pack(
            "<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, crc, 0, here, other,
            2 + TABLE_SECTORS, last_usable, DISK_ID.bytes_le, table_sector, ENTRIES, ENTRY_SIZE,
            table_crc)
    return pack(zlib.crc32(pack(0))).ljust(SECTOR, b"\0")


def _write_partition_table(image, sectors):
    last = sectors - 1
    last_usable = last - TABLE_SECTORS - 1
    entry = struct.pack("<16s16sQQQ72s", SYSTEM_PARTITION.bytes_le, PARTITION_ID.bytes_le, FIRST,
                        last_usable, 0, "EFI system".encode("utf-16-le"))
    table = entry.ljust(ENTRIES * ENTRY_SIZE, b"\0")
    crc = zlib.crc32(table)
    protective = struct.pack("<BBBBBBBBII", 0, 0, 2, 0, 0xEE, 0xFF, 0xFF, 0xFF, 1,
                             min(last, 0xFFFFFFFF))
    image.seek(446)
    image.write(protective.ljust(64, b"\0") + b"\x55\xaa")
    image.write(_header(1, last, last_usable, 2, crc) + table)
    image.seek((last - TABLE_SECTORS) * SECTOR)
    image.write(table + _header(last, 1, last_usable, last - TABLE_SECTORS, crc))
    return last_usable - FIRST + 1


def _stage(folder, files):
    """Lays out files as they will stand on the partition; returns their size in bytes."""
    size = 0
    for name, source in files.items():
        place = folder.joinpath(*PureWindowsPath(name).parts[1:])
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(source, bytes):
            place.write_bytes(source)
        else:
            place.symlink_to(Path(source).resolve(strict=True))
        size += place.stat().st_size + 4096
    return size


def _copy_commands(folder, where):
    """One command per directory, each with sorted names: the order decides the bytes on disk."""
    for directory, subdirectories, names in os.walk(folder):
        subdirectories.sort()
        inside = "::" + directory[len(str(folder)):]
        if subdirectories:
            yield ["mmd", "-i", where, *(f"{inside}/{name}" for name in subdirectories)]
        if names:
            yield ["mcopy", "-Q", "-i", where, *(f"{directory}/{name}" for name in sorted(names)),
                   inside]


def make(path, files):
    """Writes the image: files maps a path on the partition ("\\EFI\\x") to bytes or a file."""
    environment = dict(os.environ, SOURCE_DATE_EPOCH=EPOCH, MTOOLS_SKIP_CHECK="1")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        size = max(_stage(folder, files) * 9 // 8, SMALLEST_FAT32)
        sectors = FIRST + -(-size // (1 << 20)) * 2048 + TABLE_SECTORS + 1
        part = path.with_suffix(path.suffix + f".{os.getpid()}.part")
        try:
            with open(part, "wb") as image:
                image.truncate(sectors * SECTOR)
                partition = _write_partition_table(image, sectors)
            where = f"{part}@@{FIRST * SECTOR}"
            for command in (
                    ["mformat", "-i", where, "-F", "-N", VOLUME_ID, "-v", "LAPWING",
                     "-T", str(partition), "-h", "255", "-s", "63", "-H", str(FIRST), "::"],
                    *_copy_commands(folder, where)):
                subprocess.run(command, check=True, env=environment, stdin=subprocess.DEVNULL)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
