"""Predictions come back as they were written, or it is said why not."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.data.corpus import Pair
from headline.errors import CorpusError
from headline.evaluation.metrics import Facts, mark
from headline.evaluation.predictions import (
    COLUMNS,
    Prediction,
    read_headlines,
    write_predictions,
)
from headline.generation.headlines import Headline
from headline.text.normalise import normalise

texts = st.text(max_size=8).map(normalise)


def prediction(reference: str, *headlines: str, article: str = "央行") -> Prediction:
    marks = {"model": mark(headlines[0], reference, Facts.of(article))}
    scored = [Headline(text, -1.5 - rank) for rank, text in enumerate(headlines)]
    return Prediction(Pair(article, reference), scored, {"model": headlines[0]}, marks)


SOME = [
    prediction("央行降准", "央行", "降息", "降准"),
    prediction("外交部", "\"外,交部'", article='外交部\u3000今日,"表示"'),
    prediction("3月GDP", "5月北京CPI涨0.5%", "三月", article="3月GDP"),
]
PAIRS = [one.pair for one in SOME]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "deep" / "predictions.csv"
    write_predictions(path, SOME)
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@given(st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=4))
def test_headlines_come_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]]
) -> None:
    path = tmp_path_factory.mktemp("a") / "predictions.csv"
    written = [prediction(two, one, article=three) for one, two, three in rows]
    write_predictions(path, written)

    found = read_headlines(path, [one.pair for one in written])

    assert found == [headline for headline, _, _ in rows]


def test_rows_hold_what_was_counted(path: Path) -> None:
    for row, one in zip(rows_of(path), SOME, strict=True):
        assert list(row) == [*COLUMNS, "headline_2", "headline_3"]
        assert (row["article"], row["reference"]) == one.pair
        texts = [row["headline"], row["headline_2"], row["headline_3"]]
        expected = [headline.text for headline in one.headlines]
        assert [text for text in texts if text] == expected
        assert float(row["score"]) == one.headlines[0].score
        scores = one.marks["model"].rouge.to_dict()
        assert {name: float(row[name]) for name in scores} == scores
    assert row["unsupported_numbers"] == "5 0.5%"
    assert row["unsupported_latin"] == "CPI"
    assert row["unsupported_names"] == "北京"


def test_one_headline_each_needs_no_further_column(tmp_path: Path) -> None:
    write_predictions(tmp_path / "a.csv", SOME[1:2])

    assert list(rows_of(tmp_path / "a.csv")[0]) == list(COLUMNS)


def refusal(path: Path, pairs: list[Pair]) -> str:
    with pytest.raises(CorpusError) as caught:
        read_headlines(path, pairs)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    return message


def test_other_articles_or_references_are_named_by_their_row(path: Path) -> None:
    other = [*PAIRS[:2], Pair(PAIRS[2].source, "4月GDP")]
    assert "row 4 has another reference: '3月GDP' instead" in refusal(path, other)
    other = [PAIRS[0], Pair("另一篇", PAIRS[1].target), PAIRS[2]]
    assert "row 3 has another article" in refusal(path, other)


def test_too_few_and_too_many_rows_are_told(path: Path) -> None:
    assert "fewer rows than there are articles, 4" in refusal(path, [*PAIRS, PAIRS[0]])
    said = refusal(path, PAIRS[:2])
    assert "more rows than there are articles, 2" in said and "is row 4" in said


@pytest.mark.parametrize("missing", ["reference", "headline", "article"])
def test_a_missing_column_is_named(path: Path, missing: str) -> None:
    text = path.read_text("utf-8").replace(missing, "其他", 1)
    path.write_text(text, "utf-8")

    assert f"no column {missing!r}" in refusal(path, PAIRS)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("", "empty"),
        ("reference,headline,article\n", "fewer rows"),
        ("reference,headline,article\n央行降准,央行\n", "row 2 is damaged"),
        ('reference,headline,article\n央行降准,"央行,央行\n', "row 2 is damaged"),
    ],
)
def test_a_file_that_is_no_prediction_is_refused(
    path: Path, content: str, part: str
) -> None:
    path.write_text(content, "utf-8")

    assert part in refusal(path, PAIRS)
