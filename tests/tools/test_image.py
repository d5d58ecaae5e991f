#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""tools/image, judged by programs that nobody here wrote: sgdisk, fsck.vfat and mtools."""

import os
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from lapwing import disk, paths  # noqa: E402
from tests.tools import unittest_tap  # noqa: E402

KERNEL = paths.BUILD / "guest" / "hello.elf"
FILES = {"EFI/BOOT/BOOTX64.EFI": paths.EFI_APPLICATION, "EFI/lapwing/1-hello.elf": KERNEL,
         "EFI/lapwing/check.efi": paths.CHECK_APPLICATION}
CONFIG = ("[lapwing]\nemulator_exit = none\n\n[vm guest]\nkernel = \\EFI\\lapwing\\1-hello.elf\n"
          "memory = 8M\n")


def run(*command):
    return subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          env=dict(os.environ, PATH=disk.PATH, MTOOLS_SKIP_CHECK="1"))


def image(*arguments):
    return run(ROOT / "tools" / "image", "--kernel", KERNEL, "--key", "memory=8M", *arguments)


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="lapwing-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def assert_done(self, done):
        self.assertEqual((done.returncode, done.stdout), (0, b""))


class Image(Folder):
    def setUp(self):
        super().setUp()
        self.image = self.folder / "disk.img"
        self.assert_done(image(self.image))

    def test_partition_table(self):
        done = run("sgdisk", "-v", self.image)
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"No problems found", done.stdout)
        self.assertNotIn(b"Warning", done.stdout)
        info = run("sgdisk", "-i", "1", self.image).stdout
        self.assertIn(b"C12A7328-F81F-11D2-BA4B-00A0C93EC93B (EFI system partition)", info)

    def test_boot_record_names_the_partition_too(self):
        entries = self.image.read_bytes()[446:512]
        kinds = [struct.unpack_from("<4xB3xII", entries, 16 * n) for n in range(4)]
        size = self.image.stat().st_size // disk.SECTOR - disk.FIRST - disk.MIB
        self.assertEqual(kinds, [(0xEE, 1, disk.FIRST - 1), (0xEF, disk.FIRST, size),
                                 (0, 0, 0), (0, 0, 0)])
        self.assertEqual(entries[64:], b"\x55\xaa")

    def test_file_system(self):
        data = self.image.read_bytes()
        part = self.folder / "part"
        part.write_bytes(data[disk.FIRST * disk.SECTOR:-disk.MIB * disk.SECTOR])
        done = run("fsck.vfat", "-n", "-v", part)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn(b"32 bit entries", done.stdout)
        self.assertEqual(struct.unpack_from("<I", part.read_bytes(), 0x1C)[0], disk.FIRST)

    def test_files(self):
        where = f"{self.image}@@{disk.FIRST * disk.SECTOR}"
        for name, source in FILES.items():
            copy = self.folder / "copy"
            self.assert_done(run("mcopy", "-n", "-i", where, f"::{name}", copy))
            self.assertEqual(copy.read_bytes(), source.read_bytes())
            copy.unlink()
        text = run("mtype", "-i", where, "::EFI/lapwing/lapwing.conf").stdout
        self.assertEqual(text.replace(b"\r", b"").decode(), CONFIG)

    def test_reproducible(self):
        again = self.folder / "again.img"
        self.assert_done(image(again))
        self.assertEqual(again.read_bytes(), self.image.read_bytes())

    def test_check_starts_first(self):
        self.assert_done(image("--check", self.image))
        where = f"{self.image}@@{disk.FIRST * disk.SECTOR}"
        copy = self.folder / "copy"
        self.assert_done(run("mcopy", "-n", "-i", where, "::EFI/BOOT/BOOTX64.EFI", copy))
        self.assertEqual(copy.read_bytes(), paths.CHECK_APPLICATION.read_bytes())


class Directory(Folder):
    def fill(self, *arguments):
        return image("--directory", *arguments, self.folder)

    def written(self, name):
        return self.folder.joinpath(name).read_bytes()

    def test_same_files_as_the_image(self):
        self.assert_done(self.fill())
        for name, source in FILES.items():
            self.assertEqual(self.written(name), source.read_bytes())
        self.assertEqual(self.written("EFI/lapwing/lapwing.conf").decode(), CONFIG)
        self.assertEqual(sum(path.is_file() for path in self.folder.rglob("*")), len(FILES) + 1)

    def test_again_keeps_a_changed_configuration(self):
        self.assert_done(self.fill())
        config = self.folder / "EFI/lapwing/lapwing.conf"
        config.write_text("mine\n")
        self.assert_done(self.fill())
        self.assertEqual(config.read_text(), CONFIG)
        self.assertEqual(self.written("EFI/lapwing/lapwing.old"), b"mine\n")

    def test_another_system(self):
        boot = self.folder / "EFI/BOOT/BOOTX64.EFI"
        boot.parent.mkdir(parents=True)
        boot.write_bytes(b"another loader")
        done = self.fill()
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"is another system's boot loader; expected", done.stdout)
        self.assertEqual(boot.read_bytes(), b"another loader")
        self.assertFalse((self.folder / "EFI/lapwing").exists())

    def test_no_directory(self):
        done = image("--directory", self.folder / "absent")
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"expected the directory where a FAT partition is mounted", done.stdout)


unittest_tap.main()
