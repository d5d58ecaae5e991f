# SPDX-License-Identifier: BSD-2-Clause
"""Debian's kernel as a guest, up to the shell: commands are typed, their answers checked."""

import re
import time
from dataclasses import dataclass

from lapwing import config, disk, paths
from lapwing.emulators import Machine
from lapwing.markers import ESCAPES, Story
from lapwing.session import Session
from tests.runner.report import KEPT, Result

LIMIT = 420  # seconds of wall clock, times the world's slowness
PROMPT = "# "
GREETING = "in a guest of Lapwing"


@dataclass(frozen=True)
class Kernel:
    name: str
    path: object
    cmdline: str = "console=ttyS0"


@dataclass(frozen=True)
class Step:
    """A command typed at the prompt, and what its answer must look like."""

    name: str
    command: str
    answer: str  # regular expression for the whole answer, DOTALL


# The kernel writes warnings and worse with priorities 0 to 4. These come with the machine:
KNOWN_WARNINGS = (
    "RETBleed: WARNING",  # the processor model has no IBRS
    "PCI: Fatal: No config space access function found",  # there is no PCI
    "PCI: System does not support PCI",
)
WARNINGS = "dmesg -r | grep '^<[0-4]>'"

STEPS = (
    Step("uname", "uname -a", r"Linux .* SMP .* x86_64 GNU/Linux"),
    Step("arithmetic", "echo $((6 * 7)) $((1 << 40))", r"42 1099511627776"),
    Step("interrupts", "cat /proc/interrupts", r".*\bttyS0\b.*\bLOC: +[1-9].*\bERR: +0\b.*"),
    Step("memory", "grep -c . /proc/meminfo", r"[1-9]\d+"),
    Step("hypervisor", "grep -c -w hypervisor /proc/cpuinfo", r"1"),
    Step("sleep", "sleep 1 && echo awake", r"awake"),
    Step("no_warnings", WARNINGS, r""),
    Step("job_control", "sleep 100 & jobs; kill %1", r"\[1\]\+ +Running +sleep 100.*"),
)

VMLINUX = Kernel("vmlinux", paths.VMLINUX)
BZIMAGE = Kernel("bzImage", paths.BZIMAGE)


def boots(worlds):
    """Which kernels run where: the fast one in every world, the other in the first."""
    yield worlds[0], BZIMAGE
    for world in worlds:
        yield world, VMLINUX


class Shell:
    """Types at the guest's shell."""

    def __init__(self, session, story, end):
        self._session = session
        self._story = story
        self._end = end
        self._seen = 0

    def answer(self):
        """What was printed since the last call up to the next prompt; None if it never came."""
        while True:
            text = self._text()
            if text.endswith(PROMPT):
                self._seen = len(self._session.log)
                return text.rpartition("\n")[0]
            if self._read() is None or self._story.over() or time.monotonic() > self._end:
                return None

    def type(self, command):
        self._session.send(command.encode() + b"\n")

    def finish(self):
        """Reads until Lapwing is done."""
        while not self._story.over() and time.monotonic() < self._end:
            if self._read() is None:
                return

    def _read(self):
        data = self._session.read(1)
        self._story.feed(data or b"")
        return data

    def _text(self):
        text = bytes(self._session.log[self._seen:]).decode(errors="replace")
        return ESCAPES.sub("", text).replace("\r", "")


def _take_steps(shell):
    """Yields what went wrong, or None for each thing that went well."""
    greeting = shell.answer()
    if greeting is None or GREETING not in greeting:
        yield "saw no shell, expected one"
        return
    yield None
    for step in STEPS:
        shell.type(step.command)
        answer = shell.answer()
        if answer is None:
            yield f"{step.name}: saw no prompt again, expected one"
            return
        # The first line is the echo of what was typed; the shell may add news of its jobs.
        lines = [line for line in answer.split("\n")[1:]
                 if not any(known in line for known in KNOWN_WARNINGS)]
        answer = "\n".join(lines).strip()
        if re.fullmatch(step.answer, answer, re.DOTALL):
            yield None
        else:
            yield f"{step.name}: saw {answer!r}, expected {step.answer!r}"
    shell.type("poweroff")
    shell.finish()


def run(name, world, kernel, report):
    if missing := world.emulator.missing():
        report.add(Result(name, 0, [], [missing]))
        return
    image = KEPT / f"{name.replace('/', '-')}.img"
    guest = config.Vm("linux", kernel.path, paths.INITRAMFS, kernel.cmdline)
    disk.make(image, config.image_files([guest], world.emulator.exit_key, paths.EFI_APPLICATION))
    start = time.monotonic()
    story = Story()
    with Session(world.emulator, Machine(image, world.cpu_model)) as session:
        shell = Shell(session, story, start + LIMIT * world.slowness)
        outcomes = list(_take_steps(shell))
        log = bytes(session.log)
    image.unlink()
    outcomes.append(story.verdict())
    report.add(Result(name, outcomes.count(None), [text for text in outcomes if text], [], log,
                      time.monotonic() - start))
