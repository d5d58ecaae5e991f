# SPDX-License-Identifier: BSD-2-Clause
"""The monitor on the serial console, while a guest spins with interrupts disabled."""

import re
import time

from lapwing import config, disk, paths
from lapwing.emulators import BOCHS_3_0, Machine
from lapwing.session import Session
from tests.runner.report import KEPT, Result

NAME = "monitor/serial"
LIMIT = 300  # seconds
SPINNER = paths.BUILD / "guest" / "typed_monitor.elf"
ECHO = paths.BUILD / "guest" / "typed_echo.elf"
KEY = b"\x01"

# What is typed, and what has to follow, as regular expressions that match one after the other.
DIALOGUE = (
    (b"", r"(?s)(?=.*spin\| ready)(?=.*echo\| \? )"),  # in either order
    (KEY + b"h", r"Ctrl-A, then a letter", r"v   the VMs and their processors", r"Na  the local",
     r"p   pause the VM", r"Ctrl-A  types one Ctrl-A"),
    (KEY + b"v", r"\* 0: vm spin: 64 MiB, \d+\.\d+ s of its time, 2 vCPUs, 1 VTLs, gets what is typed",
     r"vcpu 0: APIC ID 23h, on CPU \d: (runs|waits its turn), VTL 0 of 1h, 64-bit mode, "
     r"cs:rip 8:[0-9a-f]+, cr3 [0-9a-f]+\r",
     r"vcpu 1: APIC ID 123h, on CPU \d: waits to be started, VTL 0 of 1h, real mode",
     r"  1: vm echo: 64 MiB"),
    (KEY + b"a", r"vm spin:\r",
     r"vcpu 0 VTL 0: APIC ID 23h \(32-bit ID 23h\), mode xAPIC, software-enabled, base fee00000, "
     r"BSP", r"LDR 00, DFR fh: flat", r"TPR 40, PPR 40, spurious vector ff", r"IRR: 31 62\r",
     r"ISR: none", r"TMR: none", r"LVT timer: fixed, vector 51, masked",
     r"timer: periodic, initial count 4294967295, divided by 1: \d+ us left",
     r"LVT LINT0: fixed, vector 00, masked, edge, active high", r"ESR: 00\r"),
    (KEY + b"1a", r"vcpu 1 VTL 0: APIC ID 23h \(32-bit ID 123h\), mode xAPIC, software-disabled"),
    (KEY + b"2a", r"vm spin has the processors 0 to 1"),
    (KEY + b"m", r"vm spin: id_match = knl", r"group 0 \(VTL 0\): 1 destinations",
     r"ID 23h: vcpu 0 1\r"),
    (KEY + b"i", r"vm spin: vcpu 0: NMI", r"spin\| NMI 1, longest pause \d+ ms"),
    (KEY + b"p", r"vm spin: paused"),
    (KEY + b"v", r"vm spin: 64 MiB, (?P<before>\d+\.\d+) s of its time", r"vcpu 0: [^\r]*: paused",
     r"vcpu 1: [^\r]*: paused"),
    # The other VM runs on, for some seconds of its time.
    (KEY + b"n" + b"one\n", r"console: what is typed goes to vm echo", r"got one"),
    (KEY + b"v", r"vm spin: 64 MiB, (?P<after>\d+\.\d+) s of its time"),
    (KEY + b"0s", r"vm spin is chosen"),
    (KEY + b"p", r"vm spin: goes on"),
    (KEY + b"0i", r"vm spin: vcpu 0: NMI", r"spin\| NMI 2, longest pause (?P<pause>\d+) ms"),
    (KEY + b"x", r"vm spin: exits, and their rate over \d+ ms", r"\d+ +\d+/s  preemption timer",
     r"\d+ +\d+/s  all\r"),
    (KEY + b"3l", r"log = debug"),
    (KEY + b"l", r"log = error"),
    (KEY + b"2l", r"log = info"),
    (KEY + b"z", r"does not know that letter"),
    (KEY + b"9s", r"there is no such VM"),
    (KEY + b"r", r"vm spin: stopped: reset", r"vm spin: started", r"spin\| ready"),
    (b"end\n", r"got end", r"vm echo: stopped: debug-exit code 1"),
    # Nobody gets what is typed now.
    (b"lost\n" + KEY + b"v", r"\* 0: vm spin", r"vcpu 0: "),
    (KEY + b"p", r"vm spin: paused"),
    (KEY + b"r", r"vm spin: stopped: reset", r"vm spin: started", r"ready"),
)


def names():
    return [NAME]


def _vms():
    yield config.Vm("spin", SPINNER, keys={"memory": "64M", "apic_ids": "0x23, 0x123",
                                           "id_match": "knl"})
    yield config.Vm("echo", ECHO, keys={"memory": "64M", "start": "beside"})


def _talk(session):
    """Yields what never came."""
    end = time.monotonic() + LIMIT
    at = 0
    seen = {}
    for typed, *answers in DIALOGUE:
        session.send(typed)
        for answer in answers:
            pattern = re.compile(answer.encode())
            while not (match := pattern.search(session.log, at)):
                if session.read(1) is None or time.monotonic() > end or b"PANIC" in session.log:
                    yield f"after {typed!r}: never saw {answer!r}"
                    return
            at = match.end()
            seen |= match.groupdict()
    if seen["before"] != seen["after"]:
        yield f"a paused VM's time went from {seen['before']!r} to {seen['after']!r}"
    if int(seen["pause"]) > 100:
        yield f"the guest saw a pause of {int(seen['pause'])} ms"


def run(name, report):
    if missing := BOCHS_3_0.missing():
        report.add(Result(name, 0, [], [missing]))
        return
    image = KEPT / "monitor.img"
    disk.make(image, config.image_files(list(_vms()), BOCHS_3_0.exit_key, paths.EFI_APPLICATION))
    start = time.monotonic()
    with Session(BOCHS_3_0, Machine(image)) as session:
        failures = list(_talk(session))
        log = bytes(session.log)
    image.unlink()
    points = sum(len(answers) for _, *answers in DIALOGUE)
    report.add(Result(name, 0 if failures else points, failures, [], log,
                      time.monotonic() - start))
