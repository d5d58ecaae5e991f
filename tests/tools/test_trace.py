#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""tools/trace on dumps made by hand: whole, cut off, and damaged."""

import json
import random
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from lapwing import chrome, dump as d, svg, timeline  # noqa: E402
from lapwing.errors import UsageError  # noqa: E402
from tests.runner import traces  # noqa: E402
from tests.tools import unittest_tap  # noqa: E402

HEADER = b"""lapwing-trace 1
tsc_hz 1000000
vm 0 one 1 0x3f 1 23 123
vm 1 two 2 0x3f 0
exit 10 CPUID
exit 30 I/O instruction

"""
FIXED_60 = 0x60


def record(tsc, kind, vcpu=0, info=0, a=0, b=0, vm=0, vtl=0):
    return d.RECORD.pack(tsc, kind, vtl, vcpu, vm, 0, info, a, b)


def block(cpu, *records):
    return record(0, d.BLOCK, d.NOBODY, a=cpu, b=len(records)) + b"".join(records)


def end(count, lost=0):
    return record(0, d.END, d.NOBODY, a=count, b=lost)


# CPU 0 sends 60h to 23h, and CPUs 1 and 2 take it, of which only CPU 1 is seen to get it.
IPI = (block(0, record(10, d.RUN), record(11, d.ENTRY, a=0x1000),
             record(20, d.EXIT, info=10, a=0x2000),
             record(21, d.ACCEPT, 1, FIXED_60, a=0), record(22, d.ACCEPT, 2, FIXED_60, a=0),
             record(23, d.ROUTE, 0, FIXED_60, a=0x23, b=2), record(30, d.ENTRY, a=0x2002))
       + block(1, record(12, d.RUN, 1), record(13, d.STOP, 1, 2, a=1), record(24, d.RUN, 1),
               record(26, d.INJECT, 1, FIXED_60), record(27, d.ENTRY, 1)))
WHOLE = HEADER + IPI + end(12)


def read(data):
    return d.read(data, "file")


def everything(*_):
    return True


class Whole(unittest.TestCase):
    def test_events_in_the_order_of_time(self):
        trace = read(WHOLE)
        self.assertEqual(trace.troubles, [])
        self.assertEqual([event.tsc for event in trace.events],
                         [10, 11, 12, 13, 20, 21, 22, 23, 24, 26, 27, 30])
        self.assertEqual([event.cpu for event in trace.events], [0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0])
        self.assertEqual(trace.vms[0].apic_ids, [0x1, 0x23, 0x123])

    def test_what_the_firmware_printed_is_passed_over(self):
        self.assertEqual(len(read(b"BdsDxe: \x1b[2J\n\n" + WHOLE).events), 12)

    def test_what_follows_the_end_is_not_read(self):
        self.assertEqual(read(WHOLE + b"rest").troubles, [])

    def test_every_event_has_words(self):
        for kind in d.NAMES:
            for value in (0, 1, 0xFFFF, 0xFFFFFFFFFFFFFFFF):
                event = record(1, kind, info=value & 0xFFFF, a=value, b=value)
                trace = read(HEADER + block(0, event) + end(1))
                self.assertIsInstance(d.describe(trace, trace.events[0]), str)

    def test_words(self):
        def words(*args, **more):
            trace = read(HEADER + block(0, record(1, *args, **more)) + end(1))
            return d.describe(trace, trace.events[0])
        self.assertEqual(words(d.ROUTE, 0, FIXED_60, a=0x23, b=2), "60h to 23h, taken by 2")
        self.assertEqual(words(d.ROUTE, 0, 0x2060, a=4), "60h to logical 04h, taken by 0")
        self.assertEqual(words(d.ROUTE, 0, FIXED_60, a=0x123 | 1 << 32, b=1),
                         "60h to 00000123h, taken by 1")
        self.assertEqual(words(d.ROUTE, 0, 0x1C00, a=4, b=3), "NMI to all others, taken by 3")
        self.assertEqual(words(d.ACCEPT, 1, 0x600 | 8, a=0), "08h SIPI from CPU 0")
        self.assertEqual(words(d.ACCEPT, 1, FIXED_60, a=d.NOBODY), "60h from a device")
        self.assertEqual(words(d.EXIT, 0, 30, a=0x10, b=0x3F80008),
                         "I/O instruction: in 0x3f8, 1 bytes, at 0x10")
        self.assertEqual(words(d.WRITE, 0, 0x300, a=0x4060), "ICR = 0x4060")
        self.assertEqual(words(d.ARM, 0, a=4), "for +3.00 us")


