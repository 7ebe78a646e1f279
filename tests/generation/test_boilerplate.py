"""Articles are cleaned as the corpus of the model was, wherever they are read."""

import csv
import random
from dataclasses import replace
from pathlib import Path

import pytest

from headline.data.corpus import Pair
from headline.evaluation.evaluate import evaluate, evaluate_pairs
from headline.evaluation.scoring import score_file
from headline.formats.tables import CorpusFormat
from headline.generation.explain import Explainer
from headline.generation.generator import Generator
from headline.settings.search import DecodeConfig
from headline.text.boilerplate import ArticleRules
from headline.text.normalise import normalise
from tests.data import dirt
from tests.scripted import CopyEngine, char_tokenizer, tiny_bundle

RULES = ArticleRules(
    openings=(
        "云岭社昆明{n}月{n}日电（记者{*}）",
        "云岭社昆明{n}月{n}日电题：",
        "云岭在线讯（记者{*}）",
        "本报讯（见习{*}）",
        "【云岭在线报道】",
        "云岭社北京{n}月{n}日电（记者{*}）",
    ),
    closings=(
        "（责任编辑：{*}）",
        "版权声明：{*}",
        "更多精彩内容请扫描二维码关注云岭在线",
    ),
    titles=True,
)
CLEAN = [Pair(*map(normalise, pair)) for pair in dirt.sample_pairs()[:40]]
TEXT = "".join(pair.source + pair.target for pair in CLEAN)
BUNDLE = replace(tiny_bundle(TEXT, 60), rules=RULES, max_source_length=300)


def dirty() -> list[Pair]:
    rng = random.Random(1)
    pairs = [dirt.with_closing(dirt.with_dateline(pair, rng), rng) for pair in CLEAN]
    return [
        dirt.with_title(pair, rng) if rng.random() < 0.5 else pair for pair in pairs
    ]


DIRTY = dirty()


def generator(rules: ArticleRules = RULES) -> Generator:
    config = DecodeConfig(batch_size=4, exact_numbers=False)
    return Generator(char_tokenizer(TEXT), CopyEngine(6), config, 300, rules)


def write_csv(path: Path, pairs: list[Pair]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("content", "title"), *pairs])
    return path


@pytest.mark.parametrize("place", range(0, 40, 7))
def test_a_dirty_article_is_read_as_the_clean_one(place: int) -> None:
    ours, without = generator(), generator(ArticleRules())
    source = ours.read(DIRTY[place].source)
    expected = ours.read(CLEAN[place].source)
    assert source.whole == expected.whole == CLEAN[place].source
    assert source.encoded.ids.tolist() == expected.encoded.ids.tolist()
    assert without.read(DIRTY[place].source).whole == normalise(DIRTY[place].source)


def test_headlines_of_dirty_articles_are_those_of_clean_ones() -> None:
    found = Generator.from_bundle(BUNDLE, BUNDLE.decode)
    some, others = ([pair.source for pair in pairs[:5]] for pairs in (DIRTY, CLEAN))
    assert found.generate(some) == found.generate(others)
    assert found.score(some, ["云岭"] * 5) == found.score(others, ["云岭"] * 5)


def test_dirty_pairs_are_evaluated_and_scored_as_clean_ones(tmp_path: Path) -> None:
    files = [
        write_csv(tmp_path / name, pairs)
        for name, pairs in (("dirty.csv", DIRTY), ("clean.csv", CLEAN))
    ]
    one, other = (evaluate(generator(), path, CorpusFormat()) for path in files)
    for system in ("model", "lead"):
        assert [each.texts[system] for each in one.predictions] == [
            each.texts[system] for each in other.predictions
        ]
    normalised = [Pair(*map(normalise, pair)) for pair in DIRTY]
    assert evaluate_pairs(generator(), normalised).predictions == one.predictions
    model = Generator.from_bundle(BUNDLE, BUNDLE.decode)
    scored = [score_file(model, path, CorpusFormat()).scores for path in files]
    assert scored[0] == scored[1]


def test_each_model_cleans_by_its_own_rules(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "dirty.csv", DIRTY)
    with_rules, without = generator(), generator(ArticleRules())
    for one, other in ((with_rules, without), (without, with_rules)):
        both = evaluate(one, path, CorpusFormat(), other)
        alone = evaluate(other, path, CorpusFormat())
        for found, expected in zip(both.predictions, alone.predictions, strict=True):
            assert found.texts["other"] == expected.texts["model"]
            assert found.texts["other"] != found.texts["model"]


def test_an_explanation_shows_the_article_that_was_read() -> None:
    found = Generator.from_bundle(BUNDLE, BUNDLE.decode)
    (headlines,) = found.generate([DIRTY[0].source])
    for explainer in (Explainer.from_bundle(BUNDLE), Explainer.beside(found, BUNDLE)):
        shown = explainer.explain(DIRTY[0].source, headlines)
        assert "".join(shown.source) + shown.unread == CLEAN[0].source
