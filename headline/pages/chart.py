"""Charts as SVG pictures for HTML pages: lines over an axis, and bars.

They need no script: a point under the mouse, or tapped, shows its values by CSS alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean, geometric_mean
from typing import ClassVar

from headline.pages.axis import Axis, number

WIDTH, HEIGHT = 360, 210  # of a chart, in SVG units; the font is 11 units high
LEFT, RIGHT, TOP, BOTTOM = 50, 350, 10, 184  # edges of the plot
MOST_POINTS = 200  # points per line; a longer line is thinned out evenly
MOST_LABELS = 12  # below bars
DIGIT, GAP = 6.6, 8  # width of a character of a label, and least space between labels
MOST_DOTS = 40  # a line with more values has no dots

Values = Mapping[str, Sequence[float]]
Ends = tuple[float, float]
Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """The content of a line chart.

    A value that is not finite, or not above 0 on a logarithmic axis, is left out.
    """

    title: str
    xs: Sequence[float]  # ascending
    lines: Values  # at most seven lines by name, with a value for each x
    x_name: str = "epoch"  # name of the x values
    x_log: bool = False
    y_log: bool = False
    mark: float | None = None  # the x of a dashed line


@dataclass(frozen=True)
class Level:
    """A level line, with its value beside it."""

    y: float
    text: str


@dataclass(frozen=True)
class Label:
    """A text below the plot."""

    x: float
    text: str


@dataclass(frozen=True)
class Line:
    """A line through values, interrupted where one cannot be shown."""

    path: str  # as SVG has it
    points: Sequence[Point]  # through which it goes
    dotted: bool  # whether they are shown


@dataclass(frozen=True)
class Bar:
    """A bar, from its top to the bottom of the plot."""

    hue: int
    x: float
    y: float
    width: float


@dataclass(frozen=True, kw_only=True)
class Tip:
    """A line and the values, shown while the mouse is over a part of the plot."""

    left: float  # of the part
    width: float
    x: float  # of the line
    edge: float  # of the text, by the line
    anchor: str  # which end of the text is there
    head: str
    values: Sequence[tuple[str, str]]  # by their names, a hue each


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The shapes of a chart, in SVG units: what ``chart.html`` draws."""

    width: ClassVar[int] = WIDTH
    height: ClassVar[int] = HEIGHT
    left: ClassVar[int] = LEFT
    right: ClassVar[int] = RIGHT
    top: ClassVar[int] = TOP
    bottom: ClassVar[int] = BOTTOM

    title: str
    names: Sequence[str]  # a hue each
    grid: Sequence[Level]
    labels: Sequence[Label]
    tips: Sequence[Tip]
    mark: float | None = None  # the x of a dashed line
    lines: Sequence[Line] = ()
    bars: Sequence[Bar] = ()


def line_chart(chart: Chart) -> Picture:
    """Draws lines, each in a hue of its own."""
    chart = _thinned(chart)
    values = [value for line in chart.lines.values() for value in line]
    plot = _Plot(Axis.over(chart.xs, chart.x_log), _rounded(values, chart.y_log))
    return Picture(
        title=chart.title,
        names=list(chart.lines),
        grid=plot.grid(),
        labels=[plot.label(x, number(x)) for x in plot.x.ticks(whole=True)],
        mark=plot.mark(chart.mark),
        lines=[plot.line(chart.xs, line) for line in chart.lines.values()],
        tips=list(_tips(plot, chart)),
    )


def bar_chart(
    title: str, labels: Sequence[str], bars: Values, unit: str = "", head: str = ""
) -> Picture:
    """Draws grouped bars: for each label, one bar per name.

    Args:
        unit, head: what tips have behind and before a label.
    """
    counts = [value for values in bars.values() for value in values]
    plot = _Plot(Axis(-0.5, len(labels) - 0.5), _rounded([0.0, *counts]))
    every = -(-len(labels) // _most_labels(labels))
    places = range(0, len(labels), every)
    return Picture(
        title=title,
        names=list(bars),
        grid=plot.grid(),
        labels=[plot.label(place, labels[place]) for place in places],
        bars=list(_bars(plot, bars)),
        tips=[
            plot.tip(
                place,
                (place - 0.5, place + 0.5),
                f"{head} {label} {unit}".strip(),
                {name: values[place] for name, values in bars.items()},
            )
            for place, label in enumerate(labels)
        ],
    )


def _most_labels(labels: Sequence[str]) -> int:
    """Returns how many labels fit below the plot without touching each other."""
    widest = DIGIT * max(map(len, labels)) + GAP
    return min(MOST_LABELS, max(1, int((RIGHT - LEFT) / widest)))


def _rounded(values: Sequence[float], log: bool = False) -> Axis:
    return Axis.over(values, log).rounded()


def _bars(plot: "_Plot", bars: Values) -> Iterator[Bar]:
    width = 0.84 / len(bars)
    for hue, values in enumerate(bars.values()):
        for place, value in enumerate(values):
            yield plot.bar(place - 0.42 + width * hue, width, value, hue)


def _thinned(chart: Chart) -> Chart:
    last = len(chart.xs) - 1
    if last < MOST_POINTS:
        return chart
    places = [at * last // (MOST_POINTS - 1) for at in range(MOST_POINTS)]
    lines = {name: [line[at] for at in places] for name, line in chart.lines.items()}
    return replace(chart, xs=[chart.xs[at] for at in places], lines=lines)


def _tips(plot: "_Plot", chart: Chart) -> Iterator[Tip]:
    """Yields the tip of each x; its part reaches half-way to the neighbouring xs."""
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

    def grid(self) -> list[Level]:
        return [Level(self.down(value), number(value)) for value in self.y.ticks()]

    def label(self, x: float, text: str) -> Label:
        return Label(self.across(x), text)

    def mark(self, x: float | None) -> float | None:
        return None if x is None or not self.x.shows(x) else self.across(x)

    def line(self, xs: Sequence[float], values: Sequence[float]) -> Line:
        path, points, pen = "", [], "M"
        for x, value in zip(xs, values, strict=True):
            if not self.y.shows(value):
                pen = "M"
                continue
            points.append((self.across(x), self.down(value)))
            path += "{}{} {}".format(pen, *points[-1])
            pen = "L"
        return Line(path, points, dotted=len(xs) <= MOST_DOTS)

    def bar(self, left: float, width: float, value: float, hue: int) -> Bar:
        x = self.across(left)
        return Bar(hue, x, self.down(value), self.across(left + width) - x)

    def tip(self, x: float, reach: Ends, head: str, values: Mapping[str, float]) -> Tip:
        left, right = (self.across(end) for end in reach)
        place = self.across(x)
        on_left = place > (LEFT + RIGHT) / 2
        return Tip(
            left=left,
            width=right - left,
            x=place,
            edge=place - 8 if on_left else place + 8,
            anchor="end" if on_left else "start",
            head=head,
            values=[(name, number(value)) for name, value in values.items()],
        )
