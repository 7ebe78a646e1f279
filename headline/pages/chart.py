"""Charts as SVG pictures for HTML pages: lines over an axis, and bars.

They need no script: what is pointed at, or tapped, shows its values by CSS alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import pairwise
from statistics import fmean, geometric_mean

from headline.pages.axis import Axis, number

WIDTH, HEIGHT = 360, 210  # of a chart, in SVG units; the font is 11 of them high
LEFT, RIGHT, TOP, BOTTOM = 50, 350, 10, 184  # edges of the plot
MOST_POINTS = 200  # of a line; of more, so many are shown, evenly spread
MOST_LABELS = 12  # below bars

STYLE = """
:root { --s0: #0b6bcb; --s1: #d9730d; --s2: #0f8a5f; --s3: #b5387d; --s4: #6b4fd8;
  --s5: #8a6d00; --s6: #5b6470; --paper: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --s0: #5aa9ff; --s1: #ff9d4d; --s2: #4cc38a; --s3: #f07ab8; --s4: #a794ff;
    --s5: #d8b62f; --s6: #a0a8b4; --paper: #121212; } }
.s0 { --hue: var(--s0); } .s1 { --hue: var(--s1); } .s2 { --hue: var(--s2); }
.s3 { --hue: var(--s3); } .s4 { --hue: var(--s4); } .s5 { --hue: var(--s5); }
.s6 { --hue: var(--s6); }
figure { margin: 0; } figcaption { font-weight: 600; }
figure svg { display: block; width: 100%; height: auto; font-size: 11px; }
svg text { fill: currentColor; font-variant-numeric: tabular-nums; }
.tick { opacity: .7; } .grid line { stroke: var(--line); stroke-width: .6; }
.lines { fill: none; stroke: var(--hue); stroke-width: 1.8; stroke-linejoin: round; }
.dots circle { fill: var(--hue); } rect.bar { fill: var(--hue); }
.mark { stroke: currentColor; stroke-dasharray: 3 3; opacity: .55; }
.at rect { fill: transparent; } .at g { opacity: 0; pointer-events: none; }
.at:hover g { opacity: 1; } .at line { stroke: currentColor; opacity: .4; }
.at text { paint-order: stroke; stroke: var(--paper); stroke-width: 5px;
  stroke-linejoin: round; }
.at tspan[class] { fill: var(--hue); font-weight: 600; }
.key { display: flex; flex-wrap: wrap; gap: 0 .9rem; margin: 0; padding: 0;
  list-style: none; font-size: .8rem; }
.key li::before { content: ""; display: inline-block; width: .7rem; height: .7rem;
  border-radius: 2px; background: var(--hue); margin-right: .35rem; }
"""

Values = Mapping[str, Sequence[float]]
Ends = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """What a chart of lines shows.

    A value that is not finite, or not above 0 on a logarithmic axis, is left out.
    """

    title: str
    xs: Sequence[float]  # rising
    lines: Values  # by name, a value for each x; at most seven
    x_name: str = "epoch"  # of what an x is
    x_log: bool = False
    y_log: bool = False
    mark: float | None = None  # the x of a dashed line


def line_chart(chart: Chart) -> str:
    """Draws lines, each in a hue of its own."""
    chart = _thinned(chart)
    values = [value for line in chart.lines.values() for value in line]
    plot = _Plot(Axis.over(chart.xs, chart.x_log), _rounded(values, chart.y_log))
    shapes = [plot.grid()]
    shapes += [plot.label(x, number(x)) for x in plot.x.ticks(whole=True)]
    if chart.mark is not None and plot.x.shows(chart.mark):
        shapes.append(plot.upright(chart.mark, ' class="mark"'))
    for hue, line in enumerate(chart.lines.values()):
        shapes.append(plot.line(chart.xs, line, hue))
    shapes += _tips(plot, chart)
    return _figure(chart.title, list(chart.lines), "".join(shapes))


def bar_chart(title: str, labels: Sequence[str], bars: Values, unit: str) -> str:
    """Draws bars: for each label as many beside each other as there are names.

    Args:
        unit: of what the labels say.
    """
    counts = [value for values in bars.values() for value in values]
    plot = _Plot(Axis(-0.5, len(labels) - 0.5), _rounded([0.0, *counts]))
    every = -(-len(labels) // MOST_LABELS)
    shapes = [plot.grid()]
    shapes += [
        plot.label(place, labels[place]) for place in range(0, len(labels), every)
    ]
    width = 0.84 / len(bars)
    for hue, values in enumerate(bars.values()):
        for place, value in enumerate(values):
            shapes.append(plot.bar(place - 0.42 + width * hue, width, value, hue))
    for place, label in enumerate(labels):
        found = {name: values[place] for name, values in bars.items()}
        reach = (place - 0.5, place + 0.5)
        shapes.append(plot.tip(place, reach, f"{label} {unit}", found))
    return _figure(title, list(bars), "".join(shapes))


def _rounded(values: Sequence[float], log: bool = False) -> Axis:
    return Axis.over(values, log).rounded()


def _figure(title: str, names: Sequence[str], shapes: str) -> str:
    """Puts a title above a picture, and a key to the hues if there are several."""
    keys = "".join(
        f'<li class="s{hue}">{escape(name)}</li>' for hue, name in enumerate(names)
    )
    key = f'<ul class="key">{keys}</ul>' if len(names) > 1 else ""
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>{key}"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">{shapes}</svg></figure>'
    )


def _thinned(chart: Chart) -> Chart:
    last = len(chart.xs) - 1
    if last < MOST_POINTS:
        return chart
    places = [at * last // (MOST_POINTS - 1) for at in range(MOST_POINTS)]
    lines = {name: [line[at] for at in places] for name, line in chart.lines.items()}
    return replace(chart, xs=[chart.xs[at] for at in places], lines=lines)


def _tips(plot: "_Plot", chart: Chart) -> Iterator[str]:
    """What shows at each x, from half-way to the x before to half-way to the next."""
    middle = geometric_mean if chart.x_log else fmean
    halves = [middle(pair) for pair in pairwise(chart.xs)]
    edges = [plot.x.low, *halves, plot.x.high]
    for place, (x, reach) in enumerate(zip(chart.xs, pairwise(edges), strict=True)):
        values = {name: line[place] for name, line in chart.lines.items()}
        yield plot.tip(x, reach, f"{chart.x_name} {number(x)}", values)


@dataclass(frozen=True)
class _Plot:
    """The plane of a chart: turns values into shapes."""

    x: Axis
    y: Axis

    def across(self, value: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * self.x.share(value), 1)

    def down(self, value: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * self.y.share(value), 1)

    def grid(self) -> str:
        """Level lines with their values."""
        lines = "".join(
            f'<line x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}"/>'
            f'<text class="tick" x="{LEFT - 6}" y="{y + 4:g}" text-anchor="end">'
            f"{number(value)}</text>"
            for value in self.y.ticks()
            for y in (self.down(value),)
        )
        return f'<g class="grid">{lines}</g>'

    def label(self, x: float, text: str) -> str:
        """A text below the plot."""
        return (
            f'<text class="tick" x="{self.across(x)}" y="{BOTTOM + 17}" '
            f'text-anchor="middle">{escape(text)}</text>'
        )

    def upright(self, x: float, attributes: str = "") -> str:
        """A line from top to bottom."""
        place = self.across(x)
        return f'<line{attributes} x1="{place}" x2="{place}" y1="{TOP}" y2="{BOTTOM}"/>'

    def line(self, xs: Sequence[float], values: Sequence[float], hue: int) -> str:
        """A line through the values that can be shown, interrupted at the others."""
        path, dots, pen = "", "", "M"
        for x, value in zip(xs, values, strict=True):
            if not self.y.shows(value):
                pen = "M"
                continue
            place = f"{self.across(x)} {self.down(value)}"
            path, pen = path + pen + place, "L"
            dots += self.dot(x, value, 2.0)
        shown = f'<g class="dots">{dots}</g>' if len(xs) <= 40 else ""
        return f'<g class="s{hue}"><path class="lines" d="{path}"/>{shown}</g>'

    def dot(self, x: float, value: float, radius: float) -> str:
        return f'<circle cx="{self.across(x)}" cy="{self.down(value)}" r="{radius}"/>'

    def bar(self, left: float, width: float, value: float, hue: int) -> str:
        x, y = self.across(left), self.down(value)
        return (
            f'<rect class="bar s{hue}" x="{x}" y="{y}" '
            f'width="{self.across(left + width) - x:.1f}" height="{BOTTOM - y:.1f}"/>'
        )

    def tip(
        self,
        x: float,
        reach: tuple[float, float],
        head: str,
        values: Mapping[str, float],
    ) -> str:
        """What shows while a part of the plot is pointed at: a line and the values."""
        left, right = (self.across(end) for end in reach)
        place = self.across(x)
        on_left = place > (LEFT + RIGHT) / 2
        edge, anchor = (place - 8, "end") if on_left else (place + 8, "start")
        rows = "".join(
            f'<tspan class="s{hue}" x="{edge:g}" dy="1.25em">{escape(name)} '
            f"{number(value)}</tspan>"
            for hue, (name, value) in enumerate(values.items())
        )
        return (
            f'<g class="at"><rect x="{left}" y="{TOP}" width="{right - left:.1f}" '
            f'height="{BOTTOM - TOP}"/><g>{self.upright(x)}<text x="{edge:g}" '
            f'y="{TOP + 10}" text-anchor="{anchor}">{escape(head)}{rows}</text></g></g>'
        )
