"""What the style tables learn from: headlines, their styles, how often each is used."""

from collections import Counter

import numpy as np
import pytest

from headline.generation.headlines import Headline
from headline.network.styles.form import MARKS, Form
from headline.network.styles.posterior import StyleJudge
from headline.text.source import Source
from headline.training.styles.finding import weighted_groups
from headline.training.styles.pairs import Pairs
from headline.training.styles.tuning import Lessons, Progress
from headline.training.styles.written import Written, best_in_styles, repeats
from tests.network.styles.judges import (
    ARTICLES,
    FORMS,
    HEADLINES,
    SPACE,
    random_judge,
)
from tests.scripted import char_tokenizer

WIDTH, STYLES = 8, 3
# It knows all characters but one, of the third article.
KNOWN = "".join([*ARTICLES, *HEADLINES]).replace("寒", "")
TOKENIZER = char_tokenizer(KNOWN)
GENERATOR = np.random.default_rng(6)
PAIRS = Pairs(
    sources=[Source.of_normalised(one, TOKENIZER, 50) for one in ARTICLES],
    headlines=HEADLINES,
    forms=FORMS,
    features=GENERATOR.normal(size=(3, 2 * WIDTH)).astype(np.float32),
    tokenizer=TOKENIZER,
)
# The styles of the headlines of the corpus: known, known, and one of two.
POSTERIOR = np.log(np.array([[1, 0, 0], [0, 0, 1], [0.5, 0.5, 0]]) + 1e-9)
WRITTEN = [Written(0, "天地玄", 1), Written(1, "日月", 1), Written(2, "寒来 暑往", 2)]


def lessons() -> Lessons:
    return Lessons.of(PAIRS, WRITTEN, POSTERIOR, seed=1)


def texts(found: Lessons) -> list[tuple[str, str]]:
    """The articles and headlines of all lessons."""
    extra = PAIRS.sources[2].encoded.extra
    return [
        (
            TOKENIZER.decode(found.split.source[at], extra),
            TOKENIZER.decode(found.split.target[at], extra),
        )
        for at in range(len(found.split))
    ]


def test_lessons_are_the_corpus_and_then_what_the_model_wrote() -> None:
    found = texts(lessons())
    assert found[:3] == list(zip(ARTICLES, HEADLINES, strict=True))
    own = [(ARTICLES[one.pair], one.headline) for one in WRITTEN]
    assert Counter(found[3:]) == Counter(own) + Counter(own[2:])  # the rare style twice


def test_styles_are_drawn_from_the_posterior_and_the_other_one_differs() -> None:
    found = lessons()
    drawn = [found.draw(seed=1, epoch=epoch) for epoch in range(200)]
    own, other = (np.array(one) for one in zip(*drawn, strict=True))
    assert (own[:, 0] == 0).all() and (own[:, 1] == 2).all()
    assert 70 < (own[:, 2] == 0).sum() < 130 and (own[:, 2] != 2).all()
    np.testing.assert_array_equal(own[:, 3:], np.tile(found.styles, (200, 1)))
    assert (own != other).all() and set(other.ravel()) == {0, 1, 2}
    np.testing.assert_array_equal(found.draw(1, 7)[0], own[7])
    assert (found.draw(2, 7)[1] != other[7]).any()


def test_lessons_are_the_same_after_a_checkpoint() -> None:
    found = lessons()
    again = Lessons.from_arrays(found.to_arrays())
    assert texts(again) == texts(found)
    for one, other in zip(again.draw(1, 3), found.draw(1, 3), strict=True):
        np.testing.assert_array_equal(one, other)


def test_without_headlines_of_the_model_a_pair_of_the_corpus_is_left() -> None:
    assert len(Lessons.of(PAIRS, [], POSTERIOR, seed=1).split) == 1


@pytest.mark.parametrize(
    ("styles", "times"),
    [([0, 1, 2], [1, 1, 1]), ([0] * 9 + [1] * 4 + [2], [1, 2, 3]), ([1], [1, 1, 1])],
)
def test_rare_styles_are_used_up_to_three_times(
    styles: list[int], times: list[int]
) -> None:
    assert repeats(styles, 3) == times


