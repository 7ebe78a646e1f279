"""``report.html``: the learning curve and the samples of a training, in one file."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from headline.page import page

WIDTH, HEIGHT, MARGIN = 560, 220, 40  # of a chart, in SVG units

STYLE = """
:root { --loss: #c2410c; --valid: #2563eb; --rouge: #15803d; }
svg { width: 100%; max-width: 40rem; height: auto; font-size: 12px; }
svg text:not([fill]) { fill: currentColor; } svg .grid { stroke: var(--line); }
table { border-collapse: collapse; display: block; overflow-x: auto; }
td, th { border-bottom: 1px solid var(--line); padding: .2rem .7rem .2rem 0;
  text-align: left; vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.source { opacity: .7; font-size: .9rem; }
"""

Rows = Sequence[Mapping[str, float]]
Curve = tuple[str, str, Sequence[float]]  # name, CSS colour, a value for each epoch


def render(
    history: Rows,
    samples: Iterable[Mapping[str, Any]],
    settings: Mapping[str, Mapping[str, Any]],
) -> str:
    """Writes the report of a training.

    Args:
        history: one row for each epoch, as in history.csv.
        samples: sample headlines with their epoch, as in samples.jsonl.
        settings: groups of settings by their titles.

    Returns:
        a whole HTML page.
    """
    losses = [
        ("train loss", "var(--loss)", [row["loss"] for row in history]),
        ("valid loss", "var(--valid)", [row["valid_loss"] for row in history]),
    ]
    scores = [("ROUGE-L", "var(--rouge)", [row["rouge_l"] for row in history])]
    phase = history[-1].get("phase")  # weights of an earlier one are not kept
    rows = [row for row in history if row.get("phase") == phase]
    best = max(rows, key=lambda row: row["rouge_l"])
    parts = [
        "<h1>A training of headline</h1>",
        f"<p>Best ROUGE-L on the valid split: {best['rouge_l']:.2f} after epoch "
        f"{best['epoch']:.0f} ({best['seconds']:.0f} s).</p>",
        "<h2>ROUGE-L by epoch</h2>",
        chart(scores),
        "<h2>Loss by epoch</h2>",
        chart(losses),
        "<h2>Sample headlines</h2>",
        _samples_table(samples),
        "<h2>Every epoch</h2>",
        _history_table(history),
    ]
    for title, group in settings.items():
        parts += [f"<h2>{escape(title)}</h2>", _settings_table(group)]
    return page("headline: report of a training", "\n".join(parts), STYLE)


def chart(curves: Sequence[Curve]) -> str:
    """Draws curves over the epochs as an SVG picture with its legend."""
    values = [value for _, _, curve in curves for value in curve]
    low, high = min(values), max(values)
    shapes = [_grid_line(_height(value, low, high), value) for value in (low, high)]
    for order, curve in enumerate(curves):
        shapes += [_legend(order, curve), *_curve(curve, low, high)]
    epochs = len(curves[0][2])
    left, right, bottom = MARGIN, WIDTH - MARGIN, HEIGHT - 14
    shapes.append(f'<text x="{left}" y="{bottom}">epoch 1</text>')
    if epochs > 1:
        end = 'text-anchor="end"'
        shapes.append(f'<text x="{right}" y="{bottom}" {end}>epoch {epochs}</text>')
    names = " and ".join(name for name, _, _ in curves)
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{names} by epoch">{"".join(shapes)}</svg>'
    )


def _height(value: float, low: float, high: float) -> float:
    share = (value - low) / ((high - low) or 1.0)
    return HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * share


def _legend(order: int, curve: Curve) -> str:
    name, colour, _ = curve
    return f'<text x="{MARGIN + 110 * order}" y="16" fill="{colour}">{name}</text>'


def _curve(curve: Curve, low: float, high: float) -> list[str]:
    name, colour, values = curve
    step = (WIDTH - 2 * MARGIN) / max(1, len(values) - 1)
    points = [
        (MARGIN + step * place, _height(value, low, high))
        for place, value in enumerate(values)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    shapes = [
        f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
    ]
    for epoch, ((x, y), value) in enumerate(zip(points, values, strict=True), 1):
        title = f"<title>{name}, epoch {epoch}: {value:.3f}</title>"
        dot = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}">'
        shapes.append(f"{dot}{title}</circle>")
    return shapes


def _grid_line(y: float, value: float) -> str:
    return (
        f'<line class="grid" x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{y:.1f}" '
        f'y2="{y:.1f}"/><text x="{MARGIN - 4}" y="{y + 4:.1f}" '
        f'text-anchor="end">{value:.2f}</text>'
    )


def _samples_table(samples: Iterable[Mapping[str, Any]]) -> str:
    """One block for each article: its reference, then the headline of each epoch."""
    blocks: dict[tuple[str, str], list[str]] = {}
    for sample in samples:
        key = sample["source"], sample["reference"]
        row = f"<tr><td>epoch {sample['epoch']}</td>"
        row += f"<td>{escape(sample['headline'])}</td></tr>"
        blocks.setdefault(key, []).append(row)
    return "\n".join(
        f'<p class="source">{escape(source)}…</p><table>'
        f"<tr><th>reference</th><th>{escape(reference)}</th></tr>{''.join(rows)}</table>"
        for (source, reference), rows in blocks.items()
    )


def _history_table(history: Rows) -> str:
    head = "".join(f"<th>{name.replace('_', ' ')}</th>" for name in history[-1])
    body = "".join(
        "<tr>"
        + "".join(f'<td class="number">{value:.5g}</td>' for value in row.values())
        + "</tr>"
        for row in history
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _settings_table(group: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{escape(str(name))}</td><td>{escape(str(value))}</td></tr>"
        for name, value in group.items()
    )
    return f"<table>{rows}</table>"
