# SPDX-License-Identifier: BSD-2-Clause
"""What a panic prints and how it ends the machine. Faults are patched into a copy of the product:
it has no switch that makes it panic."""

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass

from lapwing import config, disk, paths
from lapwing.emulators import BOCHS_3_0, Machine
from lapwing.markers import Story
from lapwing.session import Session
from tests.runner.report import KEPT, Result

LIMIT = 120  # seconds
EMULATOR_ENDS = 5  # seconds after the serial line was closed
TOOLS_RUN = paths.ROOT / "tools" / "run"
HELLO = paths.BUILD / "guest" / "hello.elf"

IMAGE = paths.BUILD / "efi" / "lapwing.bin"  # as it stands in the application
SYMBOLS = paths.BUILD / "efi" / "symbols"
IMAGE_BASE = 0xffffffff80000000  # core/layout.h
PATCHED = "vmx_run"
CALLER = "vcpu_run"
OUTER = "core_main"  # further out are the start-up's frames
PROLOGUE = bytes.fromhex("554889e5")  # push rbp; mov rbp, rsp


@dataclass(frozen=True)
class Panic:
    """An instruction that must make Lapwing panic for this reason."""

    name: str
    code: bytes
    reason: str
    cr2: str = r"[0-9a-f]{16}"


PANICS = (
    Panic("invalid_opcode", bytes.fromhex("0f0b"), "invalid opcode (vector 6, error code 0)"),
    # mov byte [0], 0. Error code: a write to a page that is not present.
    Panic("null_pointer", bytes.fromhex("c604250000000000"),
          "page fault (vector 14, error code 0x2)", "0" * 16),
)
STATUS = "panic/exit_status"
TRACED = re.compile(rb"Trace of \d+ events")


def names():
    return [f"panic/{panic.name}" for panic in PANICS] + [STATUS]


def _function_offset(wanted):
    """Where in the image a function's code is."""
    for line in SYMBOLS.read_text(encoding="ascii").split("\0"):
        address, _, name = line.partition(" ")
        if name == wanted:
            return int(address, 16) - IMAGE_BASE
    raise RuntimeError(f"{SYMBOLS}: no symbol {wanted}")


def _patched(code):
    """The application with code after the prologue of PATCHED."""
    application = bytearray(paths.EFI_APPLICATION.read_bytes())
    start = application.index(IMAGE.read_bytes()) + _function_offset(PATCHED)
    at = start + len(PROLOGUE)
    if application[start:at] != PROLOGUE:
        raise RuntimeError(f"{PATCHED} does not begin with the prologue that is expected")
    application[at:at + len(code)] = code
    return bytes(application)


def _report(panic):
    """What the whole report must look like, as a regular expression."""
    number = r"[0-9a-f]{16}"
    registers = (("rax", "rbx", "rcx", "rdx"), ("rsi", "rdi", "rbp", "rsp"),
                 ("r8 ", "r9 ", "r10", "r11"), ("r12", "r13", "r14", "r15"),
                 ("rip", "cs ", "rfl", "ss "))
    frame = rf"  {number}  \w+\+0x[0-9a-f]+"
    lines = [re.escape(f"PANIC: {panic.reason}"), r"CPU \d+, APIC ID \d+"]
    lines += ["  ".join(f"{name} {number}" for name in names) for names in registers]
    lines += [f"cr0 {number}  cr2 {panic.cr2}  cr3 {number}  cr4 {number}", "At:",
              rf"  {number}  {PATCHED}\+{len(PROLOGUE):#x}", "Stack trace:",
              rf"  {number}  {CALLER}\+0x[0-9a-f]+",
              rf"(?:{frame}\n)*  {number}  {OUTER}\+0x[0-9a-f]+",
              rf"{frame}(?:\n{frame})*"]
    return "\n".join(lines) + "\n?"


def _run(panic, image):
    """Boots and reads until the emulator ends; returns what is wrong, and the log."""
    story = Story()
    start = time.monotonic()
    with Session(BOCHS_3_0, Machine(image)) as session:
        while time.monotonic() < start + LIMIT:
            data = session.read(1)
            story.feed(data or b"")
            if data is None or story.done:
                break
        ended = session.wait(EMULATOR_ENDS) is not None
        log = bytes(session.log)
    text = log.decode(errors="replace").replace("\r", "")
    report = text[text.find("PANIC: "):] if story.panic else ""
    failures = []
    if not re.fullmatch(_report(panic), report):
        failures.append(f"saw another report than expected: {report.strip()!r}")
    if not ended:
        failures.append("the emulator did not end by itself")
    return failures, log


def _run_status(folder, application):
    """tools/run with an application that panics."""
    environment = dict(os.environ, O=str(folder), EMU=BOCHS_3_0.name)
    done = subprocess.run(
        [sys.executable, "-B", TOOLS_RUN, "--efi", application, "--kernel", HELLO,
         "--key", "memory=64M", "--trace", "exits"],
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=LIMIT, check=False)
    failures = []
    if done.returncode != 1:
        failures.append(f"saw the exit status {done.returncode} of tools/run, expected 1")
    verdict = f"tools/run: Lapwing panicked: {PANICS[0].reason}"
    if verdict not in done.stderr.decode(errors="replace").splitlines():
        failures.append(f"saw {done.stderr.decode(errors='replace')!r}, expected '{verdict}'")
    if not TRACED.search(done.stdout) or b"incomplete" in done.stderr:
        failures.append("saw no whole trace of what came before")
    return failures, done.stdout + done.stderr


def run(name, report):
    if missing := BOCHS_3_0.missing():
        report.add(Result(name, 0, [], [missing]))
        return
    start = time.monotonic()
    folder = KEPT / name
    folder.mkdir(parents=True, exist_ok=True)
    if name == STATUS:
        application = folder / "BOOTX64.EFI"
        application.write_bytes(_patched(PANICS[0].code))
        failures, log = _run_status(folder, application)
    else:
        panic = next(panic for panic in PANICS if f"panic/{panic.name}" == name)
        image = folder / "disk.img"
        vm = config.Vm("guest", HELLO, keys={"memory": "64M"})
        disk.make(image, config.image_files([vm], BOCHS_3_0.exit_key, _patched(panic.code)))
        failures, log = _run(panic, image)
        image.unlink()
    report.add(Result(name, 0 if failures else 1, failures, [], log, time.monotonic() - start))
