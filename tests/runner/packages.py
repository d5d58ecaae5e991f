# SPDX-License-Identifier: BSD-2-Clause
"""Programs for a PC that come as Debian packages, as guests: typed at up to their prompts."""

import re
import time
from dataclasses import dataclass

from lapwing import config, disk, paths
from lapwing.emulators import BOCHS_3_0, Machine
from lapwing.markers import ESCAPES, Story
from lapwing.session import Session
from tests.runner.report import KEPT, Result

LIMIT = 1200  # seconds of wall clock: the firmware takes its time to read a diskette
PC = paths.CACHE / "pc"

# Xen takes the console for itself with Ctrl-A thrice, and Lapwing passes one on that comes twice.
XEN_KEYS = 6 * b"\x01"


@dataclass(frozen=True)
class Program:
    """What a VM starts, and what is typed as soon as it has printed each of these (regular
    expressions for the end of what it printed). After the last thing typed the VM ends."""

    name: str
    kernel: str
    dialogue: tuple
    folder: str = "pc"
    cmdline: str = ""
    modules: tuple = ()
    memory: str = "64M"
    vcpus: int = 1
    diskette: str = ""  # the kernel then is the firmware that starts from it
    end: str = "reset"  # how the VM stops
    long: bool = False

    def vm(self):
        vm = config.Vm(self.name, paths.CACHE / self.folder / self.kernel, cmdline=self.cmdline,
                       modules=list(self.modules),
                       keys={"memory": self.memory, "vcpus": self.vcpus, "legacy": "on",
                             "time_limit": "30min"})
        if self.diskette:
            vm.keys |= {"firmware": "on", "fw_cfg": "on"}
            vm.fw_cfg_files = [(PC / "sercon-port", "etc/sercon-port"),
                               (PC / self.diskette, f"floppyimg/{self.name}")]
        return vm


def _xen(name, dialogue, **more):
    """Xen with Debian's generic kernel, the cloud one cannot be dom0. Its shell has no terminal."""
    return Program(name, "xen", dialogue, folder="xen", memory="1G", vcpus=2,
                   cmdline="console=com1 com1=115200,8n1 no-real-mode dom0_mem=512M",
                   modules=((paths.BUILD / "linux/vmlinux-generic", "console=hvc0 earlyprintk=xen"),
                            (paths.INITRAMFS, "")), **more)


PROGRAMS = (
    Program("memtest", "memtest86+x64.bin", (
        (r"#\d+ +\[Address test", b"\x1b"),
    ), cmdline="console=ttyS0,115200", memory="16M"),
    Program("memtest_pass", "memtest86+x64.bin", (
        (r"Pass: +1 +Errors: 0", b"\x1b"),
    ), cmdline="console=ttyS0,115200", memory="8M", long=True),
    Program("grub", "bios.bin", (
        (r"executed automatically in", b"c"),
        (r"grub> ", b"lsmmap\r"),
        (r"base_addr = 0x100000, length = 0x", b"reboot\r"),
    ), diskette="grub.img"),
    Program("ipxe", "bios.bin", (
        (r"Press Ctrl-B", b"\x02"),
        (r"iPXE> ", b"show version\r"),
        (r"version.*1\.0\.0.*iPXE> ", b"reboot\r"),
    ), diskette="ipxe.img", long=True),
    _xen("xen", (
        (r"Brought up 2 CPUs.*Hypervisor detected: Xen PV", XEN_KEYS + b"d"),
        (r"Dumping CPU.*RIP: .*Dumping CPU.*RIP: ", b"R"),
    )),
    _xen("xen_dom0", ((r"in a guest of Lapwing", b""),), end="power-off", long=True),
)


def names(long=False):
    return [f"packages/{program.name}" for program in PROGRAMS if program.long == long]


def _talk(session, story, dialogue):
    """Yields what never came."""
    end = time.monotonic() + LIMIT
    seen = 0
    for pattern, typed in dialogue:
        while not re.search(pattern, _text(session.log[seen:]), re.DOTALL):
            data = session.read(1)
            if data is None or story.over() or time.monotonic() > end:
                yield f"never printed {pattern!r}"
                return
            story.feed(data)
        seen = len(session.log)
        session.send(typed)
    while not story.over() and time.monotonic() < end:
        data = session.read(1)
        if data is None:
            return
        story.feed(data)


def _text(log):
    return ESCAPES.sub("", bytes(log).decode(errors="replace"))


def run(name, report):
    if missing := BOCHS_3_0.missing():
        report.add(Result(name, 0, [], [missing]))
        return
    program = next(program for program in PROGRAMS if name == f"packages/{program.name}")
    image = KEPT / f"{name.replace('/', '-')}.img"
    disk.make(image, config.image_files([program.vm()], BOCHS_3_0.exit_key, paths.EFI_APPLICATION))
    start = time.monotonic()
    story = Story()
    with Session(BOCHS_3_0, Machine(image)) as session:
        failures = list(_talk(session, story, program.dialogue))
        log = bytes(session.log)
    image.unlink()
    if story.stopped.get(program.name) != program.end:
        failures.append(f"saw the end {story.stopped.get(program.name)!r}, "
                        f"expected {program.end!r}")
    report.add(Result(name, 0 if failures else len(program.dialogue), failures, [], log,
                      time.monotonic() - start))
