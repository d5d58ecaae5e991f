# SPDX-License-Identifier: BSD-2-Clause
"""What Lapwing must refuse before it leaves the firmware, and what check.efi says of a machine: the
exact message, the status that the firmware gets, and that the firmware goes on at a key."""

import re
import time
from dataclasses import dataclass, field

from lapwing import config, disk, paths
from lapwing.emulators import BOCHS_3_0
from lapwing.markers import Story
from lapwing.session import Session
from tests.runner.report import KEPT, Result
from tests.runner.stages import Start
from tests.runner.worlds import World

LIMIT = 120  # seconds of wall clock, times the world's slowness
HELLO = paths.BUILD / "guest" / "hello.elf"
KERNEL = "\\EFI\\lapwing\\kernel"
CONFIG = f"[lapwing]\nemulator_exit = bochs\n[vm guest]\nkernel = {KERNEL}\nmemory = 64M\n"
# OVMF says so about an application that came back with an error; only running firmware can.
FIRMWARE_GOES_ON = b"BdsDxe: failed to start"
SHELL_GOES_ON = b"on goes the firmware"
MENU_GOES_ON = b"Press any key to continue"
# OVMF's way from its shell to the first boot entry: what it shows, and the key that follows.
DOWN, ENTER = b"\x1b[B", b"\r"
TO_ENTRY = ((b"This is the option", DOWN), (b"This selection", DOWN), (b"This selection", ENTER),
            (b"Device Path", ENTER))
WAITS = b"lapwing: going on in 60 seconds, or when a key is pressed"


@dataclass(frozen=True)
class Refusal:
    """A machine and a disk that must be refused in these words with this status."""

    name: str
    message: str  # "<N>" in it stands for any number: some depend on the kernel and the firmware
    status: str
    cpu_model: str = ""
    memory: int = 2048
    config: str = CONFIG
    files: dict = field(default_factory=lambda: {KERNEL: HELLO})
    checks: bool = False  # check.efi is started, and message is its verdict
    options: str = None  # the firmware's shell starts Lapwing with these load options
    entry: str = None  # or a boot entry does, which the shell has made

    def disk_files(self):
        application = paths.CHECK_APPLICATION if self.checks else paths.EFI_APPLICATION
        boot = {disk.BOOT_FILE: application}
        if self.options is not None:
            script = f"fs0:\\lapwing.efi {self.options}\r\necho on goes the firmware\r\n"
            boot = {"\\lapwing.efi": application, "\\startup.nsh": script.encode()}
        if self.entry is not None:
            script = ("bcfg boot add 0 fs0:\\lapwing.efi Lapwing\r\n"
                      "bcfg boot -opt 0x0 fs0:\\options\r\nexit\r\n")
            boot = {"\\lapwing.efi": application, "\\startup.nsh": script.encode(),
                    "\\options": self.entry.encode("utf-16-le")}
        return boot | {disk.CONFIG_FILE: self.config.encode()} | self.files

    def goes_on(self):
        """What the firmware says then."""
        if self.entry is not None:
            return MENU_GOES_ON
        return FIRMWARE_GOES_ON if self.options is None else SHELL_GOES_ON

    def pattern(self):
        return re.escape(self.message).replace("<N>", "[0-9a-fx]+")


