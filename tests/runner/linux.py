# SPDX-License-Identifier: BSD-2-Clause
"""Debian's kernel as a guest, up to the shell: commands are typed, their answers checked."""

import hashlib
import re
import time
from dataclasses import dataclass

from lapwing import config, disk, paths
from lapwing.markers import ESCAPES, Story
from lapwing.session import Session
from tests.runner.report import KEPT, Result
from tests.runner.stages import Start

LIMIT = 420  # seconds of wall clock, times the world's slowness
PROMPT = "# "
GREETING = "in a guest of Lapwing"


@dataclass(frozen=True)
class Boot:
    """A kernel on a virtual machine in a world."""

    world: object
    name: str
    kernel: object = paths.VMLINUX
    vcpus: int = 1
    x2apic: bool = True
    hyperv: bool = False
    legacy: str = ""  # the parameter with which Linux uses the PC's old devices

    def vm(self):
        cmdline = f"console=ttyS0{'' if self.x2apic else ' nox2apic'} {self.legacy}"
        keys = {"vcpus": self.vcpus}
        if self.legacy:
            keys["legacy"] = "on"
        if self.hyperv:
            keys["hyperv"] = "on"
        return config.Vm("linux", self.kernel, paths.INITRAMFS, cmdline, keys=keys)


@dataclass(frozen=True)
class Step:
    """A command typed at the prompt, and what its answer must look like."""

    name: str
    command: str
    answer: str  # regular expression for the whole answer, DOTALL


# The kernel writes warnings and worse with priorities 0 to 4. This comes with the machine:
KNOWN_WARNINGS = (
    "RETBleed: WARNING",  # the processor model has no IBRS
    "boot CPU (#0) not listed by the BIOS",  # with nolapic Linux does not look for it
)
WARNINGS = "dmesg -r | grep '^<[0-4]>'"

# The first of these keeps the shell from breaking long lines, and news out of the answers.
STEPS = (
    Step("quiet", "stty cols 999; dmesg -n 1", r""),
    Step("uname", "uname -a", r"Linux .* SMP .* x86_64 GNU/Linux"),
    Step("arithmetic", "echo $((6 * 7)) $((1 << 40))", r"42 1099511627776"),
    Step("memory", "grep -c . /proc/meminfo", r"[1-9]\d+"),
    Step("sleep", "sleep 1 && echo awake", r"awake"),
    Step("serial_port", "dmesg | grep -o 'ttyS0 at .*'", r"ttyS0 at I/O 0x3f8 \(irq = 4, .*"),
    # 892 bytes go out by interrupts; one of them may fill the FIFO of 16 bytes several times.
    Step("serial_interrupts",
         "n() { awk '/ttyS0/ {for (i = 2; i <= NF; i++) n += $i} END {print n}' /proc/interrupts; };"
         " a=$(n); seq 200; sleep 1; echo rose by $(($(n) - a))",
         r"(\d+\n){200}rose by [1-9]\d+"),
)
LAST_STEPS = (
    Step("no_warnings", WARNINGS, r""),
    Step("job_control", "sleep 100 & jobs; kill %1", r"\[1\]\+ +Running +sleep 100.*"),
)

# What the kernel finds of Hyper-V's interface it uses.
HYPERV_STEPS = (
    Step("hyperv", "dmesg | grep -o 'Hypervisor detected: .*\\|Hyper-V: Using .*'",
         r"Hypervisor detected: Microsoft Hyper-V\n"
         r"Hyper-V: Using hypercall for remote TLB flush\nHyper-V: Using IPI hypercalls"),
    Step("timers", "cat /sys/devices/system/clockevents/clockevent0/current_device",
         r"Hyper-V clockevent"),
)

UNPLUGS = 20
FORKS = 10  # rounds, of three processes and two pipes each
BYTES = 200_000


def _lines(texts):
    return re.escape("\n".join(sorted(texts)))


def _forks(vcpus):
    """Processes that come and go, anywhere."""
    def text(name):
        return "".join(f"{name}.{i}\n" for i in range(FORKS)).encode()
    command = (f"(for c in $(seq {2 * vcpus}); do (for i in $(seq 0 {FORKS - 1}); do "
               "echo $c.$i | cat | cat; done | md5sum) & done; wait) | sort")
    return Step("forks", command, _lines(f"{hashlib.md5(text(name)).hexdigest()}  -"
                                         for name in range(1, 2 * vcpus + 1)))


def _checksums(vcpus):
    """A computation on each processor."""
    def text(cpu):
        return (f"{cpu}\n" * BYTES)[:BYTES].encode()
    command = (f"(for c in $(seq 0 {vcpus - 1}); do taskset -c $c sh -c "
               f"\"yes $c | head -c {BYTES} | sha256sum\" & done; wait) | sort")
    return Step("checksums", command, _lines(f"{hashlib.sha256(text(cpu)).hexdigest()}  -"
                                             for cpu in range(vcpus)))


def _unplugs(vcpus):
    """The processors but the first go and come back in turn."""
    command = (f"for i in $(seq {UNPLUGS}); do c=/sys/devices/system/cpu/cpu$((1 + i % {vcpus - 1}));"
               " for on in 0 1; do echo $on >$c/online && cat $c/online; done; done | sort | uniq -c")
    return Step("unplugs", command, rf"{UNPLUGS} 0\n +{UNPLUGS} 1")


