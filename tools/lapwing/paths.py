# SPDX-License-Identifier: BSD-2-Clause
"""Where things are: the repository, what the build makes, what tools/setup downloaded."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / os.environ.get("O", "build")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lapwing"

EFI_APPLICATION = BUILD / "BOOTX64.EFI"
CHECK_APPLICATION = BUILD / "check.efi"
INITRAMFS = BUILD / "linux" / "initramfs.cpio"
VMLINUX = BUILD / "linux" / "vmlinux"
BZIMAGE = CACHE / "linux" / "vmlinuz"