def _refusals():
    truncated = paths.BZIMAGE.read_bytes()[:1 << 20]
    return (
        Refusal("no_vmx", "this processor has no VMX (Intel VT-x)", "EFI_UNSUPPORTED",
                cpu_model="ryzen"),
        Refusal("no_ept",
                "this processor's VMX lacks 'VMX-preemption timer', 'EPT', 'unrestricted guest', "
                "'save IA32_PAT', 'load IA32_PAT on exit', 'save IA32_EFER', "
                "'load IA32_EFER on exit', 'save VMX-preemption timer', 'load IA32_PAT on entry', "
                "'load IA32_EFER on entry', 'EPT with 4 levels', "
                "'EPT structures in write-back memory', 'INVEPT', 'INVEPT of all trees'", "EFI_UNSUPPORTED", cpu_model="core2_penryn_t9600"),
        Refusal("config_line",
                r"\EFI\lapwing\lapwing.conf:3:10: bad value '63K' for 'memory'; "
                "expected a size from 4M to 256G in steps of 2M, such as 512M",
                "EFI_INVALID_PARAMETER", config="[vm guest]\nkernel = \\x\nmemory = 63K\n"),
        Refusal("no_kernel", f"VM 'guest': kernel '{KERNEL}' not found", "EFI_NOT_FOUND",
                files={}),
        Refusal("unknown_kernel",
                f"VM 'guest': kernel '{KERNEL}': unknown format: first bytes "
                "54 68 69 73 20 69 73 20; expected Linux bzImage, vmlinux ELF, PVH or Multiboot",
                "EFI_LOAD_ERROR", files={KERNEL: b"This is no kernel.\n" * 1000}),
        Refusal("truncated_kernel",
                f"VM 'guest': kernel '{KERNEL}': truncated: the packed kernel needs bytes "
                "<N>-<N>, the file has 0x100000", "EFI_LOAD_ERROR", files={KERNEL: truncated}),
        Refusal("no_memory",
                "VM 'guest': 1024 MiB of memory and <N> MiB for Lapwing itself are needed, "
                "but only <N> MiB are free", "EFI_OUT_OF_RESOURCES", memory=512,
                config=CONFIG.replace("64M", "1G")),
        Refusal("no_memory_beside",
                "VM 'guest' and those beside it: 600 MiB of memory and <N> MiB for Lapwing itself "
                "are needed, but only <N> MiB are free", "EFI_OUT_OF_RESOURCES", memory=512,
                config=CONFIG.replace("64M", "300M")
                + f"[vm b]\nstart = beside\nmemory = 300M\nkernel = {KERNEL}\n"),
        Refusal("load_options",
                "VM 'guest': 1024 MiB of memory and <N> MiB for Lapwing itself are needed, "
                "but only <N> MiB are free", "EFI_OUT_OF_RESOURCES", memory=512,
                options='log=debug "guest.cmdline=one two" guest.memory=1G'),
        Refusal("load_option_word",
                "load options:2:14: bad value '63K' for 'memory'; "
                "expected a size from 4M to 256G in steps of 2M, such as 512M",
                "EFI_INVALID_PARAMETER", options="log=debug guest.memory=63K"),
        Refusal("boot_entry",
                "load options:2:14: bad value '65K' for 'memory'; "
                "expected a size from 4M to 256G in steps of 2M, such as 512M",
                "EFI_INVALID_PARAMETER", entry="log=debug guest.memory=65K"),
        Refusal("check_names_what_lacks",
                "Lapwing does not run here: this processor's VMX lacks 'unrestricted guest'",
                "EFI_UNSUPPORTED", cpu_model="corei5_lynnfield_750", checks=True),
    )


def names():
    return [f"refusal/{refusal.name}" for refusal in _refusals()]


def _failures(refusal, story, log):
    said = story.checked if refusal.checks else story.refused
    if not re.fullmatch(refusal.pattern(), said):
        yield f"saw '{said}', expected '{refusal.message}'"
    if story.returned != refusal.status:
        yield f"saw the status '{story.returned}', expected '{refusal.status}'"
    if refusal.goes_on() not in log:
        yield "the firmware did not go on"


def check(refusal, name, world, report):
    """Boots the world's machine into this refusal and reports it under that name."""
    image = KEPT / f"{name.replace('/', '-')}.img"
    disk.make(image, refusal.disk_files())
    story = Story()
    asked, keys, seen = False, list(TO_ENTRY if refusal.entry else ()), 0
    began = time.monotonic()
    with Session(world.emulator, world.machine(image)) as session:
        start = Start(world, name.rpartition("/")[2], session, report)
        while not start.trouble() and start.seconds_since() < LIMIT * world.slowness:
            data = session.read(1)
            story.feed(data or b"")
            if keys and keys[0][0] in session.log[seen:]:
                seen = len(session.log)
                session.send(keys.pop(0)[1])
            waits = WAITS in session.log
            goes_on = waits and refusal.goes_on() in session.log
            if data is None or goes_on or story.done or story.panic:
                break
            if waits and not asked:
                session.send(b" ")
                asked = True
        log = session.everything()
    image.unlink()
    failures = list(_failures(refusal, story, log))
    report.add(Result(name, 0 if failures else 1, failures, [], log, time.monotonic() - began))


def run(name, report):
    refusal = next(refusal for refusal in _refusals() if f"refusal/{refusal.name}" == name)
    if missing := BOCHS_3_0.missing():
        report.add(Result(name, 0, [], [missing]))
        return
    check(refusal, name, World("refusal", BOCHS_3_0, refusal.cpu_model, 1, memory=refusal.memory),
          report)