class Damaged(unittest.TestCase):
    def refused(self, data, words):
        with self.assertRaisesRegex(UsageError, words):
            read(data)

    def trouble(self, data, count, words):
        """What is read besides, and that it says so."""
        trace = read(data)
        self.assertEqual(len(trace.events), count)
        self.assertEqual(len(trace.troubles), 1)
        self.assertRegex(trace.troubles[0], words)

    def test_no_trace(self):
        self.refused(b"", "file: not a trace")
        self.refused(b"\x7fELF" * 99, "file: not a trace")

    def test_header(self):
        self.refused(HEADER[:40], "file: cut off in the header")
        self.refused(WHOLE.replace(b"trace 1", b"trace 2"), "begins with 'lapwing-trace 2'")
        self.refused(WHOLE.replace(b"vm 1 two", b"vm 7 two"), "bad line in the header: 'vm 7 two")
        self.refused(WHOLE.replace(b"tsc_hz 1000000", b"tsc_hz fast"), "bad line.*'tsc_hz fast'")
        self.refused(WHOLE.replace(b"tsc_hz 1000000", b"tsc_hz 0"), "lacks the frequency")
        self.refused(HEADER + end(0), "no events in it")

    def test_cut_off_anywhere(self):
        for size in range(len(HEADER) + 2 * d.RECORD.size, len(WHOLE)):
            trace = read(WHOLE[:size])
            self.assertIn("cut off: there is no end record", trace.troubles[0])

    def test_cut_off_in_a_block(self):
        self.trouble(WHOLE[:-2 * d.RECORD.size], 11, "and 1 events of CPU 1 are missing")

    def test_no_block(self):
        self.trouble(HEADER + IPI + b"\xff" * 320, 12, r"damaged at byte \d+: type ffh.*320 bytes")

    def test_endless_block(self):
        endless = record(0, d.BLOCK, d.NOBODY, a=0, b=2**64 - 1) + record(1, d.ENTRY)
        self.trouble(HEADER + endless, 1, "cut off")

    def test_no_such_thing(self):
        for bad in (record(5, 0x7F), record(5, d.ENTRY, vm=2), record(5, d.ENTRY, 3),
                    record(5, d.ENTRY, vtl=1)):
            self.trouble(HEADER + block(0, record(1, d.ENTRY), bad, record(9, d.ENTRY)), 1,
                         "damaged at byte .*no event")

    def test_time_goes_on(self):
        self.trouble(HEADER + block(0, record(2, d.ENTRY), record(1, d.EXIT)) + end(2), 1,
                     "time of CPU 0 goes backwards")

    def test_lost_events(self):
        data = HEADER + IPI + record(99, d.LOST, d.NOBODY, a=1, b=5) + end(12, 5)
        self.trouble(data, 12, "5 events of CPU 1 were lost")

    def test_end_disagrees(self):
        self.trouble(HEADER + IPI + end(13), 12, "tells of 13 events and 0 lost, here are 12 and 0")

    def test_anything(self):
        """Whatever was damaged, it is refused in words or drawn."""
        dice = random.Random(6)
        for _ in range(1500):
            data = bytearray(WHOLE)
            for _ in range(dice.randrange(1, 6)):
                data[dice.randrange(len(data))] = dice.randrange(256)
            try:
                trace = read(bytes(data[:dice.randrange(len(data) // 2, len(data) + 1)]))
                json.loads(chrome.write(trace, everything))
                for event in trace.events:
                    d.describe(trace, event)
                ElementTree.fromstring(svg.draw(trace, everything, 0, float("inf")))
            except UsageError:
                pass


class Timeline(unittest.TestCase):
    def test_slices(self):
        found = [(s.track.vcpu, s.start, s.end, s.kind, s.name)
                 for s in timeline.Timeline(read(WHOLE)).slices]
        self.assertEqual(found, [
            (0, 10, 11, "exit", "resumes"), (0, 11, 20, "guest", "guest"),
            (1, 12, 13, "exit", "resumes"), (1, 13, 24, "waits", "halted"),
            (0, 20, 30, "exit", "CPUID"), (1, 24, 27, "exit", "resumes"),
            (1, 27, 30, "guest", "guest"), (0, 30, 30, "guest", "guest")])

    def test_vtl_switch(self):
        trace = read(HEADER + block(0, record(1, d.ENTRY, vm=1), record(2, d.EXIT, info=10, vm=1),
                                    record(3, d.SWITCH, info=1, a=1, vm=1),
                                    record(5, d.ENTRY, vm=1, vtl=1),
                                    record(9, d.STOP, info=3, vm=1, vtl=1)) + end(5))
        self.assertEqual([(s.track.vtl, s.start, s.end, s.name)
                          for s in timeline.Timeline(trace).slices],
                         [(0, 1, 2, "guest"), (0, 2, 3, "CPUID"), (1, 3, 5, "VTL call"),
                          (1, 5, 9, "guest")])

    def messages(self, *records):
        return timeline.Timeline(read(HEADER + block(0, *records) + end(len(records)))).messages

    def test_arrows(self):
        message, = timeline.Timeline(read(WHOLE)).messages
        self.assertEqual((message.track.vcpu, message.start, message.end), (0, 21, 24))
        self.assertEqual([(arrow.track.vcpu, arrow.accepted, arrow.injected, arrow.end)
                          for arrow in message.arrows], [(1, 21, 26, 26), (2, 22, 0, 22)])

    def test_two_messages_one_interrupt(self):
        found = self.messages(record(1, d.ACCEPT, 1, FIXED_60), record(2, d.ROUTE, 0, FIXED_60, b=1),
                              record(3, d.ACCEPT, 1, FIXED_60), record(4, d.ROUTE, 2, FIXED_60, b=1),
                              record(5, d.INJECT, 1, 0x61), record(6, d.INJECT, 1, FIXED_60),
                              record(7, d.INJECT, 1, FIXED_60))
        self.assertEqual([arrow.end for message in found for arrow in message.arrows], [6, 6])

    def test_taken_by_nobody_and_not_routed(self):
        found = self.messages(record(1, d.ACCEPT, 1, 0x61, a=d.NOBODY),
                              record(2, d.ROUTE, 0, FIXED_60, a=0x46, b=0),
                              record(3, d.ACCEPT, 1, 0x62, a=d.NOBODY),
                              record(4, d.ACCEPT, 2, FIXED_60), record(5, d.ROUTE, 0, FIXED_60, b=1))
        self.assertEqual([[arrow.track.vcpu for arrow in message.arrows] for message in found],
                         [[], [2]])

    def test_nmi_init_and_sipi_are_told_apart(self):
        found = self.messages(record(1, d.ACCEPT, 1, 0x500), record(2, d.ROUTE, 0, 0x500, b=1),
                              record(3, d.ACCEPT, 1, 0x608), record(4, d.ROUTE, 0, 0x608, b=1),
                              record(5, d.INJECT, 1, 0x500), record(6, d.INJECT, 1, 0x608))
        self.assertEqual([message.arrows[0].injected for message in found], [5, 6])


class Views(unittest.TestCase):
    def test_json_is_sound(self):
        story = traces.Story(chrome.write(read(WHOLE), everything))
        self.assertEqual(list(story.wrong()), [])
        self.assertEqual(story.messages("one"), [("CPU 0", "60h to 23h", {"CPU 1", "CPU 2"})])

    def test_judge_sees_what_is_wrong(self):
        """The check of the runner fails where it should."""
        good = json.loads(chrome.write(read(WHOLE), everything))

        def spoilt(change):
            bad = json.loads(json.dumps(good))
            change(bad["traceEvents"])
            return list(traces.Story(json.dumps(bad)).wrong())
        flow = next(i for i, e in enumerate(good["traceEvents"]) if e["ph"] == "f")
        guest = next(i for i, e in enumerate(good["traceEvents"]) if e["name"] == "guest")
        self.assertEqual(spoilt(lambda events: None), [])
        self.assertTrue(spoilt(lambda events: events.pop(flow)))
        self.assertTrue(spoilt(lambda events: events[flow].update(ts=1)))
        self.assertTrue(spoilt(lambda events: events[flow].update(tid=999)))
        self.assertTrue(spoilt(lambda events: events[guest].update(dur=14)))
        self.assertTrue(spoilt(lambda events: events.append(events.pop(guest))))

    def test_svg(self):
        text = svg.draw(read(WHOLE), everything, 0, float("inf"))
        ElementTree.fromstring(text)
        self.assertEqual(text.count("marker-end"), 3)  # two, and the legend
        self.assertIn("60h to 23h: taken by 2", text)


class Program(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name) / "x.bin"
        self.file.write_bytes(WHOLE)

    def run_it(self, *options):
        done = subprocess.run([ROOT / "tools" / "trace", *options, self.file], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        return done.returncode, done.stdout.splitlines()[1:], done.stderr

    def test_json(self):
        self.assertEqual(self.run_it(), (0, [], ""))
        self.assertTrue(json.loads(self.file.with_suffix(".json").read_text())["traceEvents"])

    def test_table(self):
        status, lines, errors = self.run_it("--text")
        self.assertEqual((status, len(lines), errors), (0, 12, ""))
        self.assertEqual(lines[7].split(), "13.000 0 one CPU 0 message 60h to 23h, taken by 2".split())

    def test_filters(self):
        def count(*options):
            return len(self.run_it("--text", *options)[1])
        self.assertEqual(count("--vm", "two"), 0)
        self.assertEqual(count("--cpu", "1"), 6)
        self.assertEqual(count("--cpu", "1", "--cpu", "2"), 7)
        self.assertEqual(count("--type", "messages"), 3)
        self.assertEqual(count("--type", "messages,inject"), 4)
        self.assertEqual(count("--from", "10us", "--to", "0.000013s"), 4)
        self.assertEqual(count("--around", "60h to 23h"), 8)  # 16 to 33.5 us on the TSC

    def test_what_can_be_read_is_read(self):
        self.file.write_bytes(WHOLE[:-40])
        status, lines, errors = self.run_it("--text")
        self.assertEqual((status, len(lines)), (1, 11))
        self.assertIn("x.bin: cut off", errors)

    def test_misuse(self):
        self.assertIn("expected exits, apic", self.run_it("--type", "exit,nothing")[2])
        self.assertIn("expected a time such as", self.run_it("--from", "5")[2])
        self.assertIn("no message 'NMI to all'", self.run_it("--around", "NMI to all")[2])
        self.assertIn("no VM is called x, only one, two", self.run_it("--vm", "x")[2])
        self.file.unlink()
        self.assertEqual(self.run_it()[0], 2)
        self.assertIn("No such file", self.run_it()[2])


unittest_tap.main()
