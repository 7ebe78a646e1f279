"""Headlines in styles: what was asked for, chosen as the formula says, and no more."""

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headline.bundle import Bundle, load_bundle, save_bundle
from headline.engines.base import SourceBatch
from headline.engines.numpy.engine import NumpyEngine, NumpyState
from headline.errors import ConfigError
from headline.formats.tables import CorpusFormat
from headline.generation.explain import Explainer
from headline.generation.files import Task, write_headlines
from headline.generation.generator import Generator
from headline.generation.headlines import Headline
from headline.generation.inputs import Shard
from headline.generation.searcher import SearchTask
from headline.generation.styled import StyledSearcher
from headline.network.styles.form import Form
from headline.search.beam_search import beam_search
from headline.search.score_targets import score_targets
from headline.settings.search import DecodeConfig, over
from headline.text.ids import Ids
from tests.scripted import styled_bundle, texts, tiny_bundle

HAN = "央行今日宣布下调存款准备金率"
BUNDLE = styled_bundle(HAN + HAN[:5])
PLAIN = DecodeConfig(max_length=8)
EACH = replace(PLAIN, styles=True)
ARTICLES = [HAN, "今日宣布下调罕", HAN[3:] + "😀" + HAN[:6], "存款"]
fewer = settings(max_examples=settings().max_examples * 2 // 5)
articles = st.lists(st.text(HAN + "１ <b>\n罕😀", max_size=20), max_size=4)


def generator_of(config: DecodeConfig = PLAIN, bundle: Bundle = BUNDLE) -> Generator:
    return Generator.from_bundle(bundle, config)


def styles_of(found: Sequence[Headline]) -> list[str | None]:
    return [headline.style for headline in found]


# --- without these options ------------------------------------------------------------


@fewer
@given(articles)
def test_without_a_style_nothing_differs_from_the_model_without_styles(
    articles: list[str],
) -> None:
    plain = replace(
        BUNDLE,
        styles=None,
        model=replace(BUNDLE.model, styles=0),
        weights={
            name: weight
            for name, weight in BUNDLE.weights.items()
            if not name.startswith("styles/")
        },
    )
    config = replace(PLAIN, num_headlines=3)
    found = generator_of(config).generate(articles)
    expected = generator_of(config, plain).generate(articles)
    assert found == expected  # texts and scores, to the last bit
    assert all(one.style is None for several in found for one in several)
    places = [at for at, article in enumerate(articles) if found[at][0].text]
    asked = [articles[at] for at in places], [found[at][0].text for at in places]
    assert generator_of().score(*asked) == generator_of(PLAIN, plain).score(*asked)


def test_a_model_without_styles_says_where_they_come_from() -> None:
    generator = generator_of(bundle=tiny_bundle(HAN))
    for name, value in (("styles", True), ("style", "1")):
        config = replace(PLAIN, **{name: value})  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="headline styles -m") as caught:
            generator.check(config)
        assert caught.value.setting == name
        (headlines,) = generator.generate([HAN], [config])
        assert headlines[0].error and not headlines[0].text


# --- what is chosen -------------------------------------------------------------------


def candidates(task: SearchTask, style: int, length: int) -> dict[str, float]:
    """The values of all candidates of one article, searched by themselves."""
    generator = generator_of()
    engine, searcher = generator.engine, generator._searcher
    ids = task.source.encoded.ids[None]
    condition = np.array([style], np.int32)
    plain_source = SourceBatch(generator.tokenizer.embeddable(ids), ids)
    source = replace(plain_source, condition=condition)
    rules = searcher.rules_of([task])
    plain = task.config
    (best,) = generator.generate([task.source], [plain])[0]
    ways = {"sample": True, "top_p": 0.95, "temperature": 0.8}
    drawn = replace(plain, num_headlines=8, beam_size=1, **ways)  # type: ignore[arg-type]
    found = {best.text: (best.ids, _score(engine, source, best.ids))}
    for config in (plain, drawn):
        (hypotheses,) = beam_search(engine, source, rules, config)
        for one in searcher.decoded(task, hypotheses):
            found.setdefault(one.text, (one.ids, one.score))
    assert isinstance(engine, NumpyEngine) and BUNDLE.styles is not None
    features = engine.features(engine.encode(plain_source))
    values = {}
    for text, (tokens, score) in found.items():
        form = Form.of(text, task.source.text)
        fit = BUNDLE.styles.judge.posterior([form], features)[0, style]
        value = score / ((5 + len(tokens) + 1) / 6) ** 0.6
        missed = abs(len(text) - length) if length else 0
        values[text] = value - missed + max(float(fit), -4.0)
    return values