def test_the_best_headline_of_each_clear_style_is_kept() -> None:
    judge = random_judge(WIDTH, STYLES)
    written = ["天地：玄黄", "宇宙 洪荒", "玄黄", "天地玄黄宇宙洪荒", "洪荒？"]
    headlines = [Headline(text, -float(at)) for at, text in enumerate(written)]
    found = list(best_in_styles(sharp(judge), PAIRS, 0, headlines))
    forms = [Form.of(text, ARTICLES[0]) for text in written]
    features = np.repeat(PAIRS.features[:1], len(forms), axis=0)
    styles = sharp(judge).posterior(forms, features).argmax(axis=1).tolist()
    assert [one.style for one in found] == sorted(set(styles))
    for one in found:
        rivals = [
            text for text, s in zip(written, styles, strict=True) if s == one.style
        ]
        assert one.pair == 0 and one.headline in rivals
    assert list(best_in_styles(judge, PAIRS, 0, [Headline("", 0.0)])) == []


def test_headlines_of_no_clear_style_are_not_kept() -> None:
    judge = random_judge(WIDTH, STYLES)
    flat = {**judge.arrays, "centres": np.zeros((STYLES, 8), np.float32)}
    flat |= {name: flat[name] * 0 for name in ("prior/kernel", "prior/bias")}
    blind = StyleJudge(judge.space, flat)
    assert list(best_in_styles(blind, PAIRS, 0, [Headline("天地", -1.0)])) == []


def sharp(judge: StyleJudge) -> StyleJudge:
    """A judge whose styles are far apart, so that each headline has a clear one."""
    scaled = {
        name: judge.arrays[name] * np.float32(30)
        for name in ("centres", "latent/kernel", "latent/bias")
    }
    return StyleJudge(judge.space, {**judge.arrays, **scaled})


def test_a_row_of_the_history_is_the_mean_since_the_last_one() -> None:
    progress = Progress()
    complete = [progress.record([float(at), 1.0]) for at in range(300)]
    assert complete == [False] * 299 + [True]
    progress.end_row(["a", "b"])
    progress.record([5.0, 2.0])
    progress.end_row(["a", "b"])
    progress.end_row(["a", "b"])
    assert progress.history == [
        {"update": 300, "a": 149.5, "b": 1.0},
        {"update": 301, "a": 5.0, "b": 2.0},
    ]


def test_of_headlines_in_one_style_the_likeliest_for_its_length_is_kept() -> None:
    judge = random_judge(WIDTH, STYLES)
    bias = np.array([0, 1000, 0], np.float32)
    one_style = StyleJudge(judge.space, {**judge.arrays, "prior/bias": bias})
    headlines = [
        Headline("天地", -4.0),
        Headline("天地玄黄宇宙", -4.5),  # less likely, but long
        Headline("玄黄", -9.0),
    ]
    (found,) = best_in_styles(one_style, PAIRS, 0, headlines)
    assert found == Written(0, "天地玄黄宇宙", 1)


def test_rare_marks_count_less_and_nothing_else_changes() -> None:
    groups = SPACE.groups
    codes = np.zeros((1000, SPACE.size), np.uint8)
    begins = {group.name: group.begin for group in groups}
    for name, share in (("colon", 0.05), ("space", 0.1), ("comma", 0.5), ("quote", 1)):
        codes[: round(1000 * share), begins[name]] = 1
    found = {
        after.name: after.weight / before.weight
        for before, after in zip(groups, weighted_groups(groups, codes), strict=True)
    }
    assert found["colon"] == pytest.approx(0.05 * 0.95 / 0.09)
    assert found["space"] == pytest.approx(1) and found["comma"] == 1
    assert found["question"] == found["quote"] == 0
    assert all(found[group.name] == 1 for group in groups if group.name not in MARKS)
