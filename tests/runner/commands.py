# SPDX-License-Identifier: BSD-2-Clause
"""The commands of README.md, typed on a terminal as a person does."""

import os
import pty
import re
import select
import subprocess
import time
from dataclasses import dataclass

from lapwing import config, disk, paths
from lapwing.markers import ESCAPES
from tests.runner import traces
from tests.runner.report import KEPT, Result

LIMIT = 420  # seconds
PROMPT = r"/root # $"


@dataclass(frozen=True)
class Command:
    """What is typed, at first and once each of these has been seen, and what comes of it."""

    name: str
    command: str
    dialogue: tuple = ()  # (regular expression for the end of the output so far, text to type)
    output: tuple = ()  # regular expressions for lines
    long: bool = False
    check: object = None  # given the output, yields what is wrong besides


def _row(message, takers, manual):
    """A line of the table of DEMO=alias."""
    mark = "" if takers == manual else r"\(!\) "
    return rf"  CPU \d to {message} +{re.escape(takers)} +{re.escape(manual)} +{mark}[a-z].*"


def _table(policy, *rows):
    """The answers that make the policies differ, and the rest as the manual has it."""
    by_manual = (("23h", "CPU 1+2"), ("45h", "CPU 3+4"), ("46h", "nobody"),
                 ("logical 04h", "CPU 1+2"), ("00000023h", "CPU 1+2"), ("00000123h", "nobody"),
                 ("FFFFFFFFh", "everyone"), ("23h", "CPU 1"), ("00000123h", "CPU 2"))
    lines = [_row(message, row or manual, manual)
             for row, (message, manual) in zip(rows, by_manual)]
    right = rows.count(None)
    return (rf"id_match = {policy}: .*", *lines, rf"  {right} of 9 as the manual has it")


ALIAS = (*_table("architectural", *[None] * 9),
         *_table("knl", None, None, None, None, None, "CPU 1+2", None, None, "CPU 1+2"),
         *_table("kvm-32bit", "CPU 1", "CPU 3", None, None, "CPU 1", "CPU 2", None, None, None))

VSM = (r'    VTL1: I keep a secret at .*', r"    VTL1: VTL0's instruction at .*",
       r"    VTL0: nothing\. .*", r'    VTL1: "the word is swordfish": it is still there\.',
       r"    from VTL0: VTL0 of CPU 0 took 1, VTL1 took 0",
       r"    from VTL1: VTL0 of CPU 0 took 1, VTL1 took 1, all in all",
       r"    VTL0: I count, .*", r"    VTL1: my timer has come: .*",
       r"    VTL0: I had got to many thousands .*")

SHELL = (r"Emulator: .*\. Ctrl-A x quits\.", r".* info  lapwing: all VMs are done")


def _image(_):
    """The configuration on the image is that of "make run"."""
    image = paths.BUILD / "lapwing.img"
    where = f"{image}@@{disk.FIRST * disk.SECTOR}"
    written = subprocess.run(["mtype", "-i", where, "::/EFI/lapwing/lapwing.conf"],
                             stdout=subprocess.PIPE, check=True).stdout
    guest = config.Vm("guest", paths.VMLINUX, paths.INITRAMFS, "console=ttyS0",
                      keys={"vcpus": "4"})
    expected = config.image_files([guest], "none", paths.EFI_APPLICATION)[disk.CONFIG_FILE]
    if written.replace(b"\r", b"") != expected:
        yield f"saw the configuration {written!r}, expected {expected!r}"


def _directory(_):
    """The check stands where the firmware looks, and the configuration is there."""
    boot = KEPT / "EFI" / "BOOT" / "BOOTX64.EFI"
    if boot.read_bytes() != paths.CHECK_APPLICATION.read_bytes():
        yield f"{boot} is not {paths.CHECK_APPLICATION}"
    if not (KEPT / "EFI" / "lapwing" / "lapwing.conf").is_file():
        yield "there is no configuration"


def _targets(_):
    """Every target has its line."""
    listed = subprocess.run(["make", "help"], cwd=paths.ROOT, stdout=subprocess.PIPE, check=True,
                            text=True).stdout
    for path in (paths.ROOT / "Makefile", *paths.ROOT.glob("*/*.mk"), *paths.ROOT.glob("*/*/*.mk")):
        for names in re.findall(r"^\.PHONY: (.*)$", path.read_text(), re.MULTILINE):
            for target in names.split():
                if not re.search(rf"^  {target} +\S", listed, re.MULTILINE):
                    yield f"saw no line for {target}"


