"""``report.html``: the report of a training, on one self-contained page."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headline.network.weights import GROUPS
from headline.pages.axis import number
from headline.pages.chart import Chart, Picture, bar_chart, line_chart
from headline.pages.rendering import fill
from headline.pages.sample_view import SampleView, samples_view

MOST_BARS = 25  # groups of bars in the chart of lengths

Row = Mapping[str, Any]

# Each chart: its title, its columns with their names, and whether it is logarithmic.
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
        "Article tokens read per second, validation excluded",
        {"source_tokens_per_second": "tokens"},
        False,
    ),
)

# Metrics of headlines, all in percent.
RATES = {
    "copy_rate": "Characters from the article",
    "copy_rate_bigrams": "Bigrams from the article",
    "unsupported_numbers": "Headlines with a number that the article lacks",
    "unsupported_latin": "Headlines with a Latin word that the article lacks",
    "unsupported_names": "Headlines with a name that the article lacks",
    "repeated_bigrams": "Headlines with a bigram twice",
    "exact": "Headlines that are the reference",
}


@dataclass(frozen=True, kw_only=True)
class Story:
    """The data of a report."""

    history: Sequence[Row]  # a row for each epoch, as in history.csv
    samples: Sequence[Row]  # by epoch, as in samples.jsonl
    statistics: Mapping[str, Row]  # of ``model`` and ``references``: lengths, and rates
    kept: int  # the epoch whose weights are kept
    pairs: int  # trained on
    weights: int
    settings: Mapping[str, Row]  # groups of them, by their titles


@dataclass(frozen=True, kw_only=True)
class Report:
    """The content of ``report.html``; numbers are formatted texts."""

    rouge_l: str  # of the kept epoch
    kept: int
    figures: Mapping[str, str]  # the key figures, by name
    charts: Sequence[Picture]
    articles: int  # on which the statistics are
    lengths: Picture
    systems: Sequence[str]  # the model and the references
    rates: Mapping[str, Sequence[str]]  # by name in percent, one for each system
    samples: Sequence[SampleView]
    columns: Sequence[str]  # of the table of epochs
    rows: Sequence[Sequence[str]]
    settings: Mapping[str, Sequence[tuple[str, str]]]  # by the titles of the groups


def render(story: Story) -> str:
    """Returns the report of a training as a complete HTML page."""
    return fill("report.html", report=_report(story))


def _report(story: Story) -> Report:
    kept = next(row for row in story.history if row["epoch"] == story.kept)
    lengths = {name: found["lengths"] for name, found in story.statistics.items()}
    return Report(
        rouge_l=f"{kept['rouge_l']:.2f}",
        kept=story.kept,
        figures=_figures(story, kept),
        charts=_charts(story.history, story.kept),
        articles=len(next(iter(lengths.values()))),
        lengths=_lengths_chart(lengths),
        systems=list(story.statistics),
        rates=_rates(story.statistics),
        samples=samples_view(story.samples, story.kept),
        columns=[name.replace("_", " ") for name in story.history[-1]],
        rows=_rows(story.history),
        settings={title: _settings(group) for title, group in story.settings.items()},
    )


def _figures(story: Story, kept: Row) -> dict[str, str]:
    last = story.history[-1]
    return {
        "ROUGE-1": f"{kept['rouge_1']:.2f}",
        "ROUGE-2": f"{kept['rouge_2']:.2f}",
        "minutes": f"{last['seconds'] / 60:.1f}",
        "epochs": number(last["epoch"]),
        "updates": number(last["updates"]),
        "pairs": number(story.pairs),
        "weights": number(story.weights),
    }


# --- charts ---------------------------------------------------------------------------


def _charts(history: Sequence[Row], kept: int) -> list[Picture]:
    epochs = _column(history, "epoch")
    return [
        line_chart(Chart(title=title, xs=epochs, lines=lines, y_log=log, mark=kept))
        for title, columns, log in CHARTS
        if (lines := _lines(history, columns))
    ]


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


def _lengths_chart(lengths: Mapping[str, Sequence[int]]) -> Picture:
    labels, bars = histogram(lengths)
    return bar_chart(
        "Number of headlines by length in characters", labels, bars, "characters"
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


def _rates(statistics: Mapping[str, Row]) -> dict[str, list[str]]:
    return {
        text: [f"{found[rate]:.1f}" for found in statistics.values()]
        for rate, text in RATES.items()
    }


# --- tables ---------------------------------------------------------------------------


def _rows(history: Sequence[Row]) -> list[list[str]]:
    return [[_value(row.get(name, "")) for name in history[-1]] for row in history]


def _value(value: Any) -> str:
    return number(value) if isinstance(value, int | float) else str(value)


def _settings(group: Row) -> list[tuple[str, str]]:
    return [
        (str(name).replace("_", " "), _in_words(value)) for name, value in group.items()
    ]


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, tuple | list):
        return "、".join(map(str, value)) or "–"
    return "–" if value in (None, "") else str(value)