# Without a local APIC the timer interrupts by way of the 8259; without an I/O APIC the others do.
LEGACY_STEPS = {
    "nolapic": (Step("pit", "cat /sys/devices/system/clockevents/clockevent0/current_device; "
                     "grep -o '^ *0:  *[0-9]*.*timer' /proc/interrupts",
                     r"pit\n *0: +[1-9]\d\d+ +XT-PIC +timer"),),
    "noapic": (Step("8259", "grep -o '^ *4:.*ttyS0' /proc/interrupts",
                    r" *4: +[1-9]\d+ .*XT-PIC +ttyS0"),),
}


def _steps(boot):
    every = rf"( +[1-9]\d*){{{boot.vcpus}}} "
    routing = r"(Switched APIC routing to:? .*flat\.?)?"
    if boot.x2apic:
        routing = r"x2apic enabled\nSwitched APIC routing to:? (physical|cluster) x2apic\.?"
    yield from STEPS
    yield Step("processors", "nproc; grep -c -w hypervisor /proc/cpuinfo",
               rf"{boot.vcpus}\n{boot.vcpus}")
    yield Step("apic", "dmesg | grep -o 'x2apic enabled\\|Switched APIC routing.*'", routing)
    yield _forks(boot.vcpus)
    if boot.vcpus > 1:
        yield _unplugs(boot.vcpus)
    yield _checksums(boot.vcpus)
    rescheduling = rf"\bRES:{every}.*" if boot.vcpus > 1 else ""
    timer = rf"\bLOC:{every}.*{rescheduling}"
    if boot.legacy == "nolapic":
        timer = r"\bLOC:.*"
    if boot.hyperv:
        timer = rf"{rescheduling}\bHVS:{every}.*"
        yield from HYPERV_STEPS
    yield Step("interrupts", "cat /proc/interrupts",
               rf".*\bttyS0\b.*{timer}\bERR: +0\b.*\bMIS: +0\b.*")
    yield from LEGACY_STEPS.get(boot.legacy, ())
    yield Step("clock", "cat /sys/devices/system/clocksource/clocksource0/current_clocksource",
               "hyperv_clocksource_tsc_page" if boot.hyperv else "tsc")
    yield from LAST_STEPS


# What of the matrix "make test" runs; the rest is for "make test-long".
USUAL = {"skylake_x": (4, True), "haswell": (8, False), "sandy_bridge": (2, False),
         "bochs_2.7": (2, True), "kvm": (4, True)}


def boots(worlds, long):
    """Which kernels run where: the packed one on one processor in the first world; the fast one
    on 2, 4 and 8 processors, in either APIC mode, everywhere."""
    if not long:
        yield Boot(worlds[0], f"linux/bzImage_{worlds[0].name}", paths.BZIMAGE)
        yield Boot(worlds[0], f"linux/hyperv_{worlds[0].name}", vcpus=4, hyperv=True)
    first = worlds[0]
    if long:
        yield Boot(first, f"linux/generic_{first.name}", paths.BUILD / "linux/vmlinux-generic", 2)
        yield Boot(first, f"linux/noapic_{first.name}", vcpus=2, x2apic=False, legacy="noapic")
    else:
        yield Boot(first, f"linux/trixie_{first.name}", paths.BUILD / "linux/vmlinux-trixie", 2)
        yield Boot(first, f"linux/nolapic_{first.name}", x2apic=False, legacy="nolapic")
    for world in worlds:
        for vcpus in (2, 4, 8):
            for x2apic in (False, True):
                if ((vcpus, x2apic) != USUAL[world.name]) == long:
                    mode = "x2apic" if x2apic else "xapic"
                    yield Boot(world, f"linux/{vcpus}_{mode}_{world.name}", vcpus=vcpus,
                               x2apic=x2apic)


class Shell:
    """Types at the guest's shell."""

    def __init__(self, session, story, start, limit):
        self._session = session
        self._story = story
        self._start = start
        self._limit = limit
        self._seen = 0

    def answer(self):
        """What was printed since the last call up to the next prompt; None if it never came."""
        while True:
            text = self._text()
            if text.endswith(PROMPT):
                self._seen = len(self._session.log)
                return text.rpartition("\n")[0]
            if self._read() is None or self._start.trouble() or self._story.over() or self._late():
                return None

    def type(self, command):
        self._session.send(command.encode() + b"\n")

    def finish(self):
        """Reads until Lapwing is done."""
        while not self._story.over() and not self._late():
            if self._read() is None:
                return

    def _late(self):
        return self._start.seconds_since() > self._limit

    def _read(self):
        data = self._session.read(1)
        self._story.feed(data or b"")
        return data

    def _text(self):
        text = bytes(self._session.log[self._seen:]).decode(errors="replace")
        return ESCAPES.sub("", text).replace("\r", "")


def _take_steps(shell, boot):
    """Yields what went wrong, or None for each thing that went well."""
    greeting = shell.answer()
    if greeting is None or GREETING not in greeting:
        yield "saw no shell, expected one"
        return
    yield None
    for step in _steps(boot):
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


def run(boot, report):
    world = boot.world
    if missing := world.emulator.missing():
        report.add(Result(boot.name, 0, [], [missing]))
        return
    image = KEPT / f"{boot.name.replace('/', '-')}.img"
    disk.make(image,
              config.image_files([boot.vm()], world.emulator.exit_key, paths.EFI_APPLICATION))
    began = time.monotonic()
    story = Story()
    with Session(world.emulator, world.machine(image)) as session:
        start = Start(world, boot.name.rpartition("/")[2], session, report)
        shell = Shell(session, story, start, LIMIT * world.slowness)
        outcomes = list(_take_steps(shell, boot))
        log = session.everything()
    image.unlink()
    outcomes.append(story.verdict())
    report.add(Result(boot.name, outcomes.count(None), [text for text in outcomes if text], [], log,
                      time.monotonic() - began))
