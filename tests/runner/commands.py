# SPDX-License-Identifier: BSD-2-Clause
"""The commands of README.md and docs/, typed on a terminal as a person does."""

import os
import pty
import re
import select
import shlex
import subprocess
import time
from dataclasses import dataclass

from lapwing import config, disk, paths
from lapwing.emulators import Machine
from lapwing.markers import ESCAPES
from lapwing.session import Session
from tests.runner import traces
from tests.runner.report import KEPT, Result

LIMIT = 420  # seconds
PROMPT = r"/root # $"

# What the documentation names stands for something of the reader's. A stick is a file here: what is
# written on it byte by byte, and started from, is the same.
STICK = KEPT / "stick.img"
MOUNTED = KEPT / "stick"
STAND_INS = {"sudo ": "", "/dev/sdX": str(STICK), "/media/me/STICK": str(MOUNTED),
             "--svg trace.svg": f"--svg {paths.BUILD / 'run' / 'trace.svg'}"}


@dataclass(frozen=True)
class Command:
    """What is typed, at first and once each of these has been seen, and what comes of it."""

    name: str
    command: str  # as the documentation has it
    # (regular expression for the end of the output so far, text to type or a function of no
    # argument that does something and returns what there is to read besides)
    dialogue: tuple = ()
    output: tuple = ()  # regular expressions for lines
    then: tuple = ()  # commands that come after it
    long: bool = False
    check: object = None  # given the output and the emulator, yields what is wrong besides


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


def _configuration(expected):
    """The check that the configuration on the image is this."""
    def check(*_):
        where = f"{paths.BUILD / 'lapwing.img'}@@{disk.FIRST * disk.SECTOR}"
        written = subprocess.run(["mtype", "-i", where, "::/EFI/lapwing/lapwing.conf"],
                                 stdout=subprocess.PIPE, check=True).stdout.replace(b"\r", b"")
        if written != expected():
            yield f"saw the configuration {written!r}, expected {expected()!r}"
    return check


def _of_linux(vcpus):
    """That of "make run"."""
    guest = config.Vm("guest", paths.VMLINUX, paths.INITRAMFS, "console=ttyS0",
                      keys={"vcpus": vcpus})
    return config.image_files([guest], "none", paths.EFI_APPLICATION)[disk.CONFIG_FILE]


def _of_demo_alias():
    demo = paths.ROOT / "tests" / "guest" / "demo_alias.conf"
    return config.head("none") + demo.read_bytes()


def _stick(_, emulator):
    """The copy starts the check, which finds that all is there."""
    with Session(emulator, Machine(STICK)) as session:
        end = time.monotonic() + LIMIT
        while b"verdict: Lapwing runs here" not in session.log:
            if session.read(1) is None or time.monotonic() > end:
                yield f"a machine with the stick only printed {bytes(session.log[-200:])!r}"
                break
    STICK.unlink()


def _directory(application):
    """The check that this stands where the firmware looks, and the configuration is there."""
    def check(*_):
        boot = MOUNTED / "EFI" / "BOOT" / "BOOTX64.EFI"
        if boot.read_bytes() != application.read_bytes():
            yield f"{boot} is not {application}"
        if not (MOUNTED / "EFI" / "lapwing" / "lapwing.conf").is_file():
            yield "there is no configuration"
    return check


def _targets(*_):
    """Every target has its line."""
    listed = subprocess.run(["make", "help"], cwd=paths.ROOT, stdout=subprocess.PIPE, check=True,
                            text=True).stdout
    for path in (paths.ROOT / "Makefile", *paths.ROOT.glob("*/*.mk"), *paths.ROOT.glob("*/*/*.mk")):
        for names in re.findall(r"^\.PHONY: (.*)$", path.read_text(), re.MULTILINE):
            for target in names.split():
                if not re.search(rf"^  {target} +\S", listed, re.MULTILINE):
                    yield f"saw no line for {target}"


def _alias_traced(text, _):
    """The trace shows what was printed, and the picture has its arrows."""
    yield from traces.alias(text, paths.BUILD / "run" / "trace.json")
    picture = paths.BUILD / "run" / "trace.svg"
    if picture.read_text().count("marker-end") != 3:  # and one in the legend
        yield "saw a picture without an arrow from CPU 0 to CPU 1 and one to CPU 2"


GDB = "gdb build/linux/vmlinux -ex 'target remote 127.0.0.1:1234'"


def _debug():
    """Types in another terminal what "make run GDB=1" says, and lets the guest go on."""
    talk = ("info threads", "stepi", "x/i $pc", "detach")
    gdb, *arguments = shlex.split(GDB)
    done = subprocess.run([gdb, "-nx", "-q", "-batch", *arguments,
                           *(word for line in talk for word in ("-ex", line))],
                          cwd=paths.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, timeout=LIMIT, check=False)
    return done.stdout


def _vsm_traced(text, _):
    return traces.vsm(text, paths.BUILD / "run" / "trace.json")


TRACED = (r"Trace of \d{4,} events: open build/run/trace.json in .*",
          r"or see it as a table: tools/trace --text build/run/trace.bin")

