# SPDX-License-Identifier: BSD-2-Clause
"""Writes Lapwing's configuration file and names the files that it needs on the partition."""

from dataclasses import dataclass, field
from pathlib import Path

from lapwing import disk

FOLDER = "\\EFI\\lapwing\\"


@dataclass
class Vm:
    """One [vm NAME] section; files are paths on this machine."""

    name: str
    kernel: Path
    initrd: Path = None
    cmdline: str = ""
    modules: list = field(default_factory=list)  # (path, string)
    keys: dict = field(default_factory=dict)  # further keys, as written in the file
    fw_cfg_files: list = field(default_factory=list)  # (path, name)


def head(exit_key, keys=None):
    """The part of a configuration that is not about VMs, as bytes."""
    keys = {"emulator_exit": exit_key} | (keys or {})
    return "".join(["[lapwing]\n", *(f"{key} = {value}\n" for key, value in keys.items())]).encode()


def write(vms, exit_key, files, keys=None):
    """The text of the configuration as bytes. What it refers to is added to files, which maps
    paths on the partition to files here; one file that several VMs use is there once."""
    def place(path):
        # The number keeps two files of one name apart.
        for name, source in files.items():
            if source == path:
                return name
        name = f"{FOLDER}{len(files)}-{path.name}"
        files[name] = path
        return name

    lines = []
    for vm in vms:
        lines += ["", f"[vm {vm.name}]", f"kernel = {place(vm.kernel)}"]
        if vm.initrd:
            lines.append(f"initrd = {place(vm.initrd)}")
        lines += [f"module = {place(path)} {text}".rstrip() for path, text in vm.modules]
        lines += [f"fw_cfg_file = {place(path)} {name}" for path, name in vm.fw_cfg_files]
        if vm.cmdline:
            lines.append(f"cmdline = {vm.cmdline}")
        lines += [f"{key} = {value}" for key, value in vm.keys.items()]
    return head(exit_key, keys) + ("\n".join(lines) + "\n").encode()


def image_files(vms, exit_key, application, keys=None):
    """Everything on the partition for these VMs, ready for disk.make(); keys are of [lapwing]."""
    files = {disk.BOOT_FILE: application}
    files[disk.CONFIG_FILE] = write(vms, exit_key, files, keys)
    return files
