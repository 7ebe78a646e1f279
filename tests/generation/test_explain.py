"""What an explanation says is what the model did."""

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.bundle import Bundle, save_bundle
from headline.engines.numpy.engine import NumpyEngine
from headline.generation.explain import Explainer, Explanation
from headline.generation.generator import Generator
from headline.settings.presets import PRESETS
from headline.settings.search import DecodeConfig
from headline.text.normalise import normalise
from tests.scripted import CopyEngine, random_weights, tiny_bundle, word_bundle

HAN = "央行今日宣布下调存款准备金率"
BUNDLE = tiny_bundle(HAN + HAN[:5])
# No length penalty: the score is the logarithm of the probability.
DECODE = DecodeConfig(beam_size=4, num_headlines=4, max_length=8, length_penalty=0)
articles = st.text(HAN + "１ <b>\n罕😀", min_size=1, max_size=60)


def explained(article: str, bundle: Bundle = BUNDLE) -> Explanation:
    """Writes headlines for an article and explains them: each token of each."""
    (headlines,) = Generator.from_bundle(bundle, DECODE).generate([article])
    explanation = Explainer.from_bundle(bundle).explain(article, headlines)
    if normalise(article):
        written = [(headline.text, headline.score) for headline in headlines]
        assert [(one.text, one.score) for one in explanation.headlines] == written
        assert written and all(one.tokens for one in explanation.headlines)
    return explanation


def test_the_engine_of_the_generator_explains_what_it_wrote(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The list leaves out all but one character that is not in the article.
    config = replace(DECODE, shortlist=5)
    generator = Generator.from_bundle(BUNDLE, config)
    (headlines,) = generator.generate([HAN])
    expected = Explainer.from_bundle(BUNDLE).explain(HAN, headlines)
    made: list[object] = []
    monkeypatch.setattr(NumpyEngine, "__init__", lambda self, *_: made.append(self))

    explainer = Explainer.beside(generator, BUNDLE)
    found = explainer.explain(generator.read(HAN), headlines)

    assert not made
    assert [one.text for one in found.headlines] == [one.text for one in headlines]
    for one, other in zip(found.headlines, expected.headlines, strict=True):
        for token, same in zip(one.tokens, other.tokens, strict=True):
            assert token.probability == same.probability
            assert token.weights.tolist() == same.weights.tolist()
    (again,) = generator.generate([HAN])  # its own engine is as it was
    assert again == headlines and [h.score for h in again] == [
        h.score for h in headlines
    ]


def test_another_engine_is_explained_by_numpy() -> None:
    other = Generator(BUNDLE.tokenizer, CopyEngine(4), DECODE, 50)
    (headlines,) = Generator.from_bundle(BUNDLE, DECODE).generate([HAN])

    (first, *_) = Explainer.beside(other, BUNDLE).explain(HAN, headlines).headlines

    logs = [math.log(token.probability) for token in first.tokens]
    assert sum(logs) == pytest.approx(headlines[0].score, abs=1e-3)


def without_pointer() -> Bundle:
    model = replace(BUNDLE.model, pointer=False, match_length=0, source_prior=True)
    return replace(BUNDLE, model=model, weights=random_weights(model))


@given(articles)
def test_tokens_put_together_are_the_texts(article: str) -> None:
    explanation = explained(article)

    text = "".join(explanation.source) + explanation.unread
    assert text == normalise(article)
    for headline in explanation.headlines:
        texts = [token.text for token in headline.tokens]
        assert "".join(texts).strip() == headline.text
        assert texts[-1] == "" and all(texts[:-1])


@given(articles)
def test_probabilities_of_the_tokens_make_the_score(article: str) -> None:
    for headline in explained(article).headlines:
        logs = [math.log(token.probability) for token in headline.tokens]
        assert sum(logs) == pytest.approx(headline.score, abs=1e-3)


@given(articles)
def test_what_is_copied_stands_in_the_article(article: str) -> None:
    explanation = explained(article)
    for headline in explanation.headlines:
        for token in headline.tokens:
            assert 0 <= token.copy_share <= 1
            assert len(token.weights) == len(explanation.source)
            if token.copy_share:
                assert token.text in explanation.source
            if not token.is_copied:  # it shows the attention
                assert token.weights.sum() == pytest.approx(1, rel=1e-5)


def test_a_character_that_the_model_does_not_know_is_copied() -> None:
    found = [
        token
        for article in ("罕见的龘", "甲乙丙丁戊己")
        for headline in explained(article).headlines
        for token in headline.tokens
        if token.text and token.text not in HAN
    ]
    assert found and all(token.copy_share == 1 for token in found)


def test_a_model_without_pointer_copies_nothing() -> None:
    explanation = explained(HAN, without_pointer())

    assert not explanation.pointer and explained(HAN).pointer
    for headline in explanation.headlines:
        for token in headline.tokens:
            assert token.copy_share == 0 and not token.is_copied
            assert token.weights.sum() == pytest.approx(1, rel=1e-5)


def test_a_word_is_one_token() -> None:
    explanation = explained(HAN, word_bundle(HAN))

    assert "宣布" in explanation.source and "".join(explanation.source) == HAN
    texts = {t.text for headline in explanation.headlines for t in headline.tokens}
    assert "" in texts <= {*explanation.source, ""} and max(map(len, texts)) > 1


def test_what_is_past_the_most_that_is_read_is_told_apart() -> None:
    explanation = explained(HAN * 5)

    assert "".join(explanation.source) == (HAN * 5)[: BUNDLE.max_source_length]
    assert explanation.unread == (HAN * 5)[BUNDLE.max_source_length :]


@pytest.mark.parametrize("blank", ["", " \n", "<p></p>"])
def test_a_blank_article_has_nothing_to_explain(blank: str) -> None:
    assert explained(blank) == Explanation((), "", (), pointer=True)


def test_loading_and_explaining_loads_neither_keras_nor_jieba(tmp_path: Path) -> None:
    save_bundle(tmp_path, BUNDLE)
    program = (
        "import sys; from pathlib import Path\n"
        "from headline.generation.explain import Explainer\n"
        "from headline.generation.headlines import Headline\n"
        "explainer = Explainer.load(Path(sys.argv[1]))\n"
        f"print(explainer.explain({HAN!r}, [Headline('', 0.0)]).headlines[0].score)\n"
        "print(*{'keras', 'tensorflow', 'jax', 'jieba'} & sys.modules.keys())"
    )
    run = [sys.executable, "-c", program, str(tmp_path)]
    score, loaded = subprocess.check_output(run, text=True).splitlines()
    assert score == "0.0" and loaded == ""


def test_presets_are_explained() -> None:
    for preset in PRESETS.values():
        model = replace(
            preset.model, vocab_size=BUNDLE.model.vocab_size, width=8, heads=2
        )
        bundle = replace(BUNDLE, model=model, weights=random_weights(model))
        explanation = explained(HAN, bundle)
        assert explanation.pointer == model.pointer
        shares = [t.copy_share for one in explanation.headlines for t in one.tokens]
        assert any(shares) == model.pointer