COMMANDS = (
    Command("help", "make help", output=(r"  run +[a-z].*", r"  test +[a-z].*"), check=_targets),
    Command("emulator", "make emulator", output=(r"(Bochs|QEMU) .*",)),
    Command("guests", "make guests"),
    Command("image", "make image", check=_configuration(lambda: _of_linux("1"))),
    Command("image_vcpus", "make image VCPUS=4", check=_configuration(lambda: _of_linux("4"))),
    Command("image_demo", "make image DEMO=alias", check=_configuration(_of_demo_alias)),
    Command("image_check", "make image CHECK=1",
            then=("sudo dd if=build/lapwing.img of=/dev/sdX bs=1M conv=fsync",), check=_stick),
    Command("esp", "make esp DIR=/media/me/STICK", check=_directory(paths.EFI_APPLICATION)),
    Command("esp_check", "make esp CHECK=1 DIR=/media/me/STICK",
            check=_directory(paths.CHECK_APPLICATION)),
    Command("check", "make run CHECK=1",
            output=(r"EPT +required +yes", r"verdict: Lapwing runs here",
                    r"lapwing: all this is in \\EFI\\lapwing\\check.txt, too",
                    r"lapwing: returning to the firmware: EFI_SUCCESS")),
    Command("run", "make run", ((PROMPT, "uname -m\n"), (r"\nx86_64\n" + PROMPT, "poweroff\n")),
            SHELL),
    Command("run_gdb", "make run GDB=1",
            ((re.escape(GDB), ""), (r"waits for GDB", _debug), (PROMPT, "poweroff\n")),
            (r"\* 1 +Thread 1 \(vcpu 0 vtl 0\) .*", r"=> 0x[0-9a-f]+:\t.*",
             r"\[Inferior 1 .* detached\]", *SHELL[1:])),
    Command("demo_alias", "make run DEMO=alias", output=ALIAS),
    Command("demo_alias_trace", "make run DEMO=alias TRACE=1", output=(*ALIAS, *TRACED),
            then=("tools/trace --text build/run/trace.bin",
                  "tools/trace --svg trace.svg --vm architectural --cpu 0 --cpu 1 --cpu 2 --cpu 3 "
                  "--around '60h to 23h' build/run/trace.bin"),
            check=_alias_traced),
    Command("demo_vsm", "make run DEMO=vsm", output=VSM),
    Command("demo_vsm_trace", "make run DEMO=vsm TRACE=1", output=(*VSM, *TRACED),
            check=_vsm_traced, long=True),
    Command("own_kernel", "make run KERNEL=build/guest/power_off.elf INITRD= CMDLINE=",
            output=(r"ok 1 - .*", r".* info  vm guest: stopped: power-off")),
    Command("run_vcpus", "make run VCPUS=4",
            ((PROMPT, "nproc\n"), (r"\n4\n" + PROMPT, "poweroff\n")), SHELL),
    Command("run_bzimage", "make run KERNEL=bzImage",
            ((PROMPT, "uname -m\n"), (r"\nx86_64\n" + PROMPT, "poweroff\n")), SHELL),
    Command("run_trace", "make run TRACE=messages,interrupts", ((PROMPT, "poweroff\n"),),
            (*SHELL, *TRACED)),
)


def typed():
    """All commands that are run, as the documentation has them."""
    return {GDB, *(text for command in COMMANDS for text in (command.command, *command.then))}


def names(long):
    return [f"command/{command.name}" for command in COMMANDS if command.long == long]


class _Terminal:
    """A terminal with a command on it."""

    def __init__(self, command, environment):
        for text, stand_in in STAND_INS.items():
            command = command.replace(text, stand_in)
        self._fileno, theirs = pty.openpty()
        try:
            self._process = subprocess.Popen(
                shlex.split(command), cwd=paths.ROOT, env=environment, stdin=theirs, stdout=theirs,
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
        for expected, answer in dialogue:
            while not re.search(expected, self.text()[seen:]):
                if not self.read():
                    yield f"never saw '{expected}'"
                    return
            seen = len(self.text())
            if callable(answer):
                self.log += answer()
            else:
                os.write(self._fileno, answer.encode())
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
    MOUNTED.mkdir(exist_ok=True)
    # Nothing of the make that runs us.
    environment = {key: value for key, value in os.environ.items()
                   if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}
    environment["EMU"] = emulator.name
    failures, log = [], b""
    for text, dialogue in ((command.command, command.dialogue), *((text, ()) for text in command.then)):
        terminal = _Terminal(text, environment)
        failures += terminal.answer(dialogue)
        status = terminal.status()
        if status != 0:
            failures.append(f"saw the exit status {status} of {text}, expected 0")
        log += terminal.log
    output = ESCAPES.sub("", log.decode(errors="replace")).replace("\r", "")
    failures += _missing_lines(output, command.output)
    if command.check and not failures:
        failures += command.check(output, emulator)
    report.add(Result(name, 0 if failures else 1, failures, [], log, time.monotonic() - start))
