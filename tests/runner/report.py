# SPDX-License-Identifier: BSD-2-Clause
"""Counts and shows results: one line per test, and what was seen and expected where it failed."""

import sys
import threading
from dataclasses import dataclass, field

from lapwing import paths

KEPT = paths.BUILD / "test"
SHOWN_FAILURES = 20


@dataclass
class Result:
    """What one test gave. passed counts its points; each failure and skip is one line of text."""

    name: str
    passed: int = 0
    failures: list = field(default_factory=list)
    skips: list = field(default_factory=list)
    log: bytes = b""  # kept in a file when the test failed
    seconds: float = 0.0


class Report:
    """Callable from any thread."""

    def __init__(self):
        self._lock = threading.Lock()
        self.passed = 0
        self.failed = 0
        self._skips = []

    def add(self, result):
        with self._lock:
            self.passed += result.passed
            self.failed += len(result.failures)
            self._skips += [f"{result.name}: {reason}" for reason in result.skips]
            self._show(result)

    @staticmethod
    def _show(result):
        word = "FAIL" if result.failures else "ok" if result.passed else "skip"
        print(f"{word:<5} {result.name:<40} {result.passed:>5} {result.seconds:8.1f} s")
        for failure in result.failures[:SHOWN_FAILURES]:
            print(f"      {failure}")
        if len(result.failures) > SHOWN_FAILURES:
            print(f"      and {len(result.failures) - SHOWN_FAILURES} more")
        if result.failures and result.log:
            path = KEPT / f"{result.name}.log"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(result.log)
            print(f"      log: {path.relative_to(paths.ROOT)}")
        sys.stdout.flush()

    def close(self):
        """Prints the end; returns the exit status."""
        for skip in self._skips:
            print(f"skipped: {skip}")
        skipped = f", {len(self._skips)} skipped" if self._skips else ""
        print(f"{self.passed} passed, {self.failed} failed{skipped}")
        return 0 if self.failed == 0 and self.passed > 0 else 1
