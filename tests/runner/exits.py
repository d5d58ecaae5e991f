# SPDX-License-Identifier: BSD-2-Clause
"""What follows the last VM: on_exit = reset starts the emulated machine anew, and one without ACPI
tables, as Bochs is with this firmware, says that it cannot be switched off.

The firmware does not come far the second time: a reset of Bochs's chipset forgets where the PM timer
is, but not that it is there, so that the firmware looks for it at the wrong port for ever. That shows
in Bochs's log, and no reset means that it does not."""

import time

from lapwing import config, disk, paths
from lapwing.emulators import BOCHS_3_0, Machine
from lapwing.session import Session
from tests.runner.report import KEPT, Result

LIMIT = 240  # seconds
HELLO = paths.BUILD / "guest" / "hello.elf"
STARTED = b"vm last: started"
NEVER = b"vm never: started"

FIRMWARE_AGAIN = "read from port 0x0008"
STUCK = b"lapwing: the machine takes no reset"

# Which VM says what, and what the serial line has to show in this order.
EXITS = {
    "reset": (("next", "reset", "next"), (b"lapwing: resetting the machine",)),
    "poweroff": (("next", "poweroff", "next"),
                 (b"lapwing: how this machine is switched off is not known: "
                  b"there is no sound FADT", b"The machine can be switched off now.")),
}


def names():
    return [f"on_exit/{name}" for name in EXITS]


def _vms(words):
    for name, word in zip(("first", "last", "never"), words):
        yield config.Vm(name, HELLO, keys={"memory": "64M", "on_exit": word})


def _failures(session, expected):
    end = time.monotonic() + LIMIT
    at = 0
    for text in (b"vm first: started", STARTED, *expected):
        while (found := session.log.find(text, at)) < 0:
            if session.read(1) is None or time.monotonic() > end:
                yield f"never saw {text.decode()!r}"
                return
        at = found + len(text)
    if expected == EXITS["reset"][1]:
        while FIRMWARE_AGAIN not in session.emulator_log() and STUCK not in session.log:
            if session.read(1) is None or time.monotonic() > end:
                yield "the firmware did not start anew"
                return
        if STUCK in session.log:
            yield "the machine was not reset"
    if NEVER in session.log:
        yield "the VM after the last one ran"


def run(name, report):
    if missing := BOCHS_3_0.missing():
        report.add(Result(name, 0, [], [missing]))
        return
    words, expected = EXITS[name.partition("/")[2]]
    image = KEPT / f"{name.replace('/', '_')}.img"
    disk.make(image, config.image_files(list(_vms(words)), "none", paths.EFI_APPLICATION))
    start = time.monotonic()
    with Session(BOCHS_3_0, Machine(image)) as session:
        failures = list(_failures(session, expected))
        log = bytes(session.log)
    image.unlink()
    report.add(Result(name, 0 if failures else len(expected), failures, [], log,
                      time.monotonic() - start))
