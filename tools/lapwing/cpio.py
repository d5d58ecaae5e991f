# SPDX-License-Identifier: BSD-2-Clause
"""Archives in the format "newc" for Linux's root file system (Linux,
Documentation/driver-api/early-userspace/buffer-format.rst); written here because cpio cannot make
device nodes without root. The same input gives the same bytes."""

import stat


def directory(name):
    return name, stat.S_IFDIR | 0o755


def file(name, data, mode=0o755):
    return name, stat.S_IFREG | mode, data


def link(name, target):
    return name, stat.S_IFLNK | 0o777, target.encode()


def console(name):
    return name, stat.S_IFCHR | 0o600, b"", (5, 1)


def archive(members):
    """The bytes of an archive of what the functions above return."""
    parts = [_member(index, *entry) for index, entry in enumerate(members, 1)]
    return b"".join(parts) + _member(0, "TRAILER!!!", 0)


def _member(index, name, mode, data=b"", device=(0, 0)):
    fields = (index, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return _pad(head) + _pad(data)


def _pad(data):
    return data + bytes(-len(data) % 4)
