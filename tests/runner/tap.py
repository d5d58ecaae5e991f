# SPDX-License-Identifier: BSD-2-Clause
"""Judges TAP, the Test Anything Protocol, strictly: no plan or a point too few is a failure."""

import re
from dataclasses import dataclass, field

PLAN = re.compile(r"1\.\.(\d+)\s*(?:# *[Ss][Kk][Ii][Pp]\S*\s*(.*))?$")
POINT = re.compile(r"(not )?ok\b\s*(\d+)?\s*(?:- )?(.*)$")
SKIP = re.compile(r"# *SKIP\S*\s*(.*)$", re.IGNORECASE)
BAIL = re.compile(r"Bail out!\s*(.*)$")


@dataclass
class Judgement:
    passed: int = 0
    failures: list = field(default_factory=list)  # one line of text each
    skips: list = field(default_factory=list)


def judge(lines):
    """What the lines say. Several plans, each for a group of points, are added up."""
    judgement = Judgement()
    planned = None
    points = 0
    for line in lines:
        if match := PLAN.match(line):
            planned = (planned or 0) + int(match[1])
            if match[2] is not None:
                judgement.skips.append(match[2])
        elif match := BAIL.match(line):
            judgement.failures.append(f"bailed out: {match[1]}")
        elif match := POINT.match(line):
            points += 1
            if match[2] and planned is None and int(match[2]) != points:
                judgement.failures.append(f"point {match[2]} came as number {points}")
            if match[1]:
                judgement.failures.append(f"not ok: {match[3]}")
            elif skip := SKIP.search(match[3]):
                judgement.skips.append(f"{match[3][:skip.start()].strip()}: {skip[1]}")
            else:
                judgement.passed += 1
    if planned is None:
        judgement.failures.append(f"saw no plan and {points} points, expected a line 1..N")
    elif planned != points:
        judgement.failures.append(f"saw {points} points, expected {planned}")
    return judgement
