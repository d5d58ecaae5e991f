# SPDX-License-Identifier: BSD-2-Clause
"""What Lapwing must refuse before it leaves the firmware: the exact message, the status that the
firmware gets, and that the firmware then goes on."""

import re
import time
from dataclasses import dataclass, field

from lapwing import config, disk, paths
from lapwing.emulators import BOCHS_3_0, Machine
from lapwing.markers import Story
from lapwing.session import Session
from tests.runner.report import KEPT, Result

LIMIT = 120  # seconds
HELLO = paths.BUILD / "guest" / "hello.elf"
KERNEL = "\\EFI\\lapwing\\kernel"
CONFIG = f"[lapwing]\nemulator_exit = bochs\n[vm guest]\nkernel = {KERNEL}\nmemory = 64M\n"
# OVMF says so about an application that came back with an error; only running firmware can.
FIRMWARE_GOES_ON = b"BdsDxe: failed to start"


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
    )


def names():
    return [f"refusal/{refusal.name}" for refusal in _refusals()]


def _failures(refusal, story, log):
    if not re.fullmatch(refusal.pattern(), story.refused):
        yield f"saw the refusal '{story.refused}', expected '{refusal.message}'"
    if story.returned != refusal.status:
        yield f"saw the status '{story.returned}', expected '{refusal.status}'"
    if FIRMWARE_GOES_ON not in log:
        yield "the firmware did not go on"


def run(name, report):
    refusal = next(refusal for refusal in _refusals() if f"refusal/{refusal.name}" == name)
    if missing := BOCHS_3_0.missing():
        report.add(Result(name, 0, [], [missing]))
        return
    image = KEPT / f"{refusal.name}.img"
    disk.make(image, {disk.BOOT_FILE: paths.EFI_APPLICATION,
                      disk.CONFIG_FILE: refusal.config.encode(), **refusal.files})
    story = Story()
    start = time.monotonic()
    with Session(BOCHS_3_0, Machine(image, refusal.cpu_model, memory=refusal.memory)) as session:
        while time.monotonic() < start + LIMIT:
            data = session.read(1)
            story.feed(data or b"")
            if data is None or FIRMWARE_GOES_ON in session.log or story.done or story.panic:
                break
        log = bytes(session.log)
    image.unlink()
    failures = list(_failures(refusal, story, log))
    report.add(Result(name, 0 if failures else 1, failures, [], log, time.monotonic() - start))
