"""``report.html``: what a training has to tell, on one page that needs nothing else."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from headline.network.weights import GROUPS
from headline.pages.axis import number
from headline.pages.chart import STYLE as CHART_STYLE
from headline.pages.chart import Chart, bar_chart, line_chart
from headline.pages.page import page
from headline.pages.sample_view import STYLE as SAMPLE_STYLE
from headline.pages.sample_view import samples_view

MOST_BARS = 25  # groups of them in the chart of lengths

STYLE = """
body { max-width: 76rem; background: var(--paper); }
header p { margin: 0; opacity: .7; } h1 { font-size: 1.9rem; line-height: 1.2;
  margin: .2rem 0 1rem; }
h2 { border-top: 1px solid var(--line); padding-top: 1.2rem; font-size: 1.3rem; }
dl { display: grid; gap: .8rem 1.2rem; margin: 0;
  grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr)); }
dt { opacity: .7; font-size: .85rem; } dd { margin: 0; font-size: 1.25rem;
  font-weight: 600; font-variant-numeric: tabular-nums; }
.cards > figure { display: flex; flex-direction: column; max-width: 30rem; }
.cards > figure svg { margin-top: auto; }
.cards { display: grid; gap: 1.6rem 2rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr)); }
table { border-collapse: collapse; }
td, th { border-bottom: 1px solid var(--line); padding: .25rem .8rem .25rem 0;
  text-align: left; vertical-align: top; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.wide { overflow-x: auto; } .wide th { font-weight: normal; opacity: .7;
  vertical-align: bottom; font-size: .85rem; }
.share { min-width: 5.5rem; font-variant-numeric: tabular-nums; }
.share::after { content: ""; display: block; height: 4px; border-radius: 2px;
  background: linear-gradient(90deg, var(--hue) calc(var(--p) * 1%), var(--line) 0); }
.settings td { overflow-wrap: anywhere; font-size: .9rem; }
summary { cursor: pointer; font-weight: 600; } .note { opacity: .7; font-size: .9rem; }
"""

Row = Mapping[str, Any]

# Of each chart its title, its columns with their names, and whether it is logarithmic.
CHARTS: Sequence[tuple[str, Mapping[str, str], bool]] = (
    (
        "ROUGE",
        {"rouge_1": "ROUGE-1", "rouge_2": "ROUGE-2", "rouge_l": "ROUGE-L"},
        False,
    ),
    ("Loss of a token", {"loss": "train", "valid_loss": "valid"}, False),
    ("Learning rate", {"learning_rate": "rate"}, False),
    ("Gradient norm, before clipping", {"gradient_norm": "norm"}, False),
    (
        "Update-to-weight ratio",
        {f"update_ratio_{group}": group for group in GROUPS},
        True,
    ),
    ("Gate: share of generating, not copying", {"gate": "gate"}, False),
    ("Copy entropy, in nats", {"copy_entropy": "entropy"}, False),
    (
        "Faulty headlines, %",
        {"unsupported_numbers": "wrong number", "repeated_bigrams": "repetition"},
        False,
    ),
    (
        "Source tokens in a second of updates",
        {"source_tokens_per_second": "tokens"},
        False,
    ),
)

# What is counted in headlines, all of it in percent.
RATES = {
    "copy_rate": "Characters from the article",
    "copy_rate_bigrams": "Bigrams from the article",
    "unsupported_numbers": "Headlines with a number that the article lacks",
    "unsupported_latin": "Headlines with a Latin word that the article lacks",
    "repeated_bigrams": "Headlines with a bigram twice",
    "exact": "Headlines that are the reference",
}


@dataclass(frozen=True, kw_only=True)
class Story:
    """What a training has to tell."""

    history: Sequence[Row]  # a row for each epoch, as in history.csv
    samples: Sequence[Row]  # by epoch, as in samples.jsonl
    statistics: Mapping[str, Row]  # of ``model`` and ``references``: lengths, and rates
    kept: int  # the epoch whose weights are kept
    pairs: int  # trained on
    weights: int
    settings: Mapping[str, Row]  # groups of them, by their titles


def render(story: Story) -> str:
    """Writes the report of a training as a whole HTML page."""
    parts = [
        _header(story),
        "<h2>How it went</h2>",
        '<p class="note">By epoch; the dashed line is the one whose weights were kept. '
        "Point at a chart, or tap it, for its values.</p>",
        _charts(story.history, story.kept),
        "<h2>What it writes</h2>",
        _statistics(story.statistics),
        "<h2>Sample headlines</h2>",
        '<p class="note">Marked is what the reference has too, in the same order; at '
        "the end stands ROUGE-L. ★ are the weights that were kept.</p>",
        samples_view(story.samples, story.kept),
        "<h2>Every epoch</h2>",
        _history_table(story.history),
        "<h2>Settings and environment</h2>",
        _settings(story.settings),
    ]
    style = CHART_STYLE + SAMPLE_STYLE + STYLE
    return page("headline: report of a training", "\n".join(parts), style)


def _header(story: Story) -> str:
    last = story.history[-1]
    kept = next(row for row in story.history if row["epoch"] == story.kept)
    figures = {
        "ROUGE-1": f"{kept['rouge_1']:.2f}",
        "ROUGE-2": f"{kept['rouge_2']:.2f}",
        "minutes": f"{last['seconds'] / 60:.1f}",
        "epochs": number(last["epoch"]),
        "updates": number(last["updates"]),
        "pairs": number(story.pairs),
        "weights": number(story.weights),
    }
    items = "".join(f"<div><dt>{k}</dt><dd>{v}</dd></div>" for k, v in figures.items())
    return (
        "<header><p>headline · report of a training · on the valid split</p>"
        f"<h1>ROUGE-L {kept['rouge_l']:.2f} after epoch {story.kept}</h1>"
        f"<dl>{items}</dl></header>"
    )


# --- charts ---------------------------------------------------------------------------


def _charts(history: Sequence[Row], kept: int) -> str:
    epochs = _column(history, "epoch")
    charts = [
        Chart(title=title, xs=epochs, lines=lines, y_log=log, mark=kept)
        for title, columns, log in CHARTS
        if (lines := _lines(history, columns))
    ]
    return f'<div class="cards">{"".join(map(line_chart, charts))}</div>'


def _lines(
    history: Sequence[Row], columns: Mapping[str, str]
) -> dict[str, list[float]]:
    """Returns the columns that there are, by their names for people."""
    return {
        name: _column(history, column)
        for column, name in columns.items()
        if column in history[-1]
    }


def _column(history: Sequence[Row], name: str) -> list[float]:
    # An older version, before a resume, may have kept less.
    return [float(row.get(name, math.nan)) for row in history]


# --- statistics -----------------------------------------------------------------------


def _statistics(statistics: Mapping[str, Row]) -> str:
    lengths = {name: found["lengths"] for name, found in statistics.items()}
    labels, bars = histogram(lengths)
    articles = len(next(iter(lengths.values())))
    chart = bar_chart("Headlines by their characters", labels, bars, "characters")
    return (
        f'<p class="note">Of the kept weights, for {articles} articles of the valid '
        f'split.</p><div class="cards">{chart}{_rates_table(statistics)}</div>'
    )


def histogram(
    lengths: Mapping[str, Sequence[int]],
) -> tuple[list[str], dict[str, list[float]]]:
    """Counts lengths, several together where they are many.

    Returns:
        labels such as ``12`` or ``12–13``, and for each name a count for each label.
    """
    everything = [length for found in lengths.values() for length in found]
    low, high = min(everything), max(everything)
    width = -(-(high - low + 1) // MOST_BARS)
    bins = [range(start, start + width) for start in range(low, high + 1, width)]
    labels = [f"{one[0]}–{one[-1]}" if width > 1 else str(one[0]) for one in bins]
    counts = {
        name: [float(sum(length in one for length in found)) for one in bins]
        for name, found in lengths.items()
    }
    return labels, counts


def _rates_table(statistics: Mapping[str, Row]) -> str:
    heads = "".join(f"<th>{escape(name)}</th>" for name in statistics)
    rows = ""
    for rate, text in RATES.items():
        shares = _shares([found[rate] for found in statistics.values()])
        rows += f"<tr><td>{text}</td>{shares}</tr>"
    return f"<table><tr><th></th>{heads}</tr>{rows}</table>"


def _shares(values: Iterable[float]) -> str:
    """Cells with a bar each, as long as the value in percent."""
    return "".join(
        f'<td class="share s{hue}" style="--p:{value:.1f}">{value:.1f} %</td>'
        for hue, value in enumerate(values)
    )


# --- tables ---------------------------------------------------------------------------


def _history_table(history: Sequence[Row]) -> str:
    names = history[-1]
    head = "".join(
        f'<th class="number">{escape(name.replace("_", " "))}</th>' for name in names
    )
    body = "".join(
        "<tr>" + "".join(_value(row.get(name, "")) for name in names) + "</tr>"
        for row in history
    )
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _value(value: Any) -> str:
    text = number(value) if isinstance(value, int | float) else escape(str(value))
    return f'<td class="number">{text}</td>'


def _settings(groups: Mapping[str, Row]) -> str:
    tables = "".join(
        f"<details><summary>{escape(title)}</summary>"
        f'<table class="settings">{_settings_rows(group)}</table></details>'
        for title, group in groups.items()
    )
    return f'<div class="cards">{tables}</div>'


def _settings_rows(group: Row) -> str:
    return "".join(
        f"<tr><td>{escape(str(name).replace('_', ' '))}</td>"
        f"<td>{escape(_in_words(value))}</td></tr>"
        for name, value in group.items()
    )


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, tuple | list):
        return "、".join(map(str, value)) or "–"
    return "–" if value in (None, "") else str(value)
