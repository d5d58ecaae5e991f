# SPDX-License-Identifier: BSD-2-Clause
"""Reads a trace as docs/trace.md describes it, and puts its events into words."""

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

from lapwing.errors import UsageError

FIRST_LINE = b"lapwing-trace "
VERSION = 1
RECORD = struct.Struct("<QBBHBBHQQ")
NOBODY = 0xFFFF

BLOCK, LOST, END = 0x01, 0x02, 0x03
ENTRY, EXIT, RUN, STOP = 0x10, 0x11, 0x12, 0x13
WRITE, BASE, RESET, ERROR, MAP = 0x20, 0x21, 0x22, 0x23, 0x24
ROUTE, ACCEPT, DROP = 0x30, 0x31, 0x32
INJECT, EOI = 0x40, 0x41
ARM, FIRE = 0x50, 0x51
SWITCH, FAULT = 0x60, 0x61

CLASSES = ("exits", "apic", "messages", "interrupts", "timers", "vtl")
NAMES = {ENTRY: "entry", EXIT: "exit", RUN: "run", STOP: "stop", WRITE: "write", BASE: "base",
         RESET: "reset", ERROR: "error", MAP: "map", ROUTE: "message", ACCEPT: "accept",
         DROP: "drop", INJECT: "inject", EOI: "eoi", ARM: "arm", FIRE: "fire", SWITCH: "switch",
         FAULT: "fault"}

DELIVERY = ("", "lowest priority", "SMI", "reserved", "NMI", "INIT", "SIPI", "ExtINT")
FIXED, LOWEST, SIPI = 0, 1, 6
SHORTHAND = ("", "itself", "all", "all others")
DROPPED = ("there is no SMM", "reserved delivery mode", "INIT de-assert",
           "lowest priority in x2APIC mode")
RESULT = ("slice over", "spins", "nothing to do", "VM ended")
STATE = ("runnable", "halted", "waits for SIPI")
SWITCHED = ("return", "call", "interrupt")
ACCESS = ("read", "write", "execute")
REGISTERS = {
    0x020: "ID", 0x080: "TPR", 0x0B0: "EOI", 0x0D0: "LDR", 0x0E0: "DFR", 0x0F0: "SVR", 0x280: "ESR",
    0x2F0: "LVT CMCI", 0x300: "ICR", 0x310: "ICR high", 0x320: "LVT timer", 0x330: "LVT thermal",
    0x340: "LVT PMC", 0x350: "LVT LINT0", 0x360: "LVT LINT1", 0x370: "LVT error",
    0x380: "initial count", 0x3E0: "divider", 0x3F0: "self IPI"}
EXIT_IO, EXIT_APIC_ACCESS, EXIT_APIC_WRITE = 30, 44, 56


class Event(NamedTuple):
    """One record, and the CPU that wrote it."""

    tsc: int
    type: int
    vtl: int
    vcpu: int
    vm: int
    reserved: int
    info: int
    a: int
    b: int
    cpu: int

    @property
    def vector(self):
        return self.info & 0xFF

    @property
    def delivery(self):
        return self.info >> 8 & 7


@dataclass
class Vm:
    name: str
    vtls: int
    classes: int
    apic_ids: list

    def processor(self, vcpu, vtl):
        """As tracks and rows are called."""
        if vcpu == NOBODY:
            return "devices"
        name = f"CPU {vcpu}"
        return name + f" VTL{vtl}" if self.vtls > 1 else name


@dataclass
class Dump:
    tsc_hz: int = 0
    vms: list = field(default_factory=list)
    exits: dict = field(default_factory=dict)
    events: list = field(default_factory=list)
    troubles: list = field(default_factory=list)  # why it is not the whole story, in lines

    def seconds(self, tsc):
        """Since the first event."""
        return (tsc - self.events[0].tsc) / self.tsc_hz


def _header_line(dump, line):
    key, *words = line.split()
    if key == "tsc_hz":
        dump.tsc_hz = int(words[0])
    elif key == "vm" and int(words[0]) == len(dump.vms) and words[1].isprintable():
        dump.vms.append(Vm(words[1], int(words[2]), int(words[3], 16),
                           [int(word, 16) for word in words[4:]]))
    elif key == "exit" and line.isprintable():
        dump.exits[int(words[0])] = " ".join(words[1:])
    else:
        raise ValueError


def _header(data, name):
    """The dump without its events, and where they begin."""
    start = data.find(FIRST_LINE)
    if start < 0:
        raise UsageError(f"{name}: not a trace: no line 'lapwing-trace {VERSION}' in it")
    end = data.find(b"\n\n", start)
    if end < 0:
        raise UsageError(f"{name}: cut off in the header, before any event")
    dump = Dump()
    first, *lines = data[start:end].decode(errors="replace").split("\n")
    if first != f"lapwing-trace {VERSION}":
        raise UsageError(f"{name}: it begins with '{first}', expected 'lapwing-trace {VERSION}'")
    for line in lines:
        try:
            _header_line(dump, line)
        except (ValueError, IndexError):
            raise UsageError(f"{name}: bad line in the header: '{line}'") from None
    if dump.tsc_hz <= 0 or not dump.vms:
        raise UsageError(f"{name}: the header lacks the frequency or the VMs")
    return dump, end + 2


def _is_sound(dump, event):
    if event.type not in NAMES or event.vm >= len(dump.vms):
        return False
    vm = dump.vms[event.vm]
    return event.vtl < vm.vtls and (event.vcpu < len(vm.apic_ids) or event.vcpu == NOBODY)


