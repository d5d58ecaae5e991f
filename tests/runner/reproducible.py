# SPDX-License-Identifier: BSD-2-Clause
"""The build in another directory, to another place, must give the same application, bit for bit."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from lapwing import paths
from tests.runner.report import Result

NAME = "build/reproducible"
LIMIT = 600  # seconds
OUTPUT = "a/place/of/another/length"


def names():
    return [NAME]


def _copy(tree):
    def ignored(folder, entries):
        return [entry for entry in entries
                if entry == ".git" or Path(folder, entry) in (paths.BUILD, paths.ROOT / "build")]
    shutil.copytree(paths.ROOT, tree, ignore=ignored, symlinks=True)


def _build(tree):
    """Returns make's output and the application it made, or None."""
    # Nothing of the make that runs us: neither its variables nor its jobs.
    environment = {key: value for key, value in os.environ.items()
                   if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "O")}
    done = subprocess.run(["make", "-C", tree, f"O={OUTPUT}", "all"], env=environment,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
    made = tree / OUTPUT / paths.EFI_APPLICATION.name
    return done.stdout, made.read_bytes() if done.returncode == 0 else None


def run(name, report):
    start = time.monotonic()
    failures = []
    with tempfile.TemporaryDirectory(prefix="lapwing-") as folder:
        tree = Path(folder) / "tree"
        _copy(tree)
        output, made = _build(tree)
    if made is None:
        failures.append("the build in another directory failed")
    elif made != paths.EFI_APPLICATION.read_bytes():
        failures.append(f"saw another {paths.EFI_APPLICATION.name} than that of this directory")
    report.add(Result(name, 0 if failures else 1, failures, [], output, time.monotonic() - start))
