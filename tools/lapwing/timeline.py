# SPDX-License-Identifier: BSD-2-Clause
"""From the events of a trace to what a picture shows: slices, messages with arrows, instants."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from lapwing import dump as d


class Track(NamedTuple):
    vm: int
    vcpu: int
    vtl: int


class Slice(NamedTuple):
    track: Track
    start: int
    end: int
    kind: str  # guest, exit, or waits
    name: str
    event: d.Event  # that began it


@dataclass
class Arrow:
    """To one of those that take a message."""

    track: Track
    accepted: int  # TSC
    injected: int = 0  # when the guest got it; 0: the trace does not say

    @property
    def end(self):
        return self.injected or self.accepted


@dataclass
class Message:
    track: Track  # of the sender
    start: int
    end: int
    event: d.Event
    arrows: list = field(default_factory=list)


INSTANTS = {d.WRITE, d.BASE, d.RESET, d.ERROR, d.MAP, d.DROP, d.INJECT, d.EOI, d.ARM, d.FIRE,
            d.FAULT}


def track_of(event):
    return Track(event.vm, event.vcpu, 0 if event.vcpu == d.NOBODY else event.vtl)


class _Slices:
    """What each virtual processor does: one slice at a time, in the VTL that is active."""

    def __init__(self, dump):
        self._dump = dump
        self._open = {}  # (vm, vcpu): (track, start, kind, name, event)
        self.all = []

    def _begin(self, event, kind, name, vtl=None):
        self._finish(event.vm, event.vcpu, event.tsc)
        track = Track(event.vm, event.vcpu, event.vtl if vtl is None else vtl)
        self._open[event.vm, event.vcpu] = (track, event.tsc, kind, name, event)

    def _finish(self, vm, vcpu, tsc):
        if begun := self._open.pop((vm, vcpu), None):
            track, start, kind, name, event = begun
            self.all.append(Slice(track, start, tsc, kind, name, event))

    def feed(self, event):
        if event.type == d.ENTRY:
            self._begin(event, "guest", "guest")
        elif event.type == d.EXIT:
            self._begin(event, "exit", d.exit_name(self._dump, event))
        elif event.type == d.RUN:
            self._begin(event, "exit", "resumes")
        elif event.type == d.SWITCH:
            self._begin(event, "exit", f"VTL {d.SWITCHED[min(event.a, 2)]}", event.info)
        elif event.type == d.STOP and event.info == d.RESULT.index("VM ended"):
            self._finish(event.vm, event.vcpu, event.tsc)
        elif event.type == d.STOP:
            self._begin(event, "waits", d.STATE[min(event.a, 2)])

    def close(self, tsc):
        for vm, vcpu in list(self._open):
            self._finish(vm, vcpu, tsc)


class _Messages:
    """Who sent what to whom, and when they got it."""

    def __init__(self):
        self.all = []
        self._accepted = defaultdict(list)  # physical CPU: events since the last message
        self._pending = defaultdict(list)  # (track, kind): arrows whose injection is to come

    def feed(self, event):
        if event.type == d.ACCEPT:
            arrow = Arrow(track_of(event), event.tsc)
            self._accepted[event.cpu].append(arrow)
            self._pending[arrow.track, self._kind(event)].append(arrow)
        elif event.type == d.ROUTE:
            arrows = self._accepted.pop(event.cpu, [])[-event.b:] if event.b else []
            start = min([arrow.accepted for arrow in arrows] + [event.tsc])
            self.all.append(Message(track_of(event), start, event.tsc + 1, event, arrows))
        elif event.type == d.INJECT:
            for arrow in self._pending.pop((track_of(event), self._kind(event)), []):
                arrow.injected = event.tsc

    @staticmethod
    def _kind(event):
        return event.vector if event.delivery in (d.FIXED, d.LOWEST) else -event.delivery


class Timeline:
    """Everything, in the order of time."""

    def __init__(self, dump):
        slices, messages = _Slices(dump), _Messages()
        for event in dump.events:
            slices.feed(event)
            messages.feed(event)
        slices.close(dump.events[-1].tsc)
        self.slices = sorted(slices.all, key=lambda slice: slice.start)
        self.messages = messages.all
        self.instants = [event for event in dump.events if event.type in INSTANTS]
        self.accepts = [event for event in dump.events if event.type == d.ACCEPT]
        tracks = {slice.track for slice in self.slices} | {track_of(e) for e in dump.events}
        self.tracks = sorted(tracks)
