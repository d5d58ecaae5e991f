#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The parts of the test runner that decide between passed and failed, fed with bad news."""

import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from lapwing.markers import Story  # noqa: E402
from tests.runner import guests, tap, worlds  # noqa: E402
from tests.tools import unittest_tap  # noqa: E402

WORLD = worlds.BOCHS[0]


class Tap(unittest.TestCase):
    def failures(self, *lines):
        return tap.judge(lines).failures

    def test_all_well(self):
        judgement = tap.judge(["1..2", "ok 1 - a", "noise", "ok 2 - b"])
        self.assertEqual((judgement.passed, judgement.failures), (2, []))

    def test_plan_may_come_last(self):
        self.assertEqual(self.failures("ok 1 - a", "1..1"), [])

    def test_no_output(self):
        self.assertEqual(self.failures(), ["saw no plan and 0 points, expected a line 1..N"])

    def test_no_plan(self):
        self.assertEqual(len(self.failures("ok 1 - a")), 1)

    def test_point_missing(self):
        self.assertEqual(self.failures("1..2", "ok 1 - a"), ["saw 1 points, expected 2"])

    def test_point_too_many(self):
        self.assertEqual(self.failures("1..1", "ok 1 - a", "ok 2 - b"),
                         ["saw 2 points, expected 1"])

    def test_not_ok(self):
        self.assertEqual(self.failures("1..1", "not ok 1 - a # saw 1 expected 2"),
                         ["not ok: a # saw 1 expected 2"])

    def test_bail_out(self):
        self.assertIn("bailed out: no memory", self.failures("1..1", "Bail out! no memory"))

    def test_point_out_of_order(self):
        self.assertEqual(len(self.failures("ok 2 - b", "1..1")), 1)

    def test_skip_is_no_pass(self):
        judgement = tap.judge(["1..1", "ok 1 - a # SKIP no such CPU"])
        self.assertEqual((judgement.passed, judgement.skips), (0, ["a: no such CPU"]))

    def test_empty_plan_of_a_group(self):
        self.assertEqual(self.failures("1..1", "ok 1 - a", "1..1"), ["saw 1 points, expected 2"])


class Guests(unittest.TestCase):
    def judge(self, reason, **declared):
        return guests.judge(guests.Guest("x", **declared), WORLD, ["ok 1 - a", "1..1"], reason, 0)

    def test_the_expected_end(self):
        result = self.judge("debug-exit code 1")
        self.assertEqual((result.passed, result.failures), (1, []))

    def test_another_end(self):
        self.assertEqual(self.judge("triple fault").failures,
                         ["saw the end 'triple fault', expected 'debug-exit code 1'"])

    def test_a_longer_code(self):
        self.assertEqual(len(self.judge("debug-exit code 11").failures), 1)

    def test_time_limit_in_words(self):
        self.assertEqual(self.judge("time limit of 1000 ms reached", expect="time limit").failures,
                         [])


class Variants(unittest.TestCase):
    def test_keys_and_command_line(self):
        guest = guests.Guest("x", program="x", vm_name="x", cmdline="a",
                             variants={"b": {"id_match": "knl", "cmdline": "c"}},
                             long_variants={"d": {}})
        alone, variant = guest.runs(WORLD, False)
        self.assertEqual((alone.name, alone.cmdline, alone.keys), ("x", "a", guest.keys))
        self.assertEqual((variant.name, variant.cmdline, variant.vm_name, variant.program),
                         ("x+b", "c", "x.0", "x"))
        self.assertEqual(variant.keys, guest.keys | {"id_match": "knl"})
        self.assertEqual([guest.name for guest in guest.runs(WORLD, True)], ["x+d"])

    def test_apic_virtualization(self):
        guest = guests.Guest("x", apic={"cmdline": "a"})
        alone, none = guest.runs(WORLD, False)
        self.assertEqual((alone.name, alone.cmdline, none.name), ("x", "", "x+all=off"))
        self.assertEqual((none.cmdline, none.keys["tpr_shadow"]), ("a", "off"))
        in_turn = guest.runs(WORLD, True)
        self.assertEqual([run.name for run in in_turn], [f"x+{key}=off" for key in guests.APIC_KEYS])
        self.assertEqual((in_turn[0].cmdline, in_turn[0].keys["tpr_shadow"]), ("a", "off"))


