# SPDX-License-Identifier: BSD-2-Clause
"""What has to happen before the first VM runs, step by step: each stage has its own time-out, and
where there are several its own result, which is also how one sees that a long start proceeds."""

import re
import time
from dataclasses import dataclass

from lapwing import emulators
from lapwing.markers import FIRST_WORDS, REFUSED, VM_STARTED
from tests.runner.report import Result


@dataclass(frozen=True)
class Stage:
    """It is over when its sign has come on Lapwing's serial line, or on the host's."""

    name: str
    limit: int  # seconds of wall clock
    sign: re.Pattern
    host: bool = False


FIRST_VM = re.compile(rf"{VM_STARTED.pattern}|{REFUSED.pattern}".encode())
DIRECT = (Stage("start", 120, FIRST_VM),)
# OVMF in QEMU waits some seconds of its time for a TPM that is not there.
NESTED = (
    Stage("bochs_firmware", 120, re.compile(rb"Linux version"), host=True),
    Stage("host_kernel", 90, re.compile(rb"host: the kernel is up"), host=True),
    Stage("kvm_modules", 60, re.compile(rb"host: KVM is there"), host=True),
    Stage("qemu_start", 600, re.compile(rb"BdsDxe: loading")),
    Stage("inner_firmware", 180, FIRST_WORDS),
    Stage("lapwing_start", 120, FIRST_VM),
)


class Start:
    """Follows one boot of a world from its power-on to the first VM, or to a refusal."""

    def __init__(self, world, what, session, report):
        self._world = world
        self._what = what
        self._session = session
        self._report = report
        self._left = list(NESTED if world.emulator is emulators.NESTED else DIRECT)
        self._shown = len(self._left) > 1
        self._begin()

    def _begin(self):
        self._since = time.monotonic()
        self._from = len(self._session.log)

    def trouble(self):
        """Why the start failed, or None. To be called often."""
        session = self._session
        while self._left:
            stage = self._left[0]
            output, start = (session.console, 0) if stage.host else (session.log, self._from)
            if not stage.sign.search(output, start):
                limit = stage.limit * self._world.slowness
                if time.monotonic() - self._since <= limit:
                    return None
                return self.failed(f"not over within {limit:.0f} s of wall clock")
            self._add(1, [])
        return None

    def seconds_since(self):
        """How long ago the last stage ended; 0 before."""
        return 0 if self._left else time.monotonic() - self._since

    def failed(self, why):
        """The boot died for this reason: the stage pays if one is left. Returns the reason."""
        if not self._left:
            return why
        why = f"{self._left[0].name}: {why}"
        self._add(0, [why])
        self._left = []
        return why

    def _add(self, passed, failures):
        stage = self._left.pop(0)
        if self._shown:
            self._report.add(Result(f"{self._world.name}/{self._what}/{stage.name}", passed,
                                    failures, [], self._session.everything(),
                                    time.monotonic() - self._since))
        self._begin()
