"""The scores are those of the headlines that are shown, on every pair of the file."""

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from headline.data.corpus import Pair
from headline.errors import ConfigError, CorpusError
from headline.evaluation.evaluate import Evaluation, evaluate
from headline.evaluation.metrics import Facts, choice, mark, rouge
from headline.evaluation.predictions import EXCERPT, write_predictions
from headline.evaluation.scores import ALIKE, Scores, difference_table, score, table
from headline.evaluation.significance import Difference, compare
from headline.formats.tables import CorpusFormat
from headline.generation.generator import Generator
from headline.settings.search import DecodeConfig
from headline.text.normalise import normalise
from tests.scripted import CopyEngine, char_tokenizer

HAN = "央行今日宣布下调存款准备金率"
PAIRS = [
    Pair(HAN, "央行降准"),
    Pair('新华社,北京电"快讯"😀罕', "新华社快讯"),
    Pair(HAN * 30, "央行,今日"),
    Pair("短", "比正文更长的标题"),
    Pair(HAN, "央行降准"),
]


FORM = CorpusFormat()


def generator(length: int = 4, num_headlines: int = 1) -> Generator:
    """Returns a generator that copies the beginning of each article."""
    config = DecodeConfig(batch_size=2, num_headlines=num_headlines)
    return Generator(char_tokenizer(HAN), CopyEngine(length), config, 50)


def write_csv(path: Path, rows: list[Any], *header: str) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header or ("content", "title"), *rows])
    return path


def evaluated(tmp_path: Path, length: int = 4, num_headlines: int = 1) -> Evaluation:
    path = write_csv(tmp_path / "test.csv", PAIRS)
    return evaluate(generator(length, num_headlines), path, CorpusFormat())


def compared(tmp_path: Path, other: Generator | Path) -> Evaluation:
    path = write_csv(tmp_path / "test.csv", PAIRS)
    return evaluate(generator(), path, CorpusFormat(), other)


def score_of(headlines: Sequence[str], pairs: Sequence[Pair] = PAIRS) -> Scores:
    """Scores headlines for the pairs, each against its whole article."""
    both = zip(headlines, pairs, strict=True)
    marks = [mark(text, pair.target, Facts.of(pair.source)) for text, pair in both]
    return score(marks, headlines, [pair.target for pair in pairs])


def test_every_pair_has_the_headlines_that_generate_writes(tmp_path: Path) -> None:
    predictions = evaluated(tmp_path, num_headlines=3).predictions

    articles = [pair.source for pair in PAIRS]
    expected = generator(num_headlines=3).generate(articles)
    assert [prediction.headlines for prediction in predictions] == expected
    for prediction, pair in zip(predictions, PAIRS, strict=True):
        assert prediction.pair == Pair(pair.source[:EXCERPT], pair.target)


@pytest.mark.parametrize("compares", [False, True])
def test_a_row_that_cannot_be_read_is_told_of_once(
    tmp_path: Path, compares: bool
) -> None:
    path, told = tmp_path / "test.jsonl", list[str]()
    path.write_text(
        json.dumps({"content": HAN, "title": "央行"}) + "\n{half\n", "utf-8"
    )

    other = generator() if compares else None
    evaluate(generator(), path, CorpusFormat(tell=told.append), other)

    assert len(told) == 1 and "row 2" in told[0]


def test_an_article_that_the_options_do_not_go_with_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_csv(tmp_path / "test.csv", PAIRS)
    writer, told = generator(), list[str]()
    wrong = replace(writer.config, prefix="中国", avoid=("国",))
    with pytest.raises(ConfigError, match="to be avoided"):
        evaluate(Generator(writer.tokenizer, writer.engine, wrong, 50), path, FORM)
    configs = [wrong, *[writer.config] * (len(PAIRS) - 1)]
    found = writer.generate([pair.source for pair in PAIRS], configs)
    monkeypatch.setattr(writer, "generate", lambda articles, **_: found)
    monkeypatch.setattr(type(writer), "window_size", 99)

    evaluation = evaluate(writer, path, CorpusFormat(tell=told.append))

    because = str(found[0][0].error)
    assert told == [f"1 articles get no headline, the first one because: {because}"]
    assert evaluation.predictions[0].texts["model"] == ""


def test_scores_are_those_of_the_predictions(tmp_path: Path) -> None:
    evaluation = evaluated(tmp_path)

    found = generator().generate([pair.source for pair in PAIRS])
    assert evaluation.scores["model"] == score_of([best[0].text for best in found])
    assert evaluation.speed == len(PAIRS) / evaluation.seconds > 0