class _Reader:
    """Takes records in turn, until the end or the first that cannot be."""

    def __init__(self, dump, data, at):
        self._dump, self._data, self._at = dump, data, at
        self._cpu, self._left = 0, 0  # of the block
        self._last = {}  # CPU: TSC
        self._lost = 0

    def run(self):
        while self._at + RECORD.size <= len(self._data):
            event = Event(*RECORD.unpack_from(self._data, self._at), self._cpu)
            if not self._take(event):
                return
            self._at += RECORD.size
        self._trouble("cut off: there is no end record"
                      + (f", and {self._left} events of CPU {self._cpu} are missing"
                         if self._left else ""))

    def _trouble(self, text):
        self._dump.troubles.append(text)

    def _damaged(self, why):
        rest = len(self._data) - self._at
        self._trouble(f"damaged at byte {self._at}: {why}; {rest} bytes from there on are not read")
        return False

    def _take(self, event):
        """False: there is nothing more to read."""
        if self._left:
            return self._event(event)
        if event.type == BLOCK:
            self._cpu, self._left = event.a, event.b
        elif event.type == LOST:
            self._lost += event.b
            self._trouble(f"{event.b} events of CPU {event.a} were lost before "
                          f"{event.tsc / self._dump.tsc_hz:.6f} s on the TSC")
        elif event.type == END:
            return self._end(event)
        else:
            return self._damaged(f"type {event.type:02x}h where a block begins")
        return True

    def _event(self, event):
        if not _is_sound(self._dump, event):
            return self._damaged(f"no event: type {event.type:02x}h, VM {event.vm}, "
                                 f"processor {event.vcpu}, VTL {event.vtl}")
        if event.tsc < self._last.get(self._cpu, 0):
            return self._damaged(f"the time of CPU {self._cpu} goes backwards")
        self._last[self._cpu] = event.tsc
        self._left -= 1
        self._dump.events.append(event)
        return True

    def _end(self, event):
        if (event.a, event.b) != (len(self._dump.events), self._lost):
            self._trouble(f"the end record tells of {event.a} events and {event.b} lost, "
                          f"here are {len(self._dump.events)} and {self._lost}")
        return False


def read(data, name):
    """What can be read of a dump, its events in the order of time. UsageError: it is none."""
    dump, at = _header(data, name)
    _Reader(dump, data, at).run()
    dump.events.sort(key=lambda event: event.tsc)
    if not dump.events:
        raise UsageError("; ".join([f"{name}: no events in it", *dump.troubles]))
    return dump


# ---- Words --------------------------------------------------------------------------------------

def _kind(event):
    """What kind of message or interrupt it is."""
    delivery = DELIVERY[event.delivery]
    if event.delivery in (FIXED, LOWEST, SIPI):
        return f"{event.vector:02x}h {delivery}".rstrip()
    return delivery


def destination(event):
    """Of a message, in as many digits as its sender has: 23h, 00000123h."""
    shorthand = SHORTHAND[event.info >> 11 & 3]
    digits = 8 if event.a >> 32 & 1 else 2
    logical = "logical " if event.info >> 13 & 1 else ""
    return shorthand or f"{logical}{event.a & 0xFFFFFFFF:0{digits}X}h"


def message(event):
    return f"{_kind(event)} to {destination(event)}"


def exit_name(dump, event):
    return dump.exits.get(event.info, f"exit {event.info}")


def _exit(dump, event):
    text = exit_name(dump, event)
    if event.info == EXIT_IO:
        text += (f": {'in' if event.b & 8 else 'out'} {event.b >> 16 & 0xFFFF:#x}, "
                 f"{(event.b & 7) + 1} bytes")
    elif event.info in (EXIT_APIC_ACCESS, EXIT_APIC_WRITE):
        text += f": {REGISTERS.get(event.b & 0xFF0, hex(event.b & 0xFFF))}"
    elif event.b:
        text += f", qualification {event.b:#x}"
    return f"{text}, at {event.a:#x}"


def _sender(dump, event):
    vcpu = event.a & 0xFFFF
    return "a device" if vcpu == NOBODY else dump.vms[event.vm].processor(vcpu, event.a >> 16 & 0xFF)


def describe(dump, event):
    """What happened, in words."""
    what = {
        ENTRY: lambda: f"at {event.a:#x}",
        EXIT: lambda: _exit(dump, event),
        RUN: lambda: f"on physical CPU {event.cpu}",
        STOP: lambda: f"{RESULT[event.info & 3]}, {STATE[min(event.a, 2)]}",
        WRITE: lambda: f"{REGISTERS.get(event.info, hex(event.info))} = {event.a:#x}",
        BASE: lambda: f"IA32_APIC_BASE = {event.b:#x}, was {event.a:#x}",
        RESET: lambda: "by INIT" if event.a else "",
        ERROR: lambda: f"ESR bits {event.a:#x}",
        MAP: lambda: f"of VTL{event.a}, with {event.b} APICs",
        ROUTE: lambda: f"{message(event)}, taken by {event.b}",
        ACCEPT: lambda: f"{_kind(event)} from {_sender(dump, event)}",
        DROP: lambda: f"{message(event)}: {DROPPED[event.b & 3]}",
        INJECT: lambda: _kind(event),
        EOI: lambda: f"{event.info:02x}h" + (", I/O APICs told" if event.a else ""),
        ARM: lambda: f"for {(event.a - event.tsc) / dump.tsc_hz * 1e6:+.2f} us" if event.a else "off",
        FIRE: lambda: f"{(event.tsc - event.a) / dump.tsc_hz * 1e6:.2f} us late",
        SWITCH: lambda: f"to VTL{event.info}, {SWITCHED[min(event.a, 2)]}",
        FAULT: lambda: f"{ACCESS[min(event.info, 2)]} of {event.a:#x}, linear {event.b:#x}",
    }
    return what[event.type]()
