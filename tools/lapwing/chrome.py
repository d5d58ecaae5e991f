# SPDX-License-Identifier: BSD-2-Clause
"""A trace as JSON for Perfetto and chrome://tracing (the "Trace Event Format")."""

import json

from lapwing import dump as d
from lapwing.timeline import Timeline, track_of

DEVICES = 1 << 20  # as thread: behind all processors


class _Writer:
    def __init__(self, dump):
        self._dump = dump
        self.events = []

    def _us(self, tsc):
        return round(self._dump.seconds(tsc) * 1e6, 6)

    def _thread(self, track):
        if track.vcpu == d.NOBODY:
            return DEVICES
        return 1 + track.vcpu * self._dump.vms[track.vm].vtls + track.vtl

    def add(self, phase, track, tsc, name, **more):
        self.events.append({"ph": phase, "pid": track.vm + 1, "tid": self._thread(track),
                            "ts": self._us(tsc), "name": name, **more})

    def add_slice(self, track, start, end, name, kind, **args):
        # Ends are rounded like beginnings, so that slices that touch do not overlap.
        duration = round(self._us(end) - self._us(start), 6)
        self.add("X", track, start, name, dur=duration, cat=kind, args=args)

    def name_tracks(self, tracks):
        for track in tracks:
            vm = self._dump.vms[track.vm]
            name = vm.processor(track.vcpu, track.vtl)
            if track.vcpu != d.NOBODY:
                name += f" (APIC ID {vm.apic_ids[track.vcpu]:X}h)"
            for kind, args in (("process_name", {"name": f"VM {vm.name}"}),
                               ("thread_name", {"name": name}),
                               ("thread_sort_index", {"sort_index": self._thread(track)})):
                self.add("M", track, self._dump.events[0].tsc, kind, args=args)

    def add_message(self, number, message):
        name = d.message(message.event)
        self.add_slice(message.track, message.start, message.end, name, "message",
                       number=number, taken_by=message.event.b)
        for i, arrow in enumerate(message.arrows):
            more = {"cat": "message", "id": f"{number}.{i}", "args": {"number": number}}
            self.add("s", message.track, message.start, name, **more)
            self.add("f", arrow.track, arrow.end, name, bp="e", **more)
            self.add_slice(arrow.track, arrow.end, arrow.end + 1, f"takes {name}", "message",
                           number=number, accepted_us=self._us(arrow.accepted),
                           injected_us=self._us(arrow.injected) if arrow.injected else None)


def write(dump, wanted):
    """The text of the JSON file. wanted(track, start, end, type) filters."""
    timeline = Timeline(dump)
    writer = _Writer(dump)
    writer.name_tracks(timeline.tracks)
    for s in timeline.slices:
        if wanted(s.track, s.start, s.end, s.event.type):
            writer.add_slice(s.track, s.start, s.end, s.name, s.kind,
                             event=d.describe(dump, s.event), physical_cpu=s.event.cpu)
    for number, message in enumerate(timeline.messages):
        tracks = [message.track, *(arrow.track for arrow in message.arrows)]
        if any(wanted(track, message.start, message.end, d.ROUTE) for track in tracks):
            writer.add_message(number, message)
    for event in timeline.instants:
        if wanted(track_of(event), event.tsc, event.tsc, event.type):
            writer.add("i", track_of(event), event.tsc, d.NAMES[event.type], s="t",
                       args={"event": d.describe(dump, event)})
    # Of slices that begin together the longest goes outside.
    writer.events.sort(key=lambda event: (event["ph"] != "M", event["ts"], -event.get("dur", 0)))
    return json.dumps({"displayTimeUnit": "ns", "traceEvents": writer.events,
                       "otherData": {"troubles": dump.troubles}}, separators=(",", ":"))