def _alias_traced(text):
    """The trace shows what was printed, and the picture of docs/trace.md can be made of it."""
    yield from traces.alias(text, paths.BUILD / "run" / "trace.json")
    dump, picture = paths.BUILD / "run" / "trace.bin", paths.BUILD / "run" / "trace.svg"
    for options in (["--svg", picture, "--vm", "architectural", "--around", "60h to 23h"],
                    ["--text"]):
        done = subprocess.run(["tools/trace", *options, dump], cwd=paths.ROOT, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            yield f"tools/trace {options[0]} failed: {done.stdout[-200:]!r}"
    if picture.read_text().count("marker-end") != 3:  # and one in the legend
        yield "saw a picture without an arrow from CPU 0 to CPU 1 and one to CPU 2"


def _vsm_traced(text):
    return traces.vsm(text, paths.BUILD / "run" / "trace.json")


TRACED = (r"Trace of \d{4,} events: open build/run/trace.json in .*",
          r"or see it as a table: tools/trace --text build/run/trace.bin")

COMMANDS = (
    Command("help", "make help", output=(r"  run +[a-z].*", r"  test +[a-z].*"), check=_targets),
    Command("image", "make image VCPUS=4", check=_image),
    Command("esp", f"make esp CHECK=1 DIR={KEPT}", check=_directory),
    Command("check", "make run CHECK=1",
            output=(r"EPT +required +yes", r"verdict: Lapwing runs here",
                    r"lapwing: all this is in \\EFI\\lapwing\\check.txt, too",
                    r"lapwing: returning to the firmware: EFI_SUCCESS")),
    Command("run", "make run", ((PROMPT, "uname -m\n"), (r"\nx86_64\n" + PROMPT, "poweroff\n")),
            SHELL),
    Command("demo_alias", "make run DEMO=alias", output=ALIAS),
    Command("demo_alias_trace", "make run DEMO=alias TRACE=1", output=(*ALIAS, *TRACED),
            check=_alias_traced),
    Command("demo_vsm", "make run DEMO=vsm", output=VSM),
    Command("demo_vsm_trace", "make run DEMO=vsm TRACE=1", output=(*VSM, *TRACED),
            check=_vsm_traced, long=True),
    Command("own_kernel", "make run KERNEL=build/guest/power_off.elf INITRD= CMDLINE=",
            output=(r"ok 1 - .*", r".* info  vm guest: stopped: power-off")),
    Command("run_vcpus", "make run VCPUS=4",
            ((PROMPT, "nproc\n"), (r"\n4\n" + PROMPT, "poweroff\n")), SHELL, long=True),
    Command("run_bzimage", "make run KERNEL=bzImage",
            ((PROMPT, "uname -m\n"), (r"\nx86_64\n" + PROMPT, "poweroff\n")), SHELL, long=True),
)


def names(long):
    return [f"command/{command.name}" for command in COMMANDS if command.long == long]


class _Terminal:
    """A terminal with a command on it."""

    def __init__(self, command, environment):
        self._fileno, theirs = pty.openpty()
        try:
            self._process = subprocess.Popen(
                command.split(), cwd=paths.ROOT, env=environment, stdin=theirs, stdout=theirs,
                stderr=theirs, start_new_session=True)
        finally:
            os.close(theirs)
        self._end = time.monotonic() + LIMIT
        self.log = b""

    def text(self):
        return ESCAPES.sub("", self.log.decode(errors="replace")).replace("\r", "")

    def read(self):
        """Whether there is more to come."""
        while time.monotonic() < self._end:
            if select.select([self._fileno], [], [], 1)[0]:
                try:
                    self.log += os.read(self._fileno, 65536)
                    return True
                except OSError:  # the last user of the terminal is gone
                    return False
        return False

    def answer(self, dialogue):
        """Talks until the output ends; yields what was never seen."""
        seen = 0
        for expected, typed in dialogue:
            while not re.search(expected, self.text()[seen:]):
                if not self.read():
                    yield f"never saw '{expected}'"
                    return
            seen = len(self.text())
            os.write(self._fileno, typed.encode())
        while self.read():
            pass

    def status(self):
        """Ends the command if need be."""
        try:
            return self._process.wait(1)
        except subprocess.TimeoutExpired:
            self._process.terminate()
            self._process.wait()
            return None
        finally:
            os.close(self._fileno)


def _missing_lines(text, wanted):
    """Those of the wanted lines that do not come, in this order."""
    lines = iter(text.split("\n"))
    for pattern in wanted:
        if not any(re.fullmatch(pattern, line) for line in lines):
            yield f"saw no line '{pattern}' after those before it"
            return


def run(name, emulator, report):
    command = next(command for command in COMMANDS if f"command/{command.name}" == name)
    if missing := emulator.missing():
        report.add(Result(name, 0, [], [missing]))
        return
    start = time.monotonic()
    # Nothing of the make that runs us.
    environment = {key: value for key, value in os.environ.items()
                   if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}
    terminal = _Terminal(command.command, environment | {"EMU": emulator.name})
    failures = list(terminal.answer(command.dialogue))
    status = terminal.status()
    if status != 0:
        failures.append(f"saw the exit status {status}, expected 0")
    failures += _missing_lines(terminal.text(), command.output)
    if command.check and not failures:
        failures += command.check(terminal.text())
    report.add(Result(name, 0 if failures else 1, failures, [], terminal.log,
                      time.monotonic() - start))
