"""Scores against the usual package, and what must hold for any two texts."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from headline.metrics import (
    Rouge,
    lead,
    longest_common_subsequence,
    mean_rouge,
    rouge,
)

stable = settings(derandomize=True, deadline=None, max_examples=200)

# Few characters, so that much is common; some of them outside the first 64 places.
texts = st.text("央行降息a", max_size=12) | st.text("甲乙", max_size=90)
any_text = st.text(st.characters(), max_size=20)


class Characters:
    """Cuts a text into characters for ``rouge_score``."""

    def tokenize(self, text: str) -> list[str]:
        return list(text)


SCORER = RougeScorer(["rouge1", "rouge2", "rougeL"], tokenizer=Characters())


def plain_lcs(first: str, second: str) -> int:
    """The longest common subsequence by the table of all prefixes."""
    row = [0] * (len(second) + 1)
    for one in first:
        above = row
        row = [0]
        for place, other in enumerate(second):
            longer = above[place] + 1 if one == other else 0
            row.append(max(longer, above[place + 1], row[place]))
    return row[-1]


@stable
@given(texts, texts)
def test_scores_are_those_of_the_rouge_package(headline: str, reference: str) -> None:
    expected = SCORER.score(reference, headline)

    score = rouge(headline, reference)

    assert score.rouge_1 == pytest.approx(100 * expected["rouge1"].fmeasure)
    assert score.rouge_2 == pytest.approx(100 * expected["rouge2"].fmeasure)
    assert score.rouge_l == pytest.approx(100 * expected["rougeL"].fmeasure)


@stable
@given(texts | any_text, texts | any_text)
def test_common_subsequence_is_that_of_the_table(first: str, second: str) -> None:
    assert longest_common_subsequence(first, second) == plain_lcs(first, second)


@stable
@given(any_text, any_text)
def test_scores_are_symmetric_shares_of_a_hundred(first: str, second: str) -> None:
    score = rouge(first, second)

    assert score == rouge(second, first)
    assert all(0 <= share <= 100 for share in score.to_dict().values())


@pytest.mark.parametrize("text", ["央行", "央行央行", "a b", "👩\u200d💻"])
def test_identical_texts_score_a_hundred(text: str) -> None:
    assert rouge(text, text) == Rouge(100, 100, 100)


@pytest.mark.parametrize("other", ["", " ", "甲乙丙"])
def test_texts_with_nothing_in_common_score_nothing(other: str) -> None:
    assert rouge(other, "央行") == rouge("央行", other) == Rouge(0, 0, 0)
    assert rouge(other, "") == Rouge(0, 0, 0)


@stable
@given(st.lists(texts, max_size=4), st.sampled_from([" ", "\n", "\u3000", "\t "]))
def test_white_space_does_not_count(words: list[str], space: str) -> None:
    spaced = space + space.join(words) + space

    assert rouge(spaced, "央行 降息") == rouge("".join(words), "央行降息")


@stable
@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=5))
def test_mean_is_that_of_the_scores(pairs: list[tuple[str, str]]) -> None:
    headlines, references = zip(*pairs, strict=True)
    scores = [rouge(*pair) for pair in pairs]

    mean = mean_rouge(headlines, references)

    parts: list[Callable[[Rouge], float]]
    parts = [lambda s: s.rouge_1, lambda s: s.rouge_2, lambda s: s.rouge_l]
    for part in parts:
        expected = sum(part(score) for score in scores) / len(scores)
        assert part(mean) == pytest.approx(expected)


def test_mean_of_no_pairs_is_nothing() -> None:
    assert mean_rouge([], []) == Rouge(0, 0, 0)


def test_headlines_without_references_are_a_bug() -> None:
    with pytest.raises(ValueError, match="shorter"):
        mean_rouge(["央行", "降息"], ["央行"])


def test_scores_are_shown_with_two_decimals() -> None:
    shown = Rouge(100 / 3, 0.0, 200 / 3).to_dict()

    assert shown == {"rouge_1": 33.33, "rouge_2": 0.0, "rouge_l": 66.67}


@stable
@given(any_text, st.integers(0, 25))
def test_lead_is_how_the_article_begins(article: str, length: int) -> None:
    found = lead(article, length)

    assert article.startswith(found)
    assert len(found) == min(length, len(article))
