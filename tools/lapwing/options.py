# SPDX-License-Identifier: BSD-2-Clause
"""The options of tools/run and tools/image that say what is on the disk."""

import re
from pathlib import Path, PureWindowsPath

from lapwing import config, disk, paths
from lapwing.errors import UsageError


def add(parser):
    parser.add_argument("--efi", type=Path, default=paths.EFI_APPLICATION, help="the application")
    parser.add_argument("--kernel", type=Path, default=paths.VMLINUX,
                        help="what the guest starts: vmlinux, bzImage or a Multiboot kernel")
    parser.add_argument("--initrd", type=Path)
    parser.add_argument("--cmdline", default="")
    parser.add_argument("--module", action="append", default=[], metavar="PATH[ STRING]")
    parser.add_argument("--key", action="append", default=[], metavar="KEY=VALUE",
                        help="a further line for the guest's section, such as memory=64M")
    parser.add_argument("--demo", default="", metavar="NAME",
                        help="the VMs of tests/guest/demo_NAME.conf, instead of all options above")
    parser.add_argument("--config", type=Path,
                        help="a configuration to use as it is, instead of all options above")
    parser.add_argument("--trace", default="", metavar="CLASSES",
                        help="what of all VMs is traced: all, or classes with commas; with --config "
                             "that says it")
    parser.add_argument("--check", action="store_true",
                        help="start the check of the machine, not Lapwing")
    parser.add_argument("--file", action="append", default=[], metavar="\\PATH=FILE",
                        help="a further file for the EFI system partition")


def _pair(text):
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"'{text}': expected NAME=VALUE")
    return name, value


def _demo(name, exit_key, keys):
    """The configuration of a demonstration, and the guests that it starts."""
    path = paths.ROOT / "tests" / "guest" / f"demo_{name}.conf"
    if not path.is_file():
        names = (found.stem[5:] for found in sorted(path.parent.glob("demo_*.conf")))
        raise UsageError(f"there is no demonstration '{name}', only " + ", ".join(names))
    text = path.read_text(encoding="utf-8")
    guests = set(re.findall(r"^kernel = (.*)$", text, re.MULTILINE))
    files = {guest: paths.BUILD / "guest" / PureWindowsPath(guest).name for guest in guests}
    return files | {disk.CONFIG_FILE: config.head(exit_key, keys) + text.encode()}


def partition(options, exit_key):
    """The files of the EFI system partition, ready for disk.make()."""
    keys = {"trace": options.trace} if options.trace else {}
    if options.demo:
        files = {disk.BOOT_FILE: options.efi} | _demo(options.demo, exit_key, keys)
    elif options.config:
        files = {disk.BOOT_FILE: options.efi, disk.CONFIG_FILE: options.config}
    else:
        modules = [(Path(path), text) for path, _, text in
                   (module.partition(" ") for module in options.module)]
        guest = config.Vm("guest", options.kernel, options.initrd, options.cmdline, modules,
                          dict(map(_pair, options.key)))
        files = config.image_files([guest], exit_key, options.efi, keys)
    files.update((name, Path(value)) for name, value in map(_pair, options.file))
    if options.check:
        files[disk.BOOT_FILE] = paths.CHECK_APPLICATION
    for path in files.values():
        if isinstance(path, Path) and not path.is_file():
            raise UsageError(f"{path}: no such file")
    return files
