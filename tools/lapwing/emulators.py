# SPDX-License-Identifier: BSD-2-Clause
"""The emulators: which one this machine should use, and the command that starts each."""

import fcntl
import os
import re
import shutil
import struct
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from lapwing import cpio, disk
from lapwing.errors import UsageError
from lapwing.paths import BUILD, CACHE

FIRMWARE = Path("/usr/share/ovmf/OVMF.fd")
FIRMWARE_END = 1 << 32
# MiB that Bochs takes of its own machine at most; what a guest touches beyond goes to a file.
BOCHS_HOST_MEMORY = 2048


@dataclass(frozen=True)
class Machine:
    """What is to be emulated."""

    image: Path
    cpu_model: str = ""  # empty: the emulator's default
    cpus: int = 2
    memory: int = 2048  # MiB
    com2: Path = None  # gets what arrives at the second serial port
    gdb_port: int = 0  # where the second serial port is to be connected to


@dataclass(frozen=True)
class Command:
    """A program to start. The serial port is a TCP connection that it makes to us."""

    arguments: list
    environment: dict
    console: bool = False  # then it makes a second one, on which a host below Lapwing reports


class Bochs:
    """Bochs, deterministic: time counts emulated instructions, and the disk is never written."""

    exit_key = "bochs"  # value of the configuration's emulator_exit

    def __init__(self, version):
        self.version = version
        self.name = f"bochs-{version}"
        self.title = f"Bochs {version}"
        self.default_model = "corei7_skylake_x"
        self.tree = CACHE / self.name

    def missing(self):
        """Why it cannot run, or None."""
        if self.tree.is_dir() or own_bochs() == self.version:
            return None
        return f"{self.title} is not here: run tools/setup"

    def _program(self, environment):
        if not self.tree.is_dir():
            environment["BXSHARE"] = "/usr/share/bochs"
            return ["bochs"]
        libraries = self.tree / "usr/lib/x86_64-linux-gnu"
        environment["LTDL_LIBRARY_PATH"] = str(libraries / "bochs/plugins")
        environment["BXSHARE"] = str(self.tree / "usr/share/bochs")
        return [str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries),
                str(self.tree / "usr/bin/bochs-bin")]

    def command(self, machine, port, folder):
        """The command to start it; its files (configuration, log) go to folder."""
        return self._command(machine, port, folder)

    def _command(self, machine, port, folder, devices=()):
        environment = dict(os.environ, TERM="xterm")
        program = self._program(environment)
        # The firmware of its own release: Bochs 2.7 takes none of 4 MiB, as Debian 13's is.
        own = self.tree / "usr/share/ovmf/OVMF.fd"
        firmware = (own if own.exists() else FIRMWARE).resolve()
        lines = [
            "config_interface: textconfig",
            "display_library: term",
            f"memory: guest={machine.memory}, host={min(machine.memory, BOCHS_HOST_MEMORY)}",
            f"cpu: model={machine.cpu_model or self.default_model}, count={machine.cpus}, "
            "ips=100000000, reset_on_triple_fault=0, quantum=16",
            "clock: sync=none, time0=946681200",
            f"romimage: file={firmware}, address={FIRMWARE_END - firmware.stat().st_size:#x}",
            f"vgaromimage: file={environment['BXSHARE']}/VGABIOS-lgpl-latest",
            "pci: enabled=1, chipset=i440fx",
            "sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy",
            "ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14",
            f'ata0-master: type=disk, path="{machine.image}", mode=volatile',
            f"com1: enabled=1, mode=socket-client, dev=127.0.0.1:{port}",
            *([f'com2: enabled=1, mode=file, dev="{machine.com2}"'] if machine.com2 else []),
            *([f"com2: enabled=1, mode=socket-client, dev=127.0.0.1:{machine.gdb_port}"]
              if machine.gdb_port else []),
            f"log: {folder / 'bochs.log'}",
            "panic: action=fatal",
            "error: action=report",
            "info: action=ignore",
            *devices,
        ]
        configuration = folder / "bochsrc"
        configuration.write_text("\n".join(lines) + "\n")
        arguments = [*program, "-q", "-f", str(configuration)]
        if self.version == "2.7":
            # This build has the debugger and would wait at its prompt.
            commands = folder / "debugger"
            commands.write_text("c\n")
            arguments += ["-rc", str(commands)]
        return Command(arguments, environment, console=bool(devices))


HOST_PACKAGES = CACHE / "nested-host"
HOST_ROOT = BUILD / "nested" / "host.cpio"
HOST_MEMORY = 768  # MiB that the host needs besides its guest's
# The clock of Bochs needs no checks, calibration is a waste of time, and nothing is to be defended.
HOST_CMDLINE = ("console=ttyS1,115200 tsc=reliable lpj=1000000 mitigations=off security=none "
                "nokaslr panic=-1")


