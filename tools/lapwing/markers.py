# SPDX-License-Identifier: BSD-2-Clause
"""What Lapwing says on the serial line that tools and tests act upon. Kept in this one place."""

import re
from dataclasses import dataclass, field

FIRST_WORDS = re.compile(rb"^(Lapwing |lapwing: |PANIC: |\[ *\d+\.\d{6}\] )", re.MULTILINE)
STAMP = r"\[ *\d+\.\d{6}\] "
LOG_LINE = re.compile(STAMP)
# What Lapwing says when all is well.
CHATTER = re.compile(STAMP + r"(info|debug) |Lapwing |lapwing: (?!refused|returning)")
VM_STARTED = re.compile(STAMP + r"info  vm (\S+): started")
VM_STOPPED = re.compile(STAMP + r"info  vm (\S+): stopped: (.*)")
EXITS = re.compile(STAMP + r"info  vm \S+: +\d+ (\D.*)")  # how many for which reason
NOT_GIVEN_BACK = re.compile(STAMP + r"error lapwing: (\d+ of \d+ bytes of free memory are left.*)")
# What a VM that runs beside others prints: its name, "+" when it goes on with a line, the text.
PART_OF_LINE = re.compile(r"([\w.-]+)\|([ +])(.*)")
ALL_DONE = re.compile(STAMP + r"info  lapwing: all VMs are done")
REFUSED = re.compile(r"lapwing: refused: (.*)")
RETURNED = re.compile(r"lapwing: returning to the firmware: (.*)")
VERDICT = re.compile(r"verdict: (.*)")
RUNS_HERE = "Lapwing runs here"
PANIC = re.compile(r"PANIC: (.*)")
ESCAPES = re.compile(r"\x1b\[[0-9;=?]*[A-Za-z]")

POWER_OFF = "power-off"


@dataclass
class Story:
    """What the lines so far tell. Feed it the serial output as it arrives."""

    started: list = field(default_factory=list)  # names of VMs, in order
    stopped: dict = field(default_factory=dict)  # name of the VM: reason
    refused: str = ""
    returned: str = ""  # the status that the firmware got
    checked: str = ""  # the verdict of check.efi
    panic: str = ""
    done: bool = False
    _rest: bytes = b""

    def feed(self, data):
        """Returns the complete lines in data, as text without escape sequences and line ends."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        texts = [ESCAPES.sub("", line.decode(errors="replace")).rstrip("\r") for line in lines]
        for text in texts:
            self._line(text)
        # The emulator ends with the last line, before its line end is out.
        if ALL_DONE.match(self._rest.decode(errors="replace")):
            self.done = True
        return texts

    def open_line(self):
        """The line that has not ended yet, as text."""
        return self._rest.decode(errors="replace")

    def _line(self, text):
        if match := VM_STARTED.match(text):
            self.started.append(match[1])
        elif match := VM_STOPPED.match(text):
            self.stopped[match[1]] = match[2]
        elif ALL_DONE.match(text):
            self.done = True
        elif match := REFUSED.match(text):
            self.refused = match[1]
        elif match := RETURNED.match(text):
            self.returned = match[1]
        elif match := VERDICT.match(text):
            self.checked = match[1]
        elif match := PANIC.match(text):
            self.panic = self.panic or match[1]

    def over(self):
        """Nothing of interest can follow, but for the rest of a panic's report."""
        return self.done or bool(self.returned) or bool(self.panic)

    def verdict(self):
        """None when every VM powered off, else what went wrong in one line."""
        if self.panic:
            return f"Lapwing panicked: {self.panic}"
        if self.checked:
            return None if self.checked == RUNS_HERE else self.checked
        if self.refused:
            return f"Lapwing refused to start: {self.refused}"
        if not self.done:
            return "the emulator ended before Lapwing was done"
        if not self.started:
            return "no VM ran"
        bad = [f"vm {name}: {self.stopped.get(name, 'never stopped')}" for name in self.started
               if self.stopped.get(name) != POWER_OFF]
        return "; ".join(bad) or None
