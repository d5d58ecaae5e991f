# SPDX-License-Identifier: BSD-2-Clause
"""The tiny guests of tests/guest: many in one boot, each judged by its TAP and by how it ended."""

import re
import time
from dataclasses import dataclass, field, replace

from lapwing import config, disk, paths
from lapwing.markers import (EXITS, LOG_LINE, NOT_GIVEN_BACK, PART_OF_LINE, VM_STARTED, VM_STOPPED,
                             Story)
from lapwing.session import Session
from tests.runner import tap
from tests.runner.report import KEPT, Result
from tests.runner.stages import Start

SOURCES = paths.ROOT / "tests" / "guest"
VM_KEYS = ("memory", "time_limit", "vcpus", "apic_ids", "id_match", "x2apic", "cores", "threads",
           "hyperv", "vtls", "cmos", "pci", "pm_timer", "port_92", "debug_exit", "testdev", "legacy", "fw_cfg",
           "fw_cfg_file", "load_address")
# What of the hardware's APIC virtualization a VM can do without. No emulator has IPI virtualization.
APIC_KEYS = ("tpr_shadow", "apic_access", "apic_registers", "virtual_interrupts",
             "x2apic_virtualization", "posted_interrupts")
DECLARATION = re.compile(r"\s*(?://|;)\s*(\w+):\s*(.*?)\s*$")
DECLARATION_LINES = 30
WITHOUT = re.compile(r"without:([\w.]+)\s*\(([^)]*)\)")
BETWEEN_LIMIT = 120  # seconds of wall clock from one guest to the next
GUEST_LIMIT = 30  # and per guest, besides its own
EMULATED_SECOND = 10  # wall-clock seconds that a second of guest time may take
BOOTS_MAX = 6  # a boot that dies is repeated with the guests that are left, so often


@dataclass
class Guest:
    """A test guest and what its source declares."""

    name: str
    cmdline: str = ""
    modules: list = field(default_factory=list)
    keys: dict = field(default_factory=lambda: {"memory": "64M", "time_limit": "10s"})
    expect: str = "debug-exit code 1"
    without: dict = field(default_factory=dict)  # world: reason
    apic: dict = None  # also runs without the hardware's APIC virtualization, with these keys
    variants: dict = field(default_factory=dict)  # name: further keys
    long_variants: dict = field(default_factory=dict)
    group: str = ""  # of VMs that run side by side
    program: str = ""
    vm_name: str = ""

    def vm(self, world):
        keys = world.vm_keys | ({} if self.has_several() else world.lone_keys) | self.keys
        return config.Vm(self.vm_name, paths.BUILD / "guest" / f"{self.program}.elf", None,
                         self.cmdline, self.modules, keys)

    def has_several(self):
        """Is it a guest of several processors?"""
        return "apic_ids" in self.keys or self.keys.get("vcpus", "1") != "1"

    def variant(self, number, name, keys):
        """This guest with other keys. A VM's name may not be as long as a test's."""
        keys = dict(keys)
        return replace(self, name=f"{self.name}+{name}", vm_name=f"{self.program}.{number}",
                       cmdline=keys.pop("cmdline", self.cmdline), keys=self.keys | keys)

    def runs(self, world, long):
        """This guest and its variants, or those that only run at length."""
        whole = long == (world.processors_only and not self.is_about_processors())
        chosen = self.variants | self.without_apic_help() if whole else {}
        if long:
            chosen = chosen | self.long_variants | self.apic_help_in_turn(world)
        guests = [self.variant(number, *variant) for number, variant in enumerate(chosen.items())]
        return [self, *guests] if whole else guests

    def without_apic_help(self):
        if self.apic is None:
            return {}
        return {"all=off": self.apic | {key: "off" for key in APIC_KEYS}}

    def apic_help_in_turn(self, world):
        if self.apic is None or not world.apic_keys_in_turn:
            return {}
        return {f"{key}=off": self.apic | {key: "off"} for key in APIC_KEYS}

    def is_about_processors(self):
        return self.apic is not None or not self.keys.keys().isdisjoint(("vcpus", "apic_ids"))

    def seconds(self):
        """Its time limit in seconds."""
        number, unit = re.fullmatch(r"(\d+)\s*(ms|s|min)", self.keys["time_limit"]).groups()
        return int(number) * {"ms": 0.001, "s": 1, "min": 60}[unit]


