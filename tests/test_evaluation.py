"""The scores are those of the headlines that are shown, on every pair of the file."""

import csv
import json
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from headline.config import DecodeConfig
from headline.corpus import Pair
from headline.errors import CorpusError
from headline.evaluation import (
    COLUMNS,
    LEAD_CHARACTERS,
    Evaluation,
    evaluate,
    write_predictions,
)
from headline.generator import Generator
from headline.metrics import Rouge, mean_rouge, rouge
from headline.tables import CorpusFormat
from tests.scripted import CopyEngine, char_tokenizer

HAN = "央行今日宣布下调存款准备金率"
PAIRS = [
    Pair(HAN, "央行降准"),
    Pair('新华社,北京电"快讯"😀罕', "新华社快讯"),
    Pair(HAN * 30, "央行,今日"),
    Pair("短", "比正文更长的标题"),
    Pair(HAN, "央行降准"),
]


def generator(length: int = 4) -> Generator:
    """Returns a generator that copies the beginning of each article."""
    config = DecodeConfig(batch_size=2)
    return Generator(char_tokenizer(HAN), CopyEngine(length), config, 50)


def write_csv(path: Path, rows: list[Any], *header: str) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header or ("content", "title"), *rows])
    return path


def evaluated(tmp_path: Path, length: int = 4) -> Evaluation:
    path = write_csv(tmp_path / "test.csv", PAIRS)
    return evaluate(generator(length), path, CorpusFormat())


def test_every_pair_has_the_headline_that_generate_writes(tmp_path: Path) -> None:
    predictions = evaluated(tmp_path).predictions

    expected = generator().generate([pair.source for pair in PAIRS])
    assert [p.headline for p in predictions] == [best[0].text for best in expected]
    assert [p.score for p in predictions] == [best[0].score for best in expected]
    assert [p.pair.target for p in predictions] == [pair.target for pair in PAIRS]
    for prediction, pair in zip(predictions, PAIRS, strict=True):
        assert prediction.pair.source == pair.source[:LEAD_CHARACTERS]


def test_scores_are_those_of_the_predictions(tmp_path: Path) -> None:
    evaluation = evaluated(tmp_path)

    headlines = [prediction.headline for prediction in evaluation.predictions]
    references = [pair.target for pair in PAIRS]
    assert evaluation.model == mean_rouge(headlines, references)
    assert evaluation.model != mean_rouge(references, references)


def test_lead_is_as_long_as_the_middle_one_of_the_references(tmp_path: Path) -> None:
    evaluation = evaluated(tmp_path)

    references = [pair.target for pair in PAIRS]
    length = int(median(map(len, references)))
    leads = [pair.source[:length] for pair in PAIRS]
    assert evaluation.lead == mean_rouge(leads, references)
    # The model of this test is the baseline, at the baseline's length.
    assert evaluated(tmp_path, length).model == evaluation.lead


def test_headlines_as_the_references_score_a_hundred(tmp_path: Path) -> None:
    rows = [(f"{number}号{HAN}", f"{number}号央行") for number in range(9)]
    path = write_csv(tmp_path / "a.csv", rows)

    evaluation = evaluate(generator(), path, CorpusFormat())

    assert evaluation.model == evaluation.lead == Rouge(100, 100, 100)


def test_rows_without_both_sides_are_left_out(tmp_path: Path) -> None:
    rows = [(HAN, ""), ("<p></p>", "标题"), (HAN,), *PAIRS, (HAN, "标题", "多了")]
    path = write_csv(tmp_path / "a.csv", rows)

    found = evaluate(generator(), path, CorpusFormat())

    assert found == evaluated(tmp_path)


def test_texts_are_normalised_and_in_the_columns_asked_for(tmp_path: Path) -> None:
    rows = [("甲", f"<p>{HAN}</p>", " ＧＤＰ增长\n１％ ")]
    path = write_csv(tmp_path / "a.csv", rows, "content", "文", "题")

    form = CorpusFormat(source_column="文", target_column="题")
    (prediction,) = evaluate(generator(), path, form).predictions

    assert prediction.pair == Pair(HAN, "GDP增长 1%")
    assert prediction.headline == HAN[:4]


@pytest.mark.parametrize("rows", [[], [(HAN, "")], [("", "标题"), ("<b></b>", "甲")]])
def test_file_without_a_pair_is_refused(tmp_path: Path, rows: list[Any]) -> None:
    path = write_csv(tmp_path / "a.csv", rows)

    with pytest.raises(CorpusError) as caught:
        evaluate(generator(), path, CorpusFormat())

    assert str(path) in str(caught.value)


def test_file_without_headlines_is_refused(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [(HAN,)], "content")

    with pytest.raises(CorpusError, match="--target-column"):
        evaluate(generator(), path, CorpusFormat())


def test_predictions_can_be_read_back(tmp_path: Path) -> None:
    evaluation = evaluated(tmp_path)
    path = tmp_path / "deep" / "predictions.csv"

    write_predictions(path, evaluation.predictions)

    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == list(COLUMNS)
    for row, prediction in zip(rows, evaluation.predictions, strict=True):
        pair = Pair(row["article"], row["reference"])
        assert pair == prediction.pair
        assert row["headline"] == prediction.headline
        assert float(row["score"]) == pytest.approx(prediction.score, abs=1e-4)
        scores = rouge(row["headline"], row["reference"]).to_dict()
        assert {name: float(row[name]) for name in scores} == scores


def test_scores_are_ready_for_json_and_for_a_person(tmp_path: Path) -> None:
    evaluation = evaluated(tmp_path)

    raw = json.loads(json.dumps(evaluation.to_dict()))
    words = evaluation.table().split()

    assert raw["articles"] == int(words[0]) == len(PAIRS)
    for name, scores in (("model", evaluation.model), ("lead", evaluation.lead)):
        assert raw[name] == scores.to_dict()
        numbers = words[words.index(name) + 1 :][:3]
        assert [float(number) for number in numbers] == list(raw[name].values())
