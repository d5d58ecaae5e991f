# SPDX-License-Identifier: BSD-2-Clause
"""What tools/ and tests/run share: the disk image, the emulators, the serial line."""
