# SPDX-License-Identifier: BSD-2-Clause
"""Debian's GDB on a guest: breakpoints on two processors and in VTL1, stepping, registers, memory,
interrupting, leaving."""

import re
import shutil
import subprocess
import time

from lapwing import config, disk, paths
from lapwing.emulators import BOCHS_3_0, Machine
from lapwing.relay import Relay
from lapwing.session import Session
from tests.runner.report import KEPT, Result

NAME = "gdb/session"
LIMIT = 400  # seconds
GUEST = "typed_debug"
SYMBOLS = paths.BUILD / "guest" / "obj" / "64" / f"{GUEST}.elf"
WAITS = b"waits for GDB"

SCRIPT = """
set pagination off
set confirm off
set remotetimeout 120
target remote 127.0.0.1:{port}
echo POINT connected\\n
info threads
break *add_seven
continue
print/x $rdi
print counter
print $xmm0.v2_int64[0] == $xmm0.v2_int64[0]
print $cr0 & 1
bt 2
set var $rdi = 35
delete
finish
print $
break *(long)&stepped_begin
continue
x/i $pc
stepi
x/i $pc
stepi
stepi
x/i $pc
stepi
x/i $pc
break *on_second
continue
info threads
print argument
x/2xb on_second
hbreak *in_vtl1
continue
info threads
thread
print counter
thread apply all print/x $pc != 0
delete
print *(char *)0x123456789abc
set var *(int *)0x123456789abc = 1
print $cr3 = 0
print $rip = 0x8000000000000000
print/x add_seven == *(unsigned long *)&$rip
info registers rip
interrupt_later
continue
bt 1
print from_debugger
set var from_debugger = 99
break *ends
continue
print counter
delete
detach
"""

# What GDB has to print, as regular expressions that match one after the other.
ANSWERS = (
    r"POINT connected", r"\* 1 +Thread 1 \(vcpu 0 vtl 0\)", r"2 +Thread 4 \(vcpu 1 vtl 0\)",
    r"Breakpoint 1, (0x[0-9a-f]+ in )?add_seven \(to=5\)", r"\$1 = 0x5", r"\$2 = 5", r"\$3 = 1",
    r"\$4 = 1", r"#0 .*add_seven", r"#1 .*test_main", r"Value returned is \$\d+ = 42", r"= 42",
    r"Breakpoint 2, ", r"=> 0x[0-9a-f]+ <stepped[^>]*>:\tnop", r"xor +%eax,%eax",
    r"cpuid", r"=> 0x[0-9a-f]+ <stepped[^>]*>:\tnop",
    r"Thread 2 hit Breakpoint 3, (0x[0-9a-f]+ in )?on_second", r"\* 2 +Thread 4 \(vcpu 1 vtl 0\)",
    r"= 100",
    r"Breakpoint 4, (0x[0-9a-f]+ in )?in_vtl1", r"\* 3 +Thread 2 \(vcpu 0 vtl 1\)",
    r"Current thread is 3", r"= 142",
    r"Cannot access memory at address 0x123456789abc",
    r"Cannot access memory at address 0x123456789abc",
    r"Could not write register \"cr3\"", r"Could not write register \"rip\"",
    r"received signal SIGINT", r"#0 .*spins", r"= 1\b",
    r"Breakpoint 5, (0x[0-9a-f]+ in )?ends", r"= 1142",
    r"detached",
)


def names():
    return [NAME]


def _script(port):
    """GDB's own interrupt needs a terminal: a process of ours does it, once the guest spins."""
    script = KEPT / "gdb.script"
    text = SCRIPT.format(port=port).replace(
        "interrupt_later\n", "python import threading, os, signal; "
        "threading.Timer(8, os.kill, (os.getpid(), signal.SIGINT)).start()\n")
    script.write_text(text)
    return script


def _wait_for(session, text, end):
    while text not in session.log:
        if session.read(1) is None or time.monotonic() > end:
            return False
    return True


def _debug(session, relay):
    end = time.monotonic() + LIMIT
    if not _wait_for(session, WAITS, end):
        return [f"never saw {WAITS.decode()!r}"], b""
    with subprocess.Popen(
            ["gdb", "-q", "-nx", SYMBOLS], stdin=_script(relay.port).open("rb"),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as gdb:
        try:
            while gdb.poll() is None and time.monotonic() < end:
                session.read(1)
        finally:
            gdb.kill()
        output = gdb.stdout.read()
    failures = []
    text, at = output.decode(errors="replace"), 0
    for answer in ANSWERS:
        match = re.compile(answer).search(text, at)
        if not match:
            failures.append(f"GDB never printed {answer!r}")
            break
        at = match.end()
    if not failures and not _wait_for(session, b"stopped: debug-exit code 1", end):
        failures.append("the guest did not go on after GDB had left")
    return failures, output


def run(name, report):
    missing = BOCHS_3_0.missing() or (None if shutil.which("gdb") else "gdb is not here: run tools/setup")
    if missing:
        report.add(Result(name, 0, [], [missing]))
        return
    vm = config.Vm("guest", paths.BUILD / "guest" / f"{GUEST}.elf",
                   keys={"memory": "64M", "vcpus": "2", "hyperv": "on", "vtls": "2",
                         "gdb": "com2-wait"})
    image = KEPT / "gdb.img"
    disk.make(image, config.image_files([vm], BOCHS_3_0.exit_key, paths.EFI_APPLICATION))
    start = time.monotonic()
    with Relay() as relay, Session(BOCHS_3_0, Machine(image, gdb_port=relay.inner_port)) as session:
        failures, output = _debug(session, relay)
        log = bytes(session.log) + b"\n---- GDB ----\n" + output
    image.unlink()
    report.add(Result(name, 0 if failures else len(ANSWERS), failures, [], log,
                      time.monotonic() - start))