def _score(engine: Any, source: SourceBatch, ids: Sequence[int]) -> float:
    return float(score_targets(engine, source, [np.array(ids, np.int32)])[0])


@pytest.mark.parametrize("length", [0, 3])
def test_the_best_candidates_by_score_and_judge_come_first(length: int) -> None:
    generator = generator_of()
    wish = replace(PLAIN, target_length=length)
    config = replace(wish, style="2", num_headlines=3)
    for article in ARTICLES:
        task = SearchTask.of(generator.read(article), wish, generator.tokenizer)
        values = candidates(task, 1, length)
        (found,) = generator.generate([article], [config])
        expected = sorted(values, key=lambda text: -values[text])
        assert [one.text for one in found] == expected[:3]
        assert len(values) > 3 or article == "存款"


def test_each_style_has_a_headline_the_likeliest_style_first() -> None:
    generator = generator_of(EACH)
    engine, styles = generator.engine, BUNDLE.styles
    assert isinstance(engine, NumpyEngine) and styles is not None
    for article, found in zip(ARTICLES, generator.generate(ARTICLES), strict=True):
        ids = generator.read(article).encoded.ids[None]
        batch = SourceBatch(generator.tokenizer.embeddable(ids), ids)
        (prior,) = styles.judge.prior(engine.features(engine.encode(batch)))
        order = [str(place + 1) for place in np.argsort(-prior).tolist()]
        assert styles_of(found) == order
        assert len({one.text for one in found}) == 3
        assert texts(
            generator.generate([article], [replace(EACH, num_headlines=2)])
        ) == [[one.text for one in found[:2]]]
        alone = replace(PLAIN, style=order[0])
        assert texts(generator.generate([article], [alone])) == [[found[0].text]]


def test_a_style_goes_by_its_number_and_by_its_name() -> None:
    assert BUNDLE.styles is not None
    named = replace(BUNDLE, styles=BUNDLE.styles.renamed({2: "短"}))
    by_number, by_name = (replace(PLAIN, style=style) for style in ("2", "短"))
    generator = generator_of(bundle=named)
    found = generator.generate(ARTICLES, [by_name] * 4)
    assert found == generator.generate(ARTICLES, [by_number] * 4)
    assert {one.style for (one,) in found} == {"短"}
    with pytest.raises(ConfigError, match=r"no style '长'; choose from: 1, 2, 3, 短"):
        generator.check(replace(PLAIN, style="长"))


def test_the_decoder_writes_in_the_style_unless_by_chance() -> None:
    """Without the style in the decoder, the candidates of all styles are the same."""
    assert BUNDLE.styles is not None
    engine = NumpyEngine(BUNDLE.model, BUNDLE.weights)
    conditions: list[Any] = []
    branch = engine.branch

    def noted(
        state: NumpyState, articles: Ids, condition: Ids | None = None
    ) -> NumpyState:
        conditions.append(None if condition is None else condition.tolist())
        return branch(state, articles, condition)

    engine.branch = noted  # type: ignore[method-assign]
    generator = generator_of()
    searcher = StyledSearcher(BUNDLE.tokenizer, engine, BUNDLE.styles)
    for config in (EACH, replace(EACH, by_chance=True)):
        task = SearchTask.of(generator.read(HAN), config, generator.tokenizer)
        (found,) = searcher.search([task])
        assert len(found) == 3
    assert sorted(conditions[0]) == [0, 1, 2] and conditions[1] is None


class CountingEngine(NumpyEngine):
    """Counts the articles that are encoded."""

    encoded = 0

    def encode(self, sources: SourceBatch) -> NumpyState:
        self.encoded += len(sources)
        return super().encode(sources)


@pytest.mark.parametrize("config", [EACH, replace(PLAIN, style="3")])
def test_an_article_is_encoded_once_for_all_its_styles(config: DecodeConfig) -> None:
    engine = CountingEngine(BUNDLE.model, BUNDLE.weights)
    # No asked length: an article whose headline is cut off is searched again.
    config = replace(config, max_length=DecodeConfig.max_length)
    generator = Generator(BUNDLE.tokenizer, engine, config, 50, styles=BUNDLE.styles)
    generator.generate(ARTICLES)
    assert engine.encoded == len(ARTICLES)


# --- what still holds -----------------------------------------------------------------


