# SPDX-License-Identifier: BSD-2-Clause
"""Is the JSON of a trace what a viewer needs, and does it tell what happened?"""

import json
import re
from collections import defaultdict

ROW = re.compile(r"^  CPU (\d) to (.*?) {2,}(nobody|everyone|CPU [\d+]+) ", re.MULTILINE)
VECTOR = "60h"


class Story:
    """A JSON file of tools/trace."""

    def __init__(self, text):
        self._events = json.loads(text)["traceEvents"]
        self._vms = {event["pid"]: event["args"]["name"].removeprefix("VM ")
                     for event in self._events if event["name"] == "process_name"}
        self.threads = {(event["pid"], event["tid"]): event["args"]["name"]
                        for event in self._events if event["name"] == "thread_name"}
        self._flows = defaultdict(list)
        for event in self._events:
            if event["ph"] in "sf":
                self._flows[event["id"]].append(event)

    def _of(self, kind):
        tracks = defaultdict(list)
        for event in self._events:
            if event["ph"] in kind:
                tracks[event["pid"], event["tid"]].append(event)
        return tracks

    def wrong(self):
        """Yields what a viewer would stumble over."""
        yield from self._wrong_slices()
        yield from self._wrong_flows()
        for track, events in self._of("Xsfi").items():
            if track not in self.threads:
                yield f"the track {track} has no name"
            times = [event["ts"] for event in events]
            if times != sorted(times):
                yield f"on {track} the time goes backwards"

    def _wrong_slices(self):
        for track, slices in self._of("X").items():
            ends = []  # of the slices around
            for event in slices:
                end = round(event["ts"] + event["dur"], 6)
                while ends and ends[-1] <= event["ts"]:
                    ends.pop()
                if ends and end > ends[-1]:
                    yield f"on {track} {event['name']} at {event['ts']} overlaps with another slice"
                ends.append(end)

    def _wrong_flows(self):
        slices = self._of("X")
        for number, flow in self._flows.items():
            if [event["ph"] for event in flow] != ["s", "f"]:
                yield f"arrow {number} has not one beginning and then one end"
            for event in flow:
                if not any(slice["ts"] <= event["ts"] < round(slice["ts"] + slice["dur"], 6)
                           for slice in slices[event["pid"], event["tid"]]):
                    yield f"arrow {number} is not at a slice at {event['ts']}"

    def messages(self, vm):
        """(sender, what, those that take it) of each message in a VM, in the order of time."""
        takers = defaultdict(set)
        for _, last in self._flows.values():
            takers[last["args"]["number"]].add(self._processor(last))
        return [(self._processor(event), event["name"], takers[event["args"]["number"]])
                for event in self._events
                if event.get("cat") == "message" and "taken_by" in event["args"]
                and self._vms[event["pid"]] == vm]

    def _processor(self, event):
        return self.threads[event["pid"], event["tid"]].partition(" (")[0]

    def marks(self, name, processor):
        """What the marks of this name on a processor's track say."""
        return [event["args"]["event"] for event in self._events
                if event["ph"] == "i" and event["name"] == name
                and self._processor(event) == processor]

    def slices(self, processor):
        """The names of a processor's slices."""
        return {event["name"] for event in self._events
                if event["ph"] == "X" and self._processor(event) == processor}

    def not_injected(self):
        """Messages of the vector that somebody takes, and is not seen to get."""
        return [event for event in self._events if event["name"].startswith(f"takes {VECTOR}")
                and event["args"]["injected_us"] is None]


def _takers(text):
    """CPU 1+2, nobody or everyone, as the demonstration prints them."""
    if text == "everyone":
        return {f"CPU {n}" for n in range(6)}
    return {f"CPU {n}" for n in re.findall(r"\d", text)}


def alias(printed, path):
    """Yields where the trace of DEMO=alias in this JSON file differs from what it printed."""
    story = Story(path.read_text())
    yield from list(story.wrong())[:5]
    if missing := story.not_injected():
        yield f"saw {len(missing)} arrows that do not end where the guest got it"
    for vm, table in re.findall(r"^id_match = ([\w-]+):(.*?) as the manual has it", printed,
                                re.MULTILINE | re.DOTALL):
        rows = [(f"CPU {sender}", f"{VECTOR} to {to}", _takers(takers))
                for sender, to, takers in ROW.findall(table)]
        traced = [message for message in story.messages(vm) if message[1].startswith(VECTOR)]
        if len(rows) != 9 or rows != traced:
            yield f"vm {vm}: it printed {rows}, the trace has {traced}"


def vsm(printed, path):
    """The same for DEMO=vsm: VTL0 reaches for the secret, and each level has a track."""
    story = Story(path.read_text())
    yield from list(story.wrong())[:5]
    secret = re.search(r"I keep a secret at (?:0x)?([0-9a-f]+)", printed)
    denied = story.marks("fault", "CPU 0 VTL0")
    if not secret or not any(f"read of {int(secret[1], 16):#x}," in text for text in denied):
        yield f"saw the denied accesses {denied}, and a secret at {secret and secret[1]}"
    if not {"guest", "VTL call", "VTL interrupt"} <= story.slices("CPU 0 VTL1"):
        yield f"saw VTL1 of CPU 0 do {story.slices('CPU 0 VTL1')}"