def test_lead_is_as_long_as_the_middle_one_of_the_references(tmp_path: Path) -> None:
    evaluation = evaluated(tmp_path)

    length = int(median(len(pair.target) for pair in PAIRS))
    leads = [pair.source[:length] for pair in PAIRS]
    assert evaluation.scores["lead"] == score_of(leads)
    # The model of this test is the baseline, at the baseline's length.
    scores = evaluated(tmp_path, length).scores
    assert scores["model"] == scores["lead"]


def test_references_are_marked_against_their_articles(tmp_path: Path) -> None:
    found = evaluated(tmp_path).scores["references"]

    expected = score_of([pair.target for pair in PAIRS])
    assert found.values.items() < expected.values.items()
    assert found.values["copy_rate"] < 100 and "rouge_l" not in found.values


def test_headlines_as_the_references_score_a_hundred(tmp_path: Path) -> None:
    rows = [(f"{number}号{HAN}", f"{number}号央行") for number in range(9)]
    path = write_csv(tmp_path / "a.csv", rows)

    scores = evaluate(generator(), path, CorpusFormat()).scores

    assert scores["model"] == scores["lead"]
    likeness = [scores["model"].values[name] for name in sorted(ALIKE)]
    assert likeness == pytest.approx([100] * len(ALIKE))


def test_the_end_of_a_long_article_supports_a_headline(tmp_path: Path) -> None:
    article = HAN * 30 + "GDP增长3.5%"
    path = write_csv(tmp_path / "a.csv", [(article, "GDP增长3.5%,CPI持平")])

    values = evaluate(generator(), path, CorpusFormat()).scores["references"].values

    assert values["unsupported_numbers"] == 0 < values["unsupported_latin"] == 100
    assert values["copy_rate"] == pytest.approx(100 * 10 / 15)


# --- n-best ---------------------------------------------------------------------------


def test_oracle_takes_of_each_article_the_headline_most_like_the_reference(
    tmp_path: Path,
) -> None:
    # The last one has every character of 央行今日, but 央行今日今 is closer to it.
    pairs = [*PAIRS, Pair(HAN, "央行日今")]
    path = write_csv(tmp_path / "a.csv", pairs)

    evaluation = evaluate(generator(num_headlines=4), path, CorpusFormat())

    best = []
    for prediction in evaluation.predictions:
        texts = [headline.text for headline in prediction.headlines]
        assert len(set(texts)) == len(texts)
        assert len(texts) > 1 or len(prediction.pair.source) == 1
        scores = [rouge(text, prediction.pair.target).rouge_l for text in texts]
        best.append(texts[scores.index(max(scores))])
    assert best[-1] == "央行今日今"
    assert evaluation.scores["oracle"] == score_of(best, pairs)
    values = {name: scores.values for name, scores in evaluation.scores.items()}
    assert values["oracle"]["rouge_l"] > values["model"]["rouge_l"]


def test_one_headline_has_no_oracle(tmp_path: Path) -> None:
    assert list(evaluated(tmp_path).scores) == ["model", "lead", "references"]


# --- comparison -----------------------------------------------------------------------


def test_another_model_is_scored_and_compared(tmp_path: Path) -> None:
    evaluation = compared(tmp_path, generator(length=2))

    alone = evaluated(tmp_path, length=2)
    assert evaluation.scores["other"] == alone.scores["model"]
    ours, others = (
        [prediction.marks["model"].rouge for prediction in one.predictions]
        for one in (evaluation, alone)
    )
    assert evaluation.differences == compare(ours, others)
    assert evaluation.differences["rouge_l"].difference > 0


@pytest.mark.parametrize("is_compared", [False, True])
def test_the_models_read_what_was_normalised_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_compared: bool
) -> None:
    """Once to look at the file, and once for all models together."""
    counts: Counter[str] = Counter()

    def counted(text: str) -> str:
        counts[text] += 1
        return normalise(text)

    monkeypatch.setattr("headline.evaluation.evaluate.normalise", counted)
    monkeypatch.delattr("headline.text.source.normalise")  # nor in the generator
    ours, other = generator(), generator(length=2) if is_compared else None
    monkeypatch.setattr(Generator, "check", lambda *_: None)  # it reads a blank article

    path = write_csv(tmp_path / "test.csv", [PAIRS[1]])
    evaluate(ours, path, CorpusFormat(), other)

    assert counts[PAIRS[1].source] == 2


