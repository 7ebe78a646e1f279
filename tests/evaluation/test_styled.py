"""The measures of styles are those of the headlines, recounted by hand."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from headline.bundle import Bundle
from headline.data.corpus import Pair
from headline.engines.base import SourceBatch
from headline.engines.numpy.engine import NumpyEngine
from headline.evaluation.evaluate import Evaluation, evaluate
from headline.evaluation.metrics import choice, rouge
from headline.evaluation.styled import FormJudge, Judged, plain_features
from headline.formats.tables import CorpusFormat
from headline.generation.generator import Generator
from headline.generation.headlines import Headline
from headline.network.styles.form import Form, FormSpace
from headline.settings.search import DecodeConfig
from tests.scripted import styled_bundle

HAN = "央行今日宣布下调存款准备金率"
BUNDLE = styled_bundle(HAN + HAN[:5])
EACH = DecodeConfig(styles=True, max_length=8, batch_size=3)
PAIRS = [Pair(HAN[at:] + HAN[:at] * (at % 3), HAN[at : at + 4]) for at in range(14)]


def evaluated(folder: Path, bundle: Bundle = BUNDLE) -> Evaluation:
    path = folder / "test.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("content", "title"), *PAIRS])
    return evaluate(Generator.from_bundle(bundle, EACH), path, CorpusFormat())


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    return evaluated(tmp_path_factory.mktemp("styled"))


def written(**settings: object) -> list[list[Headline]]:
    config = replace(EACH, **settings)  # type: ignore[arg-type]
    articles = [pair.source for pair in PAIRS]
    return Generator.from_bundle(BUNDLE, config).generate(articles)


def features_of(article: str) -> np.ndarray:
    ids = Generator.from_bundle(BUNDLE, EACH).read(article).encoded.ids[None]
    engine = NumpyEngine(BUNDLE.model, BUNDLE.weights)
    batch = SourceBatch(BUNDLE.tokenizer.embeddable(ids), ids)
    return engine.features(engine.encode(batch))


def judged(text: str, article: str) -> np.ndarray:
    """log q(y|t, a) of the second judge."""
    assert BUNDLE.styles is not None
    features = features_of(article)
    result: np.ndarray = BUNDLE.styles.second.posterior(
        [Form.of(text, article)], features
    )[0]
    return result


def obeying(headlines: list[list[Headline]], style: str | None = None) -> float:
    """The share of headlines, of all styles or one, that the second judge accepts."""
    kept = [
        str(judged(one.text, pair.source).argmax() + 1) == one.style
        for pair, several in zip(PAIRS, headlines, strict=True)
        for one in several
        if style in (None, one.style)
    ]
    return sum(kept) / len(kept)


def test_obedience_is_what_the_second_judge_accepts(found: Evaluation) -> None:
    assert found.styles is not None
    styled, by_chance = written(), written(by_chance=True)
    kept = found.styles.kept
    assert kept.obedience == pytest.approx(obeying(styled))
    assert kept.chance == pytest.approx(obeying(by_chance))
    own, chance = (
        [obeying(some, style) for style in ("1", "2", "3")]
        for some in (styled, by_chance)
    )
    assert own != chance
    for name, one in found.styles.each.items():
        assert one.obedience == pytest.approx(obeying(styled, name))
        assert one.chance == pytest.approx(obeying(by_chance, name))


def test_rouge_and_length_are_those_of_each_style(found: Evaluation) -> None:
    assert found.styles is not None
    for name, one in found.styles.each.items():
        own = [
            (len(each.text), rouge(each.text, pair.target).rouge_l)
            for pair, several in zip(PAIRS, written(), strict=True)
            for each in several
            if each.style == name
        ]
        lengths, scores = zip(*own, strict=True)
        assert one.length == pytest.approx(np.mean(lengths))
        assert one.rouge_l == pytest.approx(np.mean(scores))


def test_information_and_usage_are_those_of_the_references(found: Evaluation) -> None:
    assert found.styles is not None and BUNDLE.styles is not None
    posterior = np.exp([judged(pair.target, pair.source) for pair in PAIRS])
    prior = np.exp(
        [BUNDLE.styles.second.prior(features_of(one.source))[0] for one in PAIRS]
    )
    for probs, value in (
        (posterior, found.styles.mutual_information),
        (prior, found.styles.article_information),
    ):
        mean = probs.mean(axis=0)
        ratio = np.maximum(probs, 1e-30) / mean
        expected = (probs * np.log(ratio)).sum(axis=1).mean()
        assert value == pytest.approx(expected, abs=1e-3)
    usage = [one.usage for one in found.styles.each.values()]
    assert usage == pytest.approx(posterior.mean(axis=0), abs=1e-5)
    own = [
        rouge(one.text, pair.target).rouge_l
        for pair, several, probs in zip(PAIRS, written(), posterior, strict=True)
        for one in several
        if one.style == str(probs.argmax() + 1)
    ]
    assert found.styles.own_style == pytest.approx(np.mean(own))


def test_the_choices_are_compared_with_as_many_by_other_ways(found: Evaluation) -> None:
    assert found.styles is not None
    plain: dict[str, object] = {"styles": False, "num_headlines": 3}
    sampled = {"sample": True, "top_p": 0.9, "temperature": 0.8}
    ways: dict[str, dict[str, object]] = {
        "--styles": {},
        "--diversity 1": plain | {"diversity": 1.0},
        "--sample": plain | sampled,
    }
    assert found.styles.choices.keys() == ways.keys()
    for name, settings in ways.items():
        several = [[one.text for one in each] for each in written(**settings)]
        scores = [
            [rouge(text, pair.target).rouge_l for text in texts]
            for texts, pair in zip(several, PAIRS, strict=True)
        ]
        one = found.styles.choices[name]
        assert one.best == pytest.approx(np.mean([max(each) for each in scores]))
        assert one.mean == pytest.approx(np.mean([np.mean(each) for each in scores]))
        pairwise = [choice(texts)["pairwise_rouge_l"] for texts in several]
        assert one.pairwise == pytest.approx(np.mean(pairwise))


def test_the_oracle_is_the_best_of_all_styles(found: Evaluation) -> None:
    for prediction in found.predictions:
        assert len(prediction.headlines) == 3
        assert prediction.texts["model"] == prediction.headlines[0].text
    assert found.styles is not None
    best = found.styles.choices["--styles"].best
    assert found.scores["oracle"].values["rouge_l"] == pytest.approx(best)


def test_json_and_table_have_the_measures(found: Evaluation) -> None:
    assert found.styles is not None
    values = json.loads(json.dumps(found.to_dict()))["styles"]
    for name in ("obedience", "by_form", "chance", "chance_by_form"):
        assert values[name] == round(getattr(found.styles.kept, name), 4)
    assert values["mutual_information"] == round(found.styles.mutual_information, 4)
    assert list(values["usage"]) == list(values["each"]) == ["1", "2", "3"]
    assert sum(values["usage"].values()) == pytest.approx(1, abs=1e-3)
    table = found.table()
    assert f"{found.styles.kept.obedience:.2f}" in table
    assert "--diversity 1" in table and "obedience" in table


def test_without_styles_there_are_no_measures_of_them(tmp_path: Path) -> None:
    bundle = replace(BUNDLE, decode=EACH)
    config = replace(EACH, styles=False)
    path = tmp_path / "test.csv"
    path.write_text(f"content,title\n{HAN},{HAN[:4]}\n")
    found = evaluate(Generator.from_bundle(bundle, config), path, CorpusFormat())
    assert found.styles is None and "styles" not in found.to_dict()


# --- plain form -----------------------------------------------------------------------


def test_plain_form_is_one_feature_of_each_group_without_characters() -> None:
    space = FormSpace((3, 5), (0.5,), "央行", "今日", "宣布")
    forms = [Form.of(text, HAN) for text in ("央行：今日", "行央", "今日宣布下")]
    plain = plain_features(space, forms)
    lengths, places, marks = plain[:, :3], plain[:, 3:9], plain[:, 9:19]
    assert lengths.argmax(axis=1).tolist() == [2, 0, 2]
    assert places.argmax(axis=1).tolist() == [0, 5, 1]
    assert plain[:, 19:].argmax(axis=1).tolist() == [1, 0, 1]  # half is copied
    assert marks.reshape(3, 5, 2)[:, 0].argmax(axis=1).tolist() == [1, 0, 0]  # a colon
    np.testing.assert_array_equal(plain.sum(axis=1), 8)
    other = replace(space, first="率", last="率", frequent="率")
    np.testing.assert_array_equal(plain, plain_features(other, forms))


def test_naive_bayes_finds_the_style_that_wrote_a_form() -> None:
    rng = np.random.default_rng(3)
    true = np.array([[0.9, 0.1, 0.5, 0.2], [0.1, 0.8, 0.5, 0.7]])
    styles = rng.integers(0, 2, size=4000)
    there = (rng.random((4000, 4)) < true[styles]).astype(np.float32)
    forms = np.concatenate([there, 1 - there], axis=1)
    log_probs = np.log(np.eye(2)[styles] * 0.98 + 0.01).astype(np.float32)
    judge = FormJudge.of(
        [
            Judged(0, -1, probs, form, 0.0, 1)
            for probs, form in zip(log_probs, forms, strict=True)
        ]
    )
    expected = np.concatenate([true, 1 - true], axis=1)
    np.testing.assert_allclose(np.exp(judge.log_probs), expected, atol=0.04)
    best = (forms @ np.log(expected.T)).argmax(axis=1)
    assert np.mean(judge.styles(forms) == best) > 0.97