@fewer
@given(articles, st.integers(1, 5))
def test_batches_and_neighbours_change_nothing(articles: list[str], size: int) -> None:
    config = replace(EACH, batch_size=size)
    expected = [generator_of(EACH).generate([one])[0] for one in articles]
    found = generator_of(config).generate(articles)
    assert texts(found) == texts(expected)
    assert [*map(styles_of, found)] == [*map(styles_of, expected)]


CONTROLS: list[dict[str, Any]] = [
    {"max_length": 3},
    {"min_length": 6},
    {"prefix": "囧天"},
    {"must_include": ("玄", "今日")},
    {"avoid": ("行", "日")},
    {"exact_numbers": True, "max_length": 12},
]


@pytest.mark.parametrize("controls", CONTROLS)
@pytest.mark.parametrize("styled", [{"styles": True}, {"style": "2"}])
def test_the_rules_of_headlines_hold_in_each_style(
    controls: dict[str, Any], styled: dict[str, Any]
) -> None:
    config = DecodeConfig(**{"max_length": 8} | controls | styled)
    texts = ["央行１２３日宣布４５６下调", HAN, "2023年下调存款准备金率"]
    for article, found in zip(texts, generator_of(config).generate(texts), strict=True):
        assert found[0].text and found[0].style
        for one in found:
            assert config.min_length <= len(one.text) <= config.max_length
            assert one.text.startswith(config.prefix)
            assert all(word in one.text for word in config.must_include)
            assert not any(word in one.text for word in config.avoid)
            for number in "".join(c if c.isdigit() else " " for c in one.text).split():
                assert number in ("123", "456", "2023") and article


def test_a_preferred_length_is_preferred_in_each_style() -> None:
    short, long = (
        [
            len(one.text)
            for one in chain(*expected_of(replace(EACH, target_length=many)))
        ]
        for many in (2, 7)
    )
    assert np.mean(short) < np.mean(long) - 1


def test_both_engines_write_the_same_headlines_in_each_style() -> None:
    from headline.engines.keras_engine import KerasEngine

    keras_engine = KerasEngine.from_weights(BUNDLE.model, BUNDLE.weights)
    config = replace(EACH, shortlist=0)
    generator = Generator(
        BUNDLE.tokenizer, keras_engine, config, 50, styles=BUNDLE.styles
    )
    found = generator.generate(ARTICLES)
    expected = generator_of(config).generate(ARTICLES)
    assert texts(found) == texts(expected)
    for one, other in zip(chain(*found), chain(*expected), strict=True):
        assert one.style == other.style
        assert one.score == pytest.approx(other.score, abs=1e-3)


def test_a_blank_article_has_a_blank_headline() -> None:
    assert generator_of(EACH).generate(["", " \n"]) == [[Headline("", 0.0)]] * 2


# --- settings -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other", [{"sample": True}, {"consensus": True}, {"diversity": 0.5}]
)
@pytest.mark.parametrize("styled", [{"styles": True}, {"style": "2"}])
def test_styles_do_not_go_with_other_ways_to_search(
    styled: dict[str, Any], other: dict[str, Any]
) -> None:
    (name,) = styled
    with pytest.raises(ConfigError, match="sample, diversity and consensus") as caught:
        DecodeConfig(**styled | other)
    assert caught.value.setting == name
    assert DecodeConfig(**over(other, styled)) == DecodeConfig(**styled)
    assert DecodeConfig(**over(styled, other)) == DecodeConfig(**other)


def test_one_style_and_all_styles_are_not_asked_for_together() -> None:
    with pytest.raises(ConfigError, match="style must be left out with styles"):
        DecodeConfig(style="1", styles=True)
    one, all_of_them = {"style": "1"}, {"styles": True}
    for below, above in ((one, all_of_them), (all_of_them, one)):
        assert DecodeConfig(**over(below, above)) == DecodeConfig(**above)


# --- files ----------------------------------------------------------------------------


def written(
    path: Path, config: DecodeConfig, with_scores: bool = False, lines: bool = False
) -> str:
    sink = io.StringIO()
    task = Task(CorpusFormat(), lines=lines, with_scores=with_scores)
    write_headlines(generator_of(config), [Shard(path)], sink, task)
    return sink.getvalue()


def expected_of(config: DecodeConfig) -> list[list[Headline]]:
    return generator_of(config).generate(ARTICLES)