class Nested(Bochs):
    """QEMU with KVM without a machine for it: Bochs is an Intel machine, and Debian's kernel runs
    on it as the host (docs/nested.md). The first serial port is QEMU's, the second the host's."""

    exit_key = "qemu"

    def __init__(self):
        super().__init__("3.0")
        self.name = "nested"
        self.title = "QEMU/KVM on a host in Bochs 3.0"
        # KVM emulates UMIP where the processor has none, but for SMSW; and a virtual interrupt whose
        # delivery stops at an EPT violation Bochs reports as the event before it (docs/errata.md).
        self.default_model = "host,+vmx,-umip,-vmx-apicv-vid"

    def missing(self):
        if HOST_PACKAGES.is_dir():
            return super().missing()
        return "the host's packages are not here: run tools/setup nested"

    def command(self, machine, port, folder):
        if machine.com2:
            raise UsageError(f"there is no second serial port with EMU={self.name}")
        host = folder / "host.img"
        parameters = (f"CPU={machine.cpu_model or self.default_model} CPUS={machine.cpus} "
                      f"MEMORY={machine.memory}")
        start = rf"\vmlinuz.efi initrd=\host.cpio initrd=\disk.cpio {HOST_CMDLINE} {parameters}"
        disk.make(host, {
            r"\vmlinuz.efi": HOST_PACKAGES / "vmlinuz",
            r"\host.cpio": HOST_ROOT,
            r"\disk.cpio": cpio.archive([cpio.file("disk.img", machine.image.read_bytes())]),
            r"\startup.nsh": f"{start}\r\n".encode()})
        below = replace(machine, image=host, cpu_model="corei7_skylake_x", cpus=1,
                        memory=machine.memory + HOST_MEMORY)
        return self._command(below, port, folder, (
            f"com2: enabled=1, mode=socket-client, dev=127.0.0.1:{port}",))


class Qemu:
    """QEMU. Without KVM it runs, but its CPU has no VMX and Lapwing says so."""

    exit_key = "qemu"
    name = "qemu"
    title = "QEMU"
    default_model = "host"

    def missing(self):
        if shutil.which("qemu-system-x86_64"):
            return None
        return "qemu-system-x86_64 is not here: run tools/setup with EMU=qemu"

    def command(self, machine, port, folder):
        virtual = not kvm_lacks_vmx()
        model = machine.cpu_model or (self.default_model if virtual else "max")
        return Command([
            "qemu-system-x86_64", "-nodefaults", "-no-reboot", "-display", "none",
            "-machine", "q35", "-accel", "kvm" if virtual else "tcg", "-cpu", model,
            "-smp", str(machine.cpus), "-m", str(machine.memory), "-bios", str(FIRMWARE),
            "-drive", f"file={machine.image},format=raw,snapshot=on,if=ide",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=0x4",
            "-chardev", f"socket,id=com1,host=127.0.0.1,port={port}", "-serial", "chardev:com1",
            *(["-serial", f"file:{machine.com2}"] if machine.com2 else []),
            *(["-serial", f"tcp:127.0.0.1:{machine.gdb_port}"] if machine.gdb_port else []),
        ], dict(os.environ))


BOCHS_3_0 = Bochs("3.0")
BOCHS_2_7 = Bochs("2.7")
NESTED = Nested()
QEMU = Qemu()
NAMES = {"qemu": QEMU, "bochs": BOCHS_3_0, "bochs-3.0": BOCHS_3_0, "bochs-2.7": BOCHS_2_7,
         "nested": NESTED}


def own_bochs():
    """The version of the machine's own Bochs, or None."""
    if not shutil.which("bochs"):
        return None
    text = subprocess.run(["bochs", "--help"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False).stdout
    found = re.search(r"Bochs x86 Emulator (\S+)", text)
    return found.group(1) if found else None


KVM_GET_SUPPORTED_CPUID = 0xC008AE05
CPUID_ENTRY = struct.Struct("<10I")
CPUID_1_ECX_VMX = 1 << 5


def kvm_lacks_vmx():
    """Why a KVM guest of this machine has no VMX, or None when it has."""
    try:
        kvm = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        return f"/dev/kvm: {error.strerror}"
    try:
        count = 256
        answer = bytearray(struct.pack("<II", count, 0) + bytes(count * CPUID_ENTRY.size))
        fcntl.ioctl(kvm, KVM_GET_SUPPORTED_CPUID, answer)
        count = struct.unpack_from("<I", answer)[0]
        for index in range(count):
            entry = CPUID_ENTRY.unpack_from(answer, 8 + index * CPUID_ENTRY.size)
            if entry[0] == 1:
                return None if entry[5] & CPUID_1_ECX_VMX else "KVM gives its guests no VMX"
        return "KVM reports no CPUID leaf 1"
    except OSError as error:
        return f"/dev/kvm: {error.strerror}"
    finally:
        os.close(kvm)


def choose(wanted):
    """The emulator and, in words, why. wanted is the value of EMU; empty leaves the choice."""
    if wanted:
        if wanted not in NAMES:
            raise UsageError(f"EMU={wanted}: expected one of {', '.join(NAMES)}")
        emulator, reason = NAMES[wanted], f"EMU={wanted}"
        if emulator.missing():
            raise UsageError(emulator.missing())
        return emulator, reason
    lacks = kvm_lacks_vmx() or QEMU.missing()
    if not lacks:
        return QEMU, "KVM gives its guests VMX"
    for emulator in (BOCHS_3_0, BOCHS_2_7):
        if not emulator.missing():
            return emulator, f"no QEMU: {lacks}"
    raise UsageError(BOCHS_3_0.missing())
