# SPDX-License-Identifier: BSD-2-Clause
"""What is typed while several VMs run side by side, and how what they print comes apart again."""

import time

from lapwing import config, disk, paths
from lapwing.emulators import BOCHS_3_0, Machine
from lapwing.markers import PART_OF_LINE, Story
from lapwing.session import Session
from tests.runner.report import KEPT, Result

NAME = "typed/side_by_side"
LIMIT = 240  # seconds
ECHO = paths.BUILD / "guest" / "typed_echo.elf"
NEXT = b"\x01n"

# What the VM has to print, and what is typed then. The deaf one never reads, and ends by itself.
DIALOGUE = (
    ("left", "? ", b""),
    ("right", "? ", b"one\n"),
    ("left", "got one", NEXT + b"nobody reads this\n" + NEXT + b"two\n"),
    ("right", "got two", b"\x01\x01x\x01\x01y\n"),
    ("right", "got \x01x\x01y", b"end\n"),
    ("right", "got end", b"three\n"),  # the keyboard goes on to the next: the left one
    ("left", "got three", b"end\n"),
    ("left", "got end", b""),
)
ENDS = {"left": "debug-exit code 1", "right": "debug-exit code 1",
        "deaf": "time limit of 8000 ms reached"}


def names():
    return [NAME]


def _vms():
    for name, argument, start in (("left", "", "after"), ("deaf", "deaf", "beside"),
                                  ("right", "", "beside")):
        yield config.Vm(name, ECHO, cmdline=argument,
                        keys={"memory": "64M", "time_limit": "8s" if argument else "60s",
                              "start": start})


class Screens:
    """What each VM has printed, put together from the parts of lines."""

    def __init__(self):
        self.story = Story()
        self.text = {name: "" for name in ENDS}
        self.strange = []

    def feed(self, data):
        for line in self.story.feed(data):
            self._line(line, "\n")

    def seen(self, name, text):
        """Whether the VM printed this; the line may not have ended. Forgets all up to there."""
        printed = self.text[name]
        open_line = PART_OF_LINE.match(self.story.open_line())
        if open_line and open_line[1] == name:
            printed += open_line[3]
        if text not in printed:
            return False
        self.text[name] = self.text[name].partition(text)[2]
        return True

    def _line(self, line, end):
        match = PART_OF_LINE.match(line)
        if match and match[1] in self.text:
            self.text[match[1]] += match[3] + end


def _talk(session, screens):
    """Yields what never came."""
    end = time.monotonic() + LIMIT
    for name, text, typed in DIALOGUE:
        while not screens.seen(name, text):
            data = session.read(1)
            if data is None or screens.story.over() or time.monotonic() > end:
                yield f"vm {name} never printed {text!r}"
                return
            screens.feed(data)
        # What follows goes to the left VM only once the right one has ended.
        while text == "got end" and name not in screens.story.stopped:
            screens.feed(session.read(1) or b"")
        session.send(typed)
    while not screens.story.over() and time.monotonic() < end:
        data = session.read(1)
        if data is None:
            break
        screens.feed(data)
    for name, reason in ENDS.items():
        if screens.story.stopped.get(name) != reason:
            yield f"vm {name}: saw the end {screens.story.stopped.get(name)!r}, expected {reason!r}"
    if screens.text["deaf"]:
        yield f"the VM that says nothing printed {screens.text['deaf']!r}"


def run(name, report):
    if missing := BOCHS_3_0.missing():
        report.add(Result(name, 0, [], [missing]))
        return
    image = KEPT / "typed.img"
    disk.make(image, config.image_files(list(_vms()), BOCHS_3_0.exit_key, paths.EFI_APPLICATION))
    start = time.monotonic()
    screens = Screens()
    with Session(BOCHS_3_0, Machine(image)) as session:
        failures = list(_talk(session, screens))
        log = bytes(session.log)
    image.unlink()
    report.add(Result(name, 0 if failures else len(DIALOGUE), failures, [], log,
                      time.monotonic() - start))