def test_columns_of_a_table_name_the_styles(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("content\n" + "\n".join(ARTICLES) + "\n")
    two = replace(EACH, num_headlines=2)
    header, *rows = written(path, two).splitlines()
    assert header == "content,headline,headline_style,headline_2,headline_2_style"
    assert rows == [
        f"{article},{one.text},{one.style},{other.text},{other.style}"
        for article, (one, other) in zip(ARTICLES, expected_of(two), strict=True)
    ]
    header, row, *_ = written(path, EACH, with_scores=True).splitlines()
    assert header.split(",")[-3:] == [
        "headline_3",
        "headline_3_style",
        "headline_3_score",
    ]
    assert row.split(",")[3] == f"{expected_of(EACH)[0][0].score:.4f}"
    one_style = written(path, replace(PLAIN, style="1")).splitlines()[0]
    assert one_style == "content,headline"


def test_keys_of_an_object_name_the_styles_that_it_asks_for(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    asked = [{}, {"styles": True}, {"style": "2"}, {"styles": True, "num_headlines": 2}]
    objects = [
        {"content": article, "options": options}
        for article, options in zip(ARTICLES, asked, strict=True)
    ]
    path.write_text("\n".join(json.dumps(one) for one in objects))
    found = [json.loads(line) for line in written(path, PLAIN, True).splitlines()]
    each = expected_of(EACH)[1]
    assert found[0].keys() == {"content", "options", "headline", "score"}
    assert found[2].keys() == found[0].keys()
    assert found[2]["headline"] == expected_of(replace(PLAIN, style="2"))[2][0].text
    assert found[1]["style"] == each[0].style
    assert found[1]["headlines"] == [one.text for one in each]
    assert found[1]["styles"] == styles_of(each)
    assert len(found[1]["scores"]) == 3 and len(found[3]["styles"]) == 2


def test_a_style_that_there_is_not_is_an_error_of_its_object(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows: list[dict[str, Any]] = [
        {"content": HAN, "options": {"style": "9"}},
        {"content": HAN, "options": {"style": "1", "styles": True}},
        {"content": HAN, "style": "a column of the user"},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    bad, both, good = (json.loads(line) for line in written(path, PLAIN).splitlines())
    assert "there is no style '9'" in bad["error"] and bad["headline"] == ""
    assert "style must be left out with styles" in both["error"]
    assert "error" not in good and good["headline"]
    assert good["style"] == "a column of the user"


def test_lines_of_a_text_begin_with_the_style(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(HAN)
    found = expected_of(EACH)[0]
    assert written(path, EACH).splitlines() == [
        f"{one.style}\t{one.text}" for one in found
    ]
    assert written(path, EACH, with_scores=True).splitlines() == [
        f"{one.style}\t{one.text}\t{one.score:.4f}" for one in found
    ]
    path.write_text("\n".join([HAN, "", HAN]))
    line = "\t".join(f"{one.style}\t{one.text}" for one in found)
    assert written(path, EACH, lines=True).splitlines() == [line, "", line]


# --- other ways in --------------------------------------------------------------------


def test_an_explanation_replays_each_headline_in_its_style() -> None:
    config = replace(EACH, shortlist=0)
    (found,) = generator_of(config).generate([HAN])
    (plain,) = generator_of(PLAIN).generate([HAN])
    explainer = Explainer.from_bundle(BUNDLE)
    explained = explainer.explain(HAN, [*found, *plain]).headlines
    assert [one.style for one in explained] == [*styles_of(found), None]
    for one in explained:
        total = sum(np.log(token.probability) for token in one.tokens)
        assert total == pytest.approx(one.score, abs=1e-2)


def test_a_writer_writes_in_the_styles_of_its_folder(tmp_path: Path) -> None:
    import headline

    save_bundle(tmp_path / "model", replace(BUNDLE, decode=PLAIN))
    writer = headline.load(tmp_path / "model")
    one = writer.write(HAN, style="2")
    assert (
        one.style == "2"
        and one.text == expected_of(replace(PLAIN, style="2"))[0][0].text
    )
    each = writer.write({"text": HAN, "options": {"styles": True}})
    assert [each.style, *styles_of(each.others)] == styles_of(expected_of(EACH)[0])
    assert writer.write(HAN).style is None
    assert writer.explain(HAN, one).headlines[0].style == "2"
    with pytest.raises(ConfigError, match="no style"):
        writer.write(HAN, style="7")


def test_settings_of_styles_are_kept_only_where_they_matter(tmp_path: Path) -> None:
    for bundle, there in ((tiny_bundle(HAN), False), (BUNDLE, True)):
        save_bundle(tmp_path / "model", bundle)
        content = json.loads((tmp_path / "model" / "config.json").read_text())
        assert ("styles" in content["model"]) == there
        assert not {"style", "styles"} & content["decode"].keys()
        assert load_bundle(tmp_path / "model").decode == bundle.decode
