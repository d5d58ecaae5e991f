# SPDX-License-Identifier: BSD-2-Clause
"""What check.efi finds on machines that Bochs is not: QEMU without KVM has no VMX, but memory above
4 GiB, ACPI tables, threads, a screen, and, if so asked, no serial port. What it found is read from the
file that it leaves on the disk: there is nothing else on a machine without serial port."""

import re
import subprocess
import time
from dataclasses import dataclass

from lapwing import disk, paths
from lapwing.emulators import FIRMWARE, QEMU
from tests.runner.report import KEPT, Result

LIMIT = 400  # seconds of wall clock; it takes 20
REPORT = "::/EFI/lapwing/check.txt"
NO_VMX = r"verdict: Lapwing does not run here: this processor has no VMX \(Intel VT-x\)"


@dataclass(frozen=True)
class Machine:
    name: str
    options: tuple  # of QEMU
    lines: tuple  # regular expressions for lines of the report, in this order


MACHINES = (
    Machine("large",
            ("-machine", "q35", "-m", "6G", "-smp", "4,cores=2,threads=2", "-serial", "null"),
            (r"processor: .*, 2 logical processors in a core",
             r"lapwing: TSC \d+ kHz, ACPI tables present, framebuffer [1-9]\d+x[1-9]\d+",
             r"lapwing: processors: 4",
             r"devices: serial port at 3f8h present, ACPI APIC present, ACPI HPET present, "
             r"ACPI MCFG present, ACPI DMAR absent",
             r"memory: 61\d\d MiB free, up to address 200000000, in a map of \d+ ranges",
             NO_VMX)),
    Machine("bare",
            ("-machine", "pc,hpet=off", "-m", "512M", "-serial", "none"),
            (r"processor: .*, 1 logical processors in a core",
             r"lapwing: processors: 1",
             r"devices: serial port at 3f8h absent, ACPI APIC present, ACPI HPET absent, "
             r"ACPI MCFG absent, ACPI DMAR absent",
             r"memory: 50\d MiB free, up to address 1[0-9a-f]{7}, in a map of \d+ ranges",
             NO_VMX)),
)


def names():
    return [f"firmware/{machine.name}" for machine in MACHINES]


def _report(image):
    """What is in the file so far."""
    where = f"{image}@@{disk.FIRST * disk.SECTOR}"
    done = subprocess.run(["mtype", "-i", where, REPORT], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return done.stdout.decode(errors="replace").replace("\r", "")


def _boot(machine, image):
    command = ["qemu-system-x86_64", "-nodefaults", "-no-reboot", "-display", "none", "-vga", "std",
               "-accel", "tcg", "-cpu", "max", "-bios", str(FIRMWARE), *machine.options,
               "-drive", f"file={image},format=raw,if=ide"]
    end = time.monotonic() + LIMIT
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as qemu:
        try:
            while "\nverdict: " not in _report(image):
                if qemu.poll() is not None:
                    return qemu.stdout.read().decode(errors="replace")
                if time.monotonic() > end:
                    return _report(image)
                time.sleep(1)
            return _report(image)
        finally:
            qemu.kill()


def _missing(text, wanted):
    lines = iter(text.split("\n"))
    for pattern in wanted:
        if not any(re.fullmatch(pattern, line) for line in lines):
            yield f"saw no line '{pattern}' after those before it"
            return


def run(name, report):
    machine = next(machine for machine in MACHINES if f"firmware/{machine.name}" == name)
    if missing := QEMU.missing():
        report.add(Result(name, 0, [], [missing]))
        return
    start = time.monotonic()
    image = KEPT / f"firmware_{machine.name}.img"
    disk.make(image, {disk.BOOT_FILE: paths.CHECK_APPLICATION,
                      disk.CHECK_FILE: paths.CHECK_APPLICATION})
    text = _boot(machine, image)
    image.unlink()
    failures = list(_missing(text, machine.lines))
    report.add(Result(name, 0 if failures else 1, failures, [], text.encode(),
                      time.monotonic() - start))
