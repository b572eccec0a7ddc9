# ===- roofline.py - Measured points under the machine's limits --------------===//
#
# Part of the Smelt project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""Draws a roofline as SVG.

Both axes are logarithmic: operations for each byte of weights and cache that a
run reads, and operations per second. Read bandwidth is the slope, peaks of the
machine's units are the flat roofs. Systems differ in colour; a filled point is
a prompt or a batch, a ring is generation; a number is a case of the legend.
A column is one case: it stands at the mean of its systems' intensities, or
beside others that would hide it.
"""
import math
from html import escape

COLOURS = ("#c2410c", "#3b6ea5", "#4a8a4a", "#a5487a", "#b07a26", "#555555")
WIDTH, HEIGHT = 960, 520
LEFT, RIGHT, TOP, BOTTOM = 70, 700, 40, 460  # of the plot
STEP = 13  # pixels between columns of points
STYLE = """  <style>
    .bg { fill: #ffffff; }
    .roof { stroke: #222222; stroke-width: 1.5; fill: none; }
    .grid { stroke: #dddddd; stroke-width: 1; }
    .link { stroke: #999999; stroke-width: 1; }
    .small { font-size: 11px; fill: #444444; }
    .name { font-weight: bold; }
    text { fill: #222222; }
  </style>
"""


class Scale:
    """A logarithmic axis from values to pixels."""

    def __init__(self, values, begin, end):
        self.low, self.high = min(values) / 1.6, max(values) * 1.6
        self.begin, self.end = begin, end

    def __call__(self, value):
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.begin + share * (self.end - self.begin)

    def ticks(self):
        """1, 2 and 5 times powers of ten, or powers alone over many decades."""
        steps = (1, 2, 5) if self.high / self.low < 3000 else (1,)
        for power in range(math.floor(math.log10(self.low)),
                           math.ceil(math.log10(self.high)) + 1):
            for step in steps:
                if self.low <= step * 10.0 ** power <= self.high:
                    yield step * 10.0 ** power


def axes(x, y):
    for value in x.ticks():
        yield (f'<path class="grid" d="M{x(value):.1f},{TOP} V{BOTTOM}"/>'
               f'<text class="small" x="{x(value):.1f}" y="{BOTTOM + 16}" '
               f'text-anchor="middle">{value:g}</text>')
    for value in y.ticks():
        yield (f'<path class="grid" d="M{LEFT},{y(value):.1f} H{RIGHT}"/>'
               f'<text class="small" x="{LEFT - 6}" y="{y(value) + 4:.1f}" '
               f'text-anchor="end">{value / 1e9:g}</text>')
    yield (f'<text x="{(LEFT + RIGHT) / 2}" y="{BOTTOM + 38}" '
           'text-anchor="middle">operations for each byte read</text>')
    yield (f'<text x="20" y="{(TOP + BOTTOM) / 2}" text-anchor="middle" '
           f'transform="rotate(-90 20 {(TOP + BOTTOM) / 2})">'
           'giga-operations per second</text>')


def roofs(x, y, bandwidth, peaks):
    """The slope ends at the highest peak; each peak begins at the slope."""
    top = min(max(peaks.values()), y.high)
    begin = max(x.low, y.low / bandwidth)
    end = min(x.high, top / bandwidth)
    yield (f'<path class="roof" d="M{x(begin):.1f},{y(bandwidth * begin):.1f} '
           f'L{x(end):.1f},{y(bandwidth * end):.1f}"/>')
    middle = math.sqrt(begin * end)
    yield (f'<text class="small" x="{x(middle) - 10:.1f}" '
           f'y="{y(bandwidth * middle) - 4:.1f}" text-anchor="end">memory</text>')
    for unit, rate in peaks.items():
        yield (f'<path class="roof" d="M{x(max(rate / bandwidth, x.low)):.1f},'
               f'{y(rate):.1f} H{RIGHT}"/>'
               f'<text class="small" x="{RIGHT - 4}" y="{y(rate) - 5:.1f}" '
               f'text-anchor="end">{unit}</text>')


def beside(groups):
    """Moves groups that share an intensity apart, around their place."""
    groups.sort(key=lambda group: group["x"])
    columns = []
    for group in groups:
        if columns and group["x"] - columns[-1][0]["x"] < STEP:
            columns[-1].append(group)
        else:
            columns.append([group])
    for column in columns:
        middle = sum(group["x"] for group in column) / len(column)
        for i, group in enumerate(column):
            group["x"] = middle + STEP * (i - (len(column) - 1) / 2)


def marks(x, y, points, numbers, colours):
    """Points; those of one case and phase stand in a column above its
    number."""
    groups = {}
    for point in points:
        key = point["case"], point["phase"]
        group = groups.setdefault(key, {"key": key, "points": []})
        group["points"].append(point)
    for group in groups.values():
        group["points"].sort(key=lambda point: point["rate"])
        group["x"] = sum(x(point["intensity"]) for point in
                         group["points"]) / len(group["points"])
    beside(list(groups.values()))
    for group in groups.values():
        case, phase = group["key"]
        low, high = (y(group["points"][i]["rate"]) for i in (0, -1))
        yield (f'<path class="link" d="M{group["x"]:.1f},{low:.1f} '
               f'V{high:.1f}"/>'
               f'<text class="small" x="{group["x"]:.1f}" y="{low + 16:.1f}" '
               f'text-anchor="middle">{numbers[case]}</text>')
        for point in group["points"]:
            colour = colours[point["system"]]
            fill = "#ffffff" if phase == "generate" else colour
            yield (f'<circle cx="{group["x"]:.1f}" cy="{y(point["rate"]):.1f}" '
                   f'r="4" fill="{fill}" stroke="{colour}" '
                   'stroke-width="2"/>')


def legend(numbers, colours):
    x, row = RIGHT + 30, TOP + 10
    for system, colour in colours.items():
        yield (f'<circle cx="{x}" cy="{row - 4}" r="4.5" fill="{colour}"/>'
               f'<text class="name" x="{x + 14}" y="{row}">'
               f'{escape(system)}</text>')
        row += 20
    for fill, meaning in (("#777777", "prompt or batch"),
                          ("#ffffff", "generation")):
        yield (f'<circle cx="{x}" cy="{row - 4}" r="4.5" fill="{fill}" '
               f'stroke="#777777" stroke-width="2"/>'
               f'<text x="{x + 14}" y="{row}">{meaning}</text>')
        row += 20
    row += 10
    for case, number in numbers.items():
        yield (f'<text class="small" x="{x + 4}" y="{row}" text-anchor="end">'
               f'{number}</text>'
               f'<text class="small" x="{x + 14}" y="{row}">{escape(case)}'
               '</text>')
        row += 17


def draw(path, title, bandwidth, peaks, points):
    """Writes the picture.

    bandwidth is in bytes per second, peaks are operations per second by unit.
    A point has case, system, phase ("prompt" or "generate"), intensity in
    operations for each byte, and rate in operations per second.
    """
    x = Scale([p["intensity"] for p in points] +
              [min(peaks.values()) / bandwidth], LEFT, RIGHT)
    y = Scale([p["rate"] for p in points] + list(peaks.values()), BOTTOM, TOP)
    numbers, colours = {}, {}
    for point in points:
        numbers.setdefault(point["case"], len(numbers) + 1)
        colours.setdefault(point["system"],
                           COLOURS[len(colours) % len(COLOURS)])
    parts = [*axes(x, y), *roofs(x, y, bandwidth, peaks),
             *marks(x, y, points, numbers, colours),
             *legend(numbers, colours)]
    with open(path, "w") as file:
        file.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} '
            f'{HEIGHT}" font-family="Helvetica, Arial, sans-serif" '
            'font-size="13" role="img" aria-label="Speed of models under the '
            f'limits of the machine">\n{STYLE}'
            f'  <rect class="bg" width="{WIDTH}" height="{HEIGHT}"/>\n'
            f'  <text class="name" x="{LEFT}" y="24">{escape(title)}</text>\n')
        file.writelines(f"  {part}\n" for part in parts)
        file.write("</svg>\n")