def keys_of(words):
    return dict(word.split("=", 1) for word in words)


def read(source):
    """The guest of one source file."""
    guest = Guest(source.stem, program=source.stem, vm_name=source.stem)
    for line in source.read_text().splitlines()[:DECLARATION_LINES]:
        match = DECLARATION.match(line)
        if not match:
            continue
        key, value = match.groups()
        if key == "module":
            path, _, text = value.partition(" ")
            guest.modules.append((paths.ROOT / path, text))
        elif key == "worlds":
            guest.without = dict(WITHOUT.findall(value))
        elif key in ("variant", "long_variant"):
            name, *words = value.split()
            getattr(guest, key + "s")[name] = keys_of(words)
        elif key == "apic":
            guest.apic = keys_of(value.split()[1:])
        elif key in VM_KEYS:
            guest.keys[key] = value
        elif key in ("cmdline", "expect", "group"):
            setattr(guest, key, value)
    return guest


def all_guests(world, long=False):
    """Every guest that is to run in this world; with long, those that are too long for always."""
    sources = [*SOURCES.glob("*.c"), *SOURCES.glob("*.asm")]
    guests = [guest for source in sorted(sources) if not source.stem.startswith(("bench_", "demo_", "typed_"))
              if not world.only or source.stem in world.only
              for guest in read(source).runs(world, long)]
    if not guests and not long:
        raise RuntimeError(f"no guests in {SOURCES}")
    return guests


def judge(guest, world, lines, reason, seconds):
    """The result of a guest that printed lines and ended for reason."""
    judgement = tap.judge(lines)
    failures = judgement.failures
    if not re.match(re.escape(guest.expect) + r"(?!\w)", reason):
        failures.append(f"saw the end '{reason}', expected '{guest.expect}'")
    return Result(f"{world.name}/{guest.name}", judgement.passed, failures, judgement.skips,
                  "\n".join(lines + [f"stopped: {reason}", ""]).encode(), seconds)


def with_partners(chosen, guests):
    """These guests, and those that run side by side with one of them."""
    groups = {guest.group for guest in chosen if guest.group}
    return [guest for guest in guests if guest in chosen or guest.group in groups]


def configured(guests, world):
    """Their VMs: groups together, the first of each starting after what came before."""
    guests = sorted(guests, key=lambda guest: (guest.group, guest.name))
    vms = [guest.vm(world) for guest in guests]
    for before, guest, vm in zip(guests, guests[1:], vms[1:]):
        if guest.group and guest.group == before.group:
            vm.keys = vm.keys | {"start": "beside"}
    return vms


@dataclass
class Running:
    """A VM that runs, and what it has printed."""

    guest: Guest
    since: float = field(default_factory=time.monotonic)
    lines: list = field(default_factory=list)

    def part(self, goes_on, text):
        """Adds a line, or the rest of the last one."""
        if goes_on and self.lines:
            self.lines[-1] += text
        else:
            self.lines.append(text)


