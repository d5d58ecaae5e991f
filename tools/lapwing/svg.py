# SPDX-License-Identifier: BSD-2-Clause
"""A trace as a picture: what each virtual processor does, and who sends what to whom."""

from html import escape

from lapwing import dump as d
from lapwing.errors import UsageError
from lapwing.timeline import Timeline, track_of

WIDTH, LEFT, RIGHT, TOP = 1280, 190, 20, 64
ROW, BAR = 72, 26
LETTER = 6.4  # of the font, about
COLOURS = {"guest": "#9fd3a8", "exit": "#f3b36b", "waits": "#ececec"}
ARROW = "#2457c5"
STEPS = [step * 10 ** power for power in range(-3, 21) for step in (1, 2, 5)]
HEAD = """<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"
  font-family="DejaVu Sans, Verdana, sans-serif" font-size="11">
<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">
<path d="M0 0L10 5L0 10z" fill="{arrow}"/></marker></defs>
<rect width="100%" height="100%" fill="white"/>
"""


class _Picture:
    def __init__(self, dump, tracks, start, end):
        self._dump, self._start, self._end = dump, start, end
        self._rows = {track: number for number, track in enumerate(tracks)}
        self._parts = []
        self._free = {}  # row of small print: x from which it is free

    def _x(self, tsc):
        part = (self._dump.seconds(tsc) * 1e6 - self._start) / (self._end - self._start)
        return LEFT + min(max(part, 0), 1) * (WIDTH - LEFT - RIGHT)

    def _y(self, track):
        return TOP + self._rows[track] * ROW

    def _text(self, x, y, text, more=""):
        self._parts.append(f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(text)}</text>\n')

    def _print_small(self, x, y, text, colour):
        """Where it does not cover what is there, else not."""
        if x >= self._free.get(y, 0):
            self._text(x, y, text, f'font-size="10" fill="{colour}"')
            self._free[y] = x + len(text) * LETTER * 0.9 + 4

    def axis(self):
        bottom = TOP + len(self._rows) * ROW - 16
        step = next((step for step in STEPS if (self._end - self._start) / step <= 14), STEPS[-1])
        first = -(-self._start // step)
        for i in range(int((self._end - first * step) // step) + 1):
            time = (first + i) * step
            x = LEFT + (time - self._start) / (self._end - self._start) * (WIDTH - LEFT - RIGHT)
            self._parts.append(f'<path d="M{x:.1f} {TOP - 14}V{bottom}" stroke="#dddddd"/>\n')
            self._text(x, TOP - 20, f"{time:g} µs", 'text-anchor="middle" fill="#555555"')

    def labels(self):
        for track in self._rows:
            vm = self._dump.vms[track.vm]
            self._text(LEFT - 10, self._y(track) + 12, vm.processor(track.vcpu, track.vtl),
                       'text-anchor="end" font-weight="bold" font-size="13"')
            under = vm.name
            if track.vcpu != d.NOBODY:
                under += f", APIC ID {vm.apic_ids[track.vcpu]:X}h"
            self._text(LEFT - 10, self._y(track) + 27, under, 'text-anchor="end" fill="#555555"')

    def slice(self, what):
        x, end, y = self._x(what.start), self._x(what.end), self._y(what.track)
        self._parts.append(f'<rect x="{x:.1f}" y="{y}" width="{max(end - x, 0.5):.1f}" height="{BAR}" '
                           f'fill="{COLOURS[what.kind]}" stroke="white" stroke-width="0.5"/>\n')
        if len(what.name) * LETTER < end - x - 4:
            self._text((x + end) / 2, y + BAR - 9, what.name, 'text-anchor="middle" fill="#333333"')

    def instant(self, event):
        x, y = self._x(event.tsc), self._y(track_of(event))
        self._parts.append(f'<path d="M{x:.1f} {y + BAR}v5" stroke="#333333"/>\n')
        text = f"{d.NAMES[event.type]} {d.describe(self._dump, event)}"
        self._print_small(x - 2, y + BAR + 15, text, "#333333")

    def message(self, message):
        x, y = self._x(message.start), self._y(message.track)
        for arrow in message.arrows:
            if arrow.track not in self._rows:
                continue
            to_x, to_y = self._x(arrow.end), self._y(arrow.track)
            down = to_y > y
            from_y, to_y = (y + BAR, to_y) if down else (y, to_y + BAR)
            if arrow.track == message.track:
                from_y = to_y = y
            bend = 30 if down else -30
            self._parts.append(
                f'<path d="M{x:.1f} {from_y}C{x:.1f} {from_y + bend} {to_x:.1f} {to_y - bend} '
                f'{to_x:.1f} {to_y}" fill="none" stroke="{ARROW}" stroke-width="1.6" '
                'marker-end="url(#head)"/>\n')
        self._print_small(x - 2, y - 5, f"{d.message(message.event)}: taken by {message.event.b}",
                          ARROW)

    def text(self):
        height = TOP + len(self._rows) * ROW
        legend = "".join(f'<rect x="{LEFT + 210 * i}" y="10" width="14" height="14" '
                         f'fill="{COLOURS[kind]}"/><text x="{LEFT + 20 + 210 * i}" y="21">{name}'
                         '</text>\n' for i, (kind, name) in enumerate((
                             ("guest", "the guest runs"), ("exit", "Lapwing handles an exit"),
                             ("waits", "it waits"))))
        legend += (f'<path d="M{LEFT + 630} 17h24" stroke="{ARROW}" stroke-width="1.6" '
                   f'marker-end="url(#head)"/><text x="{LEFT + 662}" y="21">from the sender to '
                   'each that takes it, and when the guest gets it</text>\n')
        return (HEAD.format(width=WIDTH, height=height, arrow=ARROW) + legend
                + "".join(self._parts) + "</svg>\n")


def draw(dump, wanted, start, end):
    """The text of an SVG file. start and end are seconds after the first event."""
    timeline = Timeline(dump)
    slices = [s for s in timeline.slices if wanted(s.track, s.start, s.end, s.event.type)]
    messages = [m for m in timeline.messages if wanted(m.track, m.start, m.end, d.ROUTE)]
    instants = [e for e in timeline.instants if wanted(track_of(e), e.tsc, e.tsc, e.type)]
    tracks = sorted({s.track for s in slices} | {m.track for m in messages}
                    | {track_of(event) for event in instants}
                    | {a.track for m in messages for a in m.arrows
                       if wanted(a.track, a.end, a.end, d.ROUTE)})
    end = min(end, dump.seconds(dump.events[-1].tsc))
    if not tracks or start >= end:
        raise UsageError("there is nothing to draw in that time")
    picture = _Picture(dump, tracks, start * 1e6, end * 1e6)
    picture.axis()
    picture.labels()
    for what in slices:
        picture.slice(what)
    for event in instants:
        picture.instant(event)
    for what in messages:
        picture.message(what)
    return picture.text()
