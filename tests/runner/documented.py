# SPDX-License-Identifier: BSD-2-Clause
"""Every command that the documentation names is one that the tests run, or stands below with the
reason why none does."""

import re

from lapwing import paths
from tests.runner import commands
from tests.runner.report import Result

NAME = "documented/commands"
# A line of an indented block, or what stands in backquotes. A program alone is no command.
PROGRAM = r"(?:make|sudo|dd|gdb|efibootmgr|rsvg-convert|fs0:\S+|(?:tools|tests|\.ci)/[\w-]+)"
BLOCK = re.compile(rf"^ {{4,}}({PROGRAM} .*?)(?: +#.*)?$", re.MULTILINE)
INLINE = re.compile(rf"`({PROGRAM} [^`=][^`]*)`")

NESTED = "takes a quarter of an hour or more, or KVM with VMX; make test-nested is run by hand"
LONG = "takes long; run by hand before a release"
THIS = "is what runs this test, or would run it once more"
FILE = "names a file of the reader's; with one that is there: command/own_kernel"

NOT_RUN = {
    "make run KERNEL=path": FILE,
    "make run KERNEL=mine.elf INITRD= CMDLINE=": FILE,
    "make test": THIS,
    "make test T=cpuid": THIS,
    "make test T=skylake_x": THIS,
    "make test-long": LONG,
    "make bench": LONG,
    "make bench-apic": LONG,
    "make coverage": LONG,
    "make test-nested": NESTED,
    "make test-nested T=nested/cpuid": NESTED,
    "make run EMU=nested": NESTED,
    "make bench EMU=nested": NESTED,
    "make bench EMU=nested T=bench_exit": NESTED,
    "sudo modprobe -r kvm_intel && sudo modprobe kvm_intel nested=1":
        "changes the kernel of the machine that tests",
    "efibootmgr --create --loader '\\EFI\\BOOT\\BOOTX64.EFI' --unicode 'log=debug'":
        "changes the firmware of the machine that tests",
    "fs0:\\EFI\\BOOT\\BOOTX64.EFI log=debug guest.memory=2G \"guest.cmdline=console=ttyS0 quiet\"":
        "is for the firmware's shell, where such a line is typed by refusal/load_options",
    "rsvg-convert trace.svg -o docs/trace-alias.png":
        "makes the picture in the README anew, with a program that nothing else needs",
}


def names():
    return [NAME]


def _named():
    """(file, command) for each that the documentation names."""
    for path in (paths.ROOT / "README.md", *sorted((paths.ROOT / "docs").glob("*.md"))):
        text = path.read_text()
        for found in BLOCK.findall(text) + INLINE.findall(text):
            yield path.relative_to(paths.ROOT), " ".join(found.split())


def _wrong(named):
    run = commands.typed()
    for where, command in named:
        if command not in run and command not in NOT_RUN:
            yield f"{where} names '{command}', which is neither in tests/runner/commands.py nor excused"
    present = {command for _, command in named}
    for command in sorted(NOT_RUN.keys() - present):
        yield f"'{command}' is excused, but the documentation does not name it"
    for command in sorted(NOT_RUN.keys() & run):
        yield f"'{command}' is excused, and run"


def run(name, report):
    named = sorted(set(_named()))
    failures = list(_wrong(named))
    report.add(Result(name, 0 if failures else len(named), failures, [],
                      "\n".join(f"{where}: {command}" for where, command in named).encode()))
