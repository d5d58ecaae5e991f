# SPDX-License-Identifier: BSD-2-Clause
"""A disk image: a GUID partition table with one FAT32 EFI system partition.

Made without root and without loop devices; the same input gives the same bytes (UEFI
Specification, "GUID Partition Table (GPT) Disk Layout").
"""

import os
import struct
import subprocess
import tempfile
from pathlib import Path, PureWindowsPath

from lapwing.errors import UsageError

SECTOR = 512
MIB = (1 << 20) // SECTOR  # sectors
FIRST = MIB  # first sector of the partition
SMALLEST_FAT32 = 40  # MiB; fewer clusters would make it FAT16
DISK_ID = "6c617077-696e-4764-8001-000000000001"
PARTITION_ID = "6c617077-696e-4764-8001-000000000002"
VOLUME_ID = "1a99e001"
EPOCH = "946684800"  # 2000-01-01, the time stamp of every file
# Debian keeps these tools out of the path of users.
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"

BOOT_FILE = r"\EFI\BOOT\BOOTX64.EFI"
CONFIG_FILE = r"\EFI\lapwing\lapwing.conf"
CHECK_FILE = r"\EFI\lapwing\check.efi"


def _write_partition_table(path, sectors):
    """A GPT, and the partition once more in the MBR behind the protective entry: firmware that
    looks only there finds it, too."""
    script = (f"label: gpt\nlabel-id: {DISK_ID}\nfirst-lba: 34\n"
              f'start={FIRST}, size={sectors}, type=U, uuid={PARTITION_ID}, name="EFI system"\n')
    subprocess.run(["sfdisk", "-q", str(path)], input=script, text=True, check=True,
                   env=dict(os.environ, PATH=PATH))
    with open(path, "r+b") as image:
        image.seek(446)
        for first, count, start, kind in ((1, FIRST - 1, b"\x00\x02\x00", 0xEE),
                                          (FIRST, sectors, b"\xfe\xff\xff", 0xEF)):
            image.write(struct.pack("<B3sB3sII", 0, start, kind, b"\xfe\xff\xff", first, count))


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
        size = _stage(folder, files) * 9 // 8
        sectors = max(-(-size // (1 << 20)), SMALLEST_FAT32) * MIB
        part = path.with_suffix(path.suffix + f".{os.getpid()}.part")
        try:
            with open(part, "wb") as image:
                image.truncate((FIRST + sectors + MIB) * SECTOR)
            _write_partition_table(part, sectors)
            where = f"{part}@@{FIRST * SECTOR}"
            for command in (
                    ["mformat", "-i", where, "-F", "-N", VOLUME_ID, "-v", "LAPWING",
                     "-T", str(sectors), "-h", "255", "-s", "63", "-H", str(FIRST), "::"],
                    *_copy_commands(folder, where)):
                subprocess.run(command, check=True, env=environment, stdin=subprocess.DEVNULL)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)


def fill(folder, files):
    """Copies the files to a mounted partition. Another system's boot loader stays what it is."""
    folder = Path(folder)
    if not folder.is_dir():
        raise UsageError(f"{folder}: expected the directory where a FAT partition is mounted")
    boot = folder.joinpath(*PureWindowsPath(BOOT_FILE).parts[1:])
    if boot.exists() and b"Lapwing" not in boot.read_bytes():
        raise UsageError(f"{boot} is another system's boot loader; expected a partition without "
                         "one, or with Lapwing's")
    for name, source in files.items():
        place = folder.joinpath(*PureWindowsPath(name).parts[1:])
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
        place.parent.mkdir(parents=True, exist_ok=True)
        if name == CONFIG_FILE and place.exists() and place.read_bytes() != data:
            place.replace(place.with_suffix(".old"))  # somebody may have put work into it
        place.write_bytes(data)