class Notes:
    """Stands for the report."""

    def __init__(self):
        self.results = {}

    def add(self, result):
        self.results[result.name.partition("/")[2]] = result


class Groups(unittest.TestCase):
    def setUp(self):
        self.guests = [guests.Guest(name, vm_name=name, program=name, group=group)
                       for name, group in (("a", "g"), ("x", ""), ("b", "g"))]

    def results(self, *lines):
        notes = Notes()
        boot = guests.Boot(WORLD, self.guests, notes)
        for line in lines:
            boot._line(line)  # pylint: disable=protected-access
        return notes.results

    def test_partners_come_along(self):
        chosen = guests.with_partners(self.guests[:1], self.guests)
        self.assertEqual([guest.name for guest in chosen], ["a", "b"])
        self.assertEqual(guests.with_partners(self.guests[1:2], self.guests), self.guests[1:2])

    def test_they_start_together(self):
        started = [(vm.name, vm.keys.get("start")) for vm in guests.configured(self.guests, WORLD)]
        self.assertEqual(started, [("x", None), ("a", None), ("b", "beside")])

    def test_each_is_judged_by_its_own_lines(self):
        results = self.results(
            "[ 1.000000] info  vm a: started", "[ 1.000000] info  vm b: started", "a| 1..1",
            "b| not ok 1 - worse", "a| ok 1 - bet", "b| 1..1", "a|+ter", "b: ok", "ok 2 - nobody's",
            "[ 1.000000] info  vm b: stopped: debug-exit code 1",
            "[ 1.000000] info  vm a: stopped: debug-exit code 1")
        self.assertEqual((results["a"].passed, results["a"].failures), (1, []))
        self.assertEqual((results["b"].passed, results["b"].failures), (0, ["not ok: worse"]))
        self.assertIn(b"ok 1 - better\n", results["a"].log)

    def test_one_after_the_other_is_not_side_by_side(self):
        results = self.results(
            "[ 1.000000] info  vm a: started", "a| 1..1", "a| ok 1",
            "[ 1.000000] info  vm a: stopped: debug-exit code 1")
        self.assertEqual(results["a"].failures, ["'b' did not run at the same time"])


def log(text):
    return f"[    1.000000] info  {text}\r\n".encode()


class Markers(unittest.TestCase):
    def story(self, *lines):
        story = Story()
        for line in lines:
            story.feed(line)
        return story

    def test_bytes_arrive_one_by_one(self):
        # The emulator ends before the last line end is out.
        text = (log("vm a: started") + log("vm a: stopped: power-off") +
                log("lapwing: all VMs are done")).rstrip()
        story = self.story(*(text[i:i + 1] for i in range(len(text))))
        self.assertEqual((story.done, story.verdict()), (True, None))

    def test_one_of_two_failed(self):
        story = self.story(log("vm a: started"), log("vm a: stopped: power-off"),
                           log("vm b: started"), log("vm b: stopped: triple fault"),
                           log("lapwing: all VMs are done"))
        self.assertEqual(story.verdict(), "vm b: triple fault")

    def test_cut_short(self):
        story = self.story(log("vm a: started"), log("vm a: stopped: power-off"))
        self.assertEqual(story.verdict(), "the emulator ended before Lapwing was done")

    def test_nothing_ran(self):
        self.assertEqual(self.story(log("lapwing: all VMs are done")).verdict(), "no VM ran")

    def test_a_guest_does_not_speak_for_lapwing(self):
        story = self.story(b"lapwing: all VMs are done\n", b"it says " + log("vm a: started"))
        self.assertEqual((story.done, story.started), (False, []))

    def test_panic_and_refusal(self):
        self.assertIn("it broke", self.story(b"PANIC: it broke\n").verdict())
        self.assertIn("no VMX", self.story(b"lapwing: refused: no VMX\n").verdict())


unittest_tap.main()
