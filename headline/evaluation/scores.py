"""Scores of a system's headlines, as JSON for programs and as a table for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from headline.evaluation.metrics import Marks, bleu_and_chrf, rates
from headline.evaluation.significance import Difference, Interval, intervals, rounded

# Every metric, in order, with its label in the table.
LABELS = {
    "rouge_1": "ROUGE-1",
    "rouge_2": "ROUGE-2",
    "rouge_l": "ROUGE-L",
    "bleu": "BLEU-4",
    "chrf": "chrF",
    "length": "length, characters",
    "copy_rate": "characters copied %",
    "copy_rate_bigrams": "bigrams copied %",
    "unsupported_numbers": "unsupported numbers %",
    "unsupported_latin": "unsupported Latin %",
    "unsupported_names": "unsupported names %",
    "repeated_bigrams": "repeated bigrams %",
    "exact": "exact matches %",
}
# Metrics of similarity to a reference.
ALIKE = {"rouge_1", "rouge_2", "rouge_l", "bleu", "chrf", "exact"}
GAP = "  "
LABEL_WIDTH = max(map(len, LABELS.values()))
CELL_WIDTH = len("100.00 ±10.00")


@dataclass(frozen=True)
class Scores:
    """The metrics of one system, by their names in ``LABELS``."""

    values: Mapping[str, float]
    intervals: Mapping[str, Interval] = field(default_factory=dict)  # 95%

    def to_dict(self) -> dict[str, Any]:
        """Returns the metrics, rounded to two decimals, and their ``intervals``."""
        values = {name: round(value, 2) for name, value in self.values.items()}
        ends = {name: rounded(interval) for name, interval in self.intervals.items()}
        return values | {"intervals": ends}

    def cell(self, name: str) -> str:
        """Returns a metric for the table, with half its interval; "-" if missing."""
        if name not in self.values:
            return f"{'-':>6}".ljust(CELL_WIDTH)
        cell = f"{self.values[name]:6.2f}"
        if name in self.intervals:
            low, high = self.intervals[name]
            cell += f" ±{(high - low) / 2:.2f}"
        return cell.ljust(CELL_WIDTH)


def score(
    marks: Sequence[Marks], headlines: Sequence[str], references: Sequence[str]
) -> Scores:
    """Scores the headlines of a system, given their ``marks``."""
    values = rates(marks) | bleu_and_chrf(headlines, references)
    return Scores({name: values[name] for name in LABELS}, intervals(marks))


def score_references(marks: Sequence[Marks]) -> Scores:
    """Scores the references themselves, without metrics of similarity to them."""
    values, ends = rates(marks), intervals(marks)
    names = [name for name in LABELS if name not in ALIKE]
    return Scores(
        {name: values[name] for name in names}, {name: ends[name] for name in names}
    )


def table(systems: Mapping[str, Scores]) -> str:
    """Returns a row for each metric and a column for each system, by its name."""
    head = [name.rjust(6).ljust(CELL_WIDTH) for name in systems]
    rows = [[" " * LABEL_WIDTH, *head]]
    for name, label in LABELS.items():
        cells = [scores.cell(name) for scores in systems.values()]
        rows.append([label.ljust(LABEL_WIDTH), *cells])
    return "\n".join(GAP.join(row).rstrip() for row in rows)


def difference_table(differences: Mapping[str, Difference]) -> str:
    """Returns a row for each metric: model minus other, its interval, p."""
    head = f"{'model - other':{LABEL_WIDTH}}{GAP}{'difference':>10}"
    rows = [f"{head}{GAP}{'95% interval':^18}{GAP}{'p':>6}"]
    for name, found in differences.items():
        low, high = found.interval
        rows.append(
            f"{LABELS[name]:{LABEL_WIDTH}}{GAP}{found.difference:+10.2f}"
            f"{GAP}{low:+7.2f} to {high:+7.2f}{GAP}{found.p:6.3f}"
        )
    return "\n".join(rows)


def choices_line(choices: Mapping[str, float]) -> str:
    """Returns how much the headlines of an article differ, on average."""
    return (
        f"mean per article: {choices['different']:.2f} different headlines, "
        f"distinct-2 {choices['distinct_2']:.2f} %, "
        f"ROUGE-L between two of them {choices['pairwise_rouge_l']:.2f}"
    )