def test_predictions_compare_as_the_model_that_wrote_them(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    write_predictions(path, evaluated(tmp_path, length=2).predictions)

    found = compared(tmp_path, path)

    expected = compared(tmp_path, generator(length=2))
    assert found.scores == expected.scores
    assert found.differences == expected.differences


def test_a_model_against_itself_does_not_differ(tmp_path: Path) -> None:
    evaluation = compared(tmp_path, generator())

    assert evaluation.scores["other"] == evaluation.scores["model"]
    assert set(evaluation.differences.values()) == {Difference(0.0, (0.0, 0.0), 1.0)}


def test_predictions_of_other_articles_are_refused_before_any_headline_is_written(
    tmp_path: Path,
) -> None:
    predictions = evaluated(tmp_path).predictions
    path = tmp_path / "predictions.csv"
    write_predictions(path, predictions[::-1])
    engine = CopyEngine(4)
    unused = Generator(char_tokenizer(HAN), engine, DecodeConfig(), 50)

    with pytest.raises(CorpusError, match="row 3"):
        evaluate(unused, tmp_path / "test.csv", CorpusFormat(), path)

    assert engine.shapes == []


# --- the file -------------------------------------------------------------------------


def test_rows_without_both_sides_are_left_out(tmp_path: Path) -> None:
    rows = [(HAN, ""), ("<p></p>", "标题"), (HAN,), *PAIRS, (HAN, "标题", "多了")]
    path = write_csv(tmp_path / "a.csv", rows)

    found = evaluate(generator(), path, CorpusFormat())

    assert found.predictions == evaluated(tmp_path).predictions


def test_texts_are_normalised_and_in_the_columns_asked_for(tmp_path: Path) -> None:
    rows = [("甲", f"<p>{HAN}</p>", " ＧＤＰ增长\n１％ ")]
    path = write_csv(tmp_path / "a.csv", rows, "content", "文", "题")

    form = CorpusFormat(source_column="文", target_column="题")
    (prediction,) = evaluate(generator(), path, form).predictions

    assert prediction.pair == Pair(HAN, "GDP增长 1%")
    assert prediction.headlines[0].text == HAN[:4]


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


# --- what is printed ------------------------------------------------------------------


def test_scores_are_ready_for_json(tmp_path: Path) -> None:
    evaluation = evaluated(tmp_path, num_headlines=2)

    raw = json.loads(json.dumps(evaluation.to_dict()))

    assert raw.pop("articles") == len(PAIRS)
    assert raw.pop("articles_per_second") == round(evaluation.speed, 2)
    assert raw.pop("choices") == {
        name: round(value, 2) for name, value in evaluation.choices.items()
    }
    scores = evaluation.scores.items()
    assert raw == {name: json_of(found) for name, found in scores}
    assert list(raw) == ["model", "oracle", "lead", "references"]


def test_comparison_is_ready_for_json(tmp_path: Path) -> None:
    evaluation = compared(tmp_path, generator(length=2))

    raw = evaluation.to_dict()

    found = json.loads(json.dumps(raw["compare"]))
    assert found.pop("other") == json_of(evaluation.scores["other"])
    differences = evaluation.differences.items()
    assert found == {name: one.to_dict() for name, one in differences}
    assert "other" not in raw


def json_of(scores: Scores) -> Any:
    return json.loads(json.dumps(scores.to_dict()))


def test_table_begins_with_the_articles_and_ends_with_the_comparison(
    tmp_path: Path,
) -> None:
    alone, both = evaluated(tmp_path), compared(tmp_path, generator(length=2))

    for evaluation in (alone, both):
        head, *rest = evaluation.table().splitlines()
        assert head.startswith(f"{len(PAIRS)} articles, ")
        assert head.endswith(" articles/s")
        assert "\n".join(rest).startswith(table(evaluation.scores))
    assert alone.table().endswith(table(alone.scores))
    assert both.table().endswith("\n\n" + difference_table(both.differences))


def test_several_headlines_are_compared_with_each_other(tmp_path: Path) -> None:
    several = evaluated(tmp_path, num_headlines=2)

    of_each = [choice([h.text for h in p.headlines]) for p in several.predictions]
    assert "different" in several.choices
    for name, value in several.choices.items():
        assert value == pytest.approx(sum(one[name] for one in of_each) / len(PAIRS))
    assert f"{several.choices['different']:.2f} different" in several.table()
    assert not evaluated(tmp_path).choices
