"""Scores as JSON and as a table hold the same numbers."""

import json

import pytest

from headline.evaluation.metrics import Facts, Marks, bleu_and_chrf, mark, rates
from headline.evaluation.scores import (
    ALIKE,
    LABELS,
    Scores,
    difference_table,
    score,
    score_references,
    table,
)
from headline.evaluation.significance import Difference, intervals

ROWS = [
    ("央行今日宣布降息0.25%", "央行降息0.5%", "央行宣布降息"),
    ("外交部就WTO改革答记者问", "外交部外交部", "外交部谈WTO"),
    ("今日天气晴", "今日天气晴", "今日天气晴"),
]
HEADLINES = [headline for _, headline, _ in ROWS]
REFERENCES = [reference for _, _, reference in ROWS]


@pytest.fixture
def marks() -> list[Marks]:
    return [mark(text, target, Facts.of(article)) for article, text, target in ROWS]


def test_scores_are_those_of_the_metrics_in_the_order_of_the_table(
    marks: list[Marks],
) -> None:
    found = score(marks, HEADLINES, REFERENCES)

    assert found.values == rates(marks) | bleu_and_chrf(HEADLINES, REFERENCES)
    assert list(found.values) == list(LABELS)
    assert found.intervals == intervals(marks)


def test_references_are_not_scored_against_themselves(marks: list[Marks]) -> None:
    found = score_references(marks)

    assert list(found.values) == [name for name in LABELS if name not in ALIKE]
    assert found.values.items() <= rates(marks).items()
    assert found.intervals.keys() == found.values.keys()


def test_scores_are_ready_for_json(marks: list[Marks]) -> None:
    found = score(marks, HEADLINES, REFERENCES)

    raw = json.loads(json.dumps(found.to_dict()))

    ends = raw.pop("intervals")
    assert raw == {name: round(value, 2) for name, value in found.values.items()}
    assert ends.keys() == raw.keys() - {"bleu", "chrf"}
    assert all(low <= raw[name] <= high for name, (low, high) in ends.items())


def cells(line: str) -> list[str]:
    """The cells of a line behind its label, each as its first number or "-"."""
    words = line[max(map(len, LABELS.values())) :].split()
    return [word for word in words if not word.startswith("±")]


def test_table_has_a_row_for_each_metric_and_a_column_for_each_system(
    marks: list[Marks],
) -> None:
    model, references = score(marks, HEADLINES, REFERENCES), score_references(marks)

    head, *rows = table({"model": model, "references": references}).splitlines()

    assert head.split() == ["model", "references"]
    for (name, label), row in zip(LABELS.items(), rows, strict=True):
        assert row.startswith(label)
        expected = [f"{model.values[name]:.2f}", "-"]
        if name not in ALIKE:
            expected[1] = f"{references.values[name]:.2f}"
        assert cells(row) == expected


def test_half_of_an_interval_stands_behind_its_score() -> None:
    scores = Scores({"rouge_1": 50.0, "bleu": 7.125}, {"rouge_1": (40.0, 61.5)})

    assert scores.cell("rouge_1").strip() == "50.00 ±10.75"
    assert scores.cell("bleu").strip() == "7.12"
    assert scores.cell("chrf").strip() == "-"


def test_tables_of_all_systems_fit_a_terminal_and_stand_in_columns() -> None:
    widest = Scores(dict.fromkeys(LABELS, 100.0), dict.fromkeys(LABELS, (80.0, 100.0)))
    names = ("model", "other", "oracle", "lead")
    systems = {"references": Scores({"length": 5.0})} | dict.fromkeys(names, widest)

    lines = table(systems).splitlines()

    assert max(map(len, lines)) <= 100
    places = [[n for n, c in enumerate(line) if c == "±"] for line in lines[1:]]
    assert all(place == places[0] and len(place) == 4 for place in places)


def test_differences_have_their_signs() -> None:
    found = {
        "rouge_1": Difference(1.25, (-0.5, 3.0), 0.062),
        "rouge_l": Difference(-10.5, (-12.25, -9.0), 0.000999),
    }

    head, *rows = difference_table(found).splitlines()

    assert head.split() == ["model", "-", "other", "difference", "95%", "interval", "p"]
    assert rows[0].split() == ["ROUGE-1", "+1.25", "-0.50", "to", "+3.00", "0.062"]
    assert rows[1].split() == ["ROUGE-L", "-10.50", "-12.25", "to", "-9.00", "0.001"]
    assert len({len(row) for row in rows}) == 1
