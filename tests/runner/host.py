# SPDX-License-Identifier: BSD-2-Clause
"""The unit tests on this machine: programs that print TAP."""

import os
import subprocess
import time
from pathlib import Path

from tests.runner import tap
from tests.runner.report import Result

LIMIT = 300  # seconds


def run(program, report):
    start = time.monotonic()
    name = f"host/{Path(program).name}"
    try:
        done = subprocess.run([program], env=dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP"),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
        output, status = done.stdout, done.returncode
    except subprocess.TimeoutExpired as late:
        output, status = late.stdout or b"", f"none within {LIMIT} s"
    judgement = tap.judge(output.decode(errors="replace").splitlines())
    if status != 0 and not judgement.failures or not isinstance(status, int):
        judgement.failures.append(f"saw the exit status {status}, expected 0")
    report.add(Result(name, judgement.passed, judgement.failures, judgement.skips, output,
                      time.monotonic() - start))
