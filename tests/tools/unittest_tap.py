# SPDX-License-Identifier: BSD-2-Clause
"""Runs the unittest cases of the calling program and prints TAP."""

import sys
import unittest


class _Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.count = 0

    def _point(self, word, test, text=""):
        self.count += 1
        print(f"{word} {self.count} - {test.id().removeprefix('__main__.')}{text}")

    def addSuccess(self, test):
        self._point("ok", test)

    def addFailure(self, test, err):
        self._point("not ok", test, f" # {err[1]}".replace("\n", " "))

    addError = addFailure

    def addSkip(self, test, reason):
        self._point("ok", test, f" # SKIP {reason}")


def main():
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    result = _Result()
    suite.run(result)
    print(f"1..{suite.countTestCases()}")
    sys.exit(not result.wasSuccessful())