class Boot:
    """One boot of a world; reports guests as they end and knows which are left."""

    def __init__(self, world, guests, report):
        self._world = world
        self._left = {guest.vm_name: guest for guest in guests}
        self._report = report
        self._running = {}  # by VM name
        self._began = False
        self._not_given_back = []
        self.exits = set()  # the reasons for which there were any
        self._since = time.monotonic()

    def run(self, image):
        """Returns the guests that did not run."""
        story = Story()
        trouble = None
        with Session(self._world.emulator, self._world.machine(image)) as session:
            start = Start(self._world, "start", session, self._report)
            while not trouble:
                data = session.read(1)
                for line in story.feed(data or b""):
                    self._line(line)
                if data is None or story.done:
                    break
                trouble = start.trouble() or self._trouble(story)
            if story.panic:
                # The report of a panic takes a moment.
                while (data := session.read(2)):
                    story.feed(data)
            if self._left and not trouble:
                trouble = start.failed(story.verdict()
                                       or "the emulator ended before Lapwing was done")
            log = session.everything()
        if self._left:
            self._blame(trouble, log)
        elif self._not_given_back or self._began:
            self._report.add(Result(f"{self._world.name}/memory_given_back", 1,
                                    self._not_given_back, [], log))
        return list(self._left.values())

    def _line(self, line):
        if match := VM_STARTED.match(line):
            self._began = True
            self._since = time.monotonic()
            if match[1] in self._left:
                self._running[match[1]] = Running(self._left[match[1]])
        elif match := VM_STOPPED.match(line):
            self._since = time.monotonic()
            if match[1] in self._running:
                self._stopped(self._running[match[1]], match[2])
        elif match := NOT_GIVEN_BACK.match(line):
            self._not_given_back.append(match[1])
        elif match := EXITS.match(line):
            self.exits.add(match[1])
        elif not LOG_LINE.match(line):
            self._printed(line)

    def _stopped(self, ended, reason):
        guest = ended.guest
        result = judge(guest, self._world, ended.lines, reason, time.monotonic() - ended.since)
        if guest.group:
            late = [other.name for other in self._left.values()
                    if other.group == guest.group and other.vm_name not in self._running]
            result.failures.extend(f"'{name}' did not run at the same time" for name in late)
        self._report.add(result)
        del self._left[guest.vm_name], self._running[guest.vm_name]

    def _printed(self, line):
        match = PART_OF_LINE.match(line)
        if match and match[1] in self._running and self._running[match[1]].guest.group:
            self._running[match[1]].part(match[2] == "+", match[3])
        elif len(self._running) == 1:
            next(iter(self._running.values())).part(False, line)

    def _trouble(self, story):
        if story.panic or story.refused:
            return story.verdict()
        if not self._began:
            return None
        limit = BETWEEN_LIMIT
        if self._running:
            limit = sum(GUEST_LIMIT + EMULATED_SECOND * vm.guest.seconds()
                        for vm in self._running.values())
        limit *= self._world.slowness
        if time.monotonic() - self._since > limit:
            return f"nothing ended within {limit:.0f} s of wall clock"
        return None

    def _blame(self, trouble, log):
        """The guests that ran, else the first one left, pay for a boot that died; all do when
        it died before the first guest, for then a second boot would not do better."""
        guests = list(self._left.values())
        if self._began:
            guests = [vm.guest for vm in self._running.values()] or guests[:1]
        for guest in guests:
            name = f"{self._world.name}/{guest.name}"
            self._report.add(Result(name, 0, [trouble], [], log, time.monotonic() - self._since))
            del self._left[guest.vm_name]


def run(world, guests, report):
    """Runs these guests in one world. Returns the names of the reasons of their VM exits."""
    exits = set()
    if missing := world.emulator.missing():
        for guest in guests:
            report.add(Result(f"{world.name}/{guest.name}", 0, [], [missing]))
        return exits
    left = []
    for guest in guests:
        if reason := guest.without.get(world.name):
            report.add(Result(f"{world.name}/{guest.name}", 0, [], [reason]))
        else:
            left.append(guest)
    image = KEPT / f"{world.name}.img"
    for _ in range(BOOTS_MAX):
        if not left:
            break
        files = config.image_files(configured(left, world), world.emulator.exit_key,
                                   paths.EFI_APPLICATION, world.machine_keys)
        disk.make(image, files)
        boot = Boot(world, left, report)
        left = boot.run(image)
        exits |= boot.exits
    for guest in left:
        report.add(Result(f"{world.name}/{guest.name}", 0,
                          [f"did not run: {BOOTS_MAX} boots of this world died"]))
    image.unlink(missing_ok=True)
    return exits
