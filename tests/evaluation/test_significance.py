"""The bootstrap against plain loops, and what must hold for any scores."""

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.evaluation import significance
from headline.evaluation.metrics import Facts, Marks, Rouge, mark, rates
from headline.evaluation.significance import (
    RESAMPLES,
    SEED,
    Difference,
    compare,
    intervals,
)

texts = st.text("央行降息1a", max_size=8)
rouges = st.builds(Rouge, *[st.floats(0, 100, width=32)] * 3)
NAMES = ("rouge_1", "rouge_2", "rouge_l")


def marks_of(rows: list[tuple[str, str, str]]) -> list[Marks]:
    return [mark(text, target, Facts.of(article)) for article, text, target in rows]


def plain_draws(articles: int) -> list[list[int]]:
    """The places that each resample draws, one resample after the other."""
    generator = np.random.default_rng(SEED)
    return [
        generator.integers(articles, size=articles).tolist() for _ in range(RESAMPLES)
    ]


@given(st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=7))
def test_intervals_are_those_of_a_plain_loop(rows: list[tuple[str, str, str]]) -> None:
    marks = marks_of(rows)
    sampled = [
        rates([marks[place] for place in drawn]) for drawn in plain_draws(len(marks))
    ]

    found = intervals(marks)

    assert found.keys() == rates(marks).keys()
    for name, interval in found.items():
        expected = np.percentile([scores[name] for scores in sampled], [2.5, 97.5])
        assert interval == pytest.approx(expected.tolist(), abs=1e-9)


@given(st.lists(st.tuples(rouges, rouges), min_size=1, max_size=7))
def test_comparison_is_that_of_a_plain_loop(pairs: list[tuple[Rouge, Rouge]]) -> None:
    ours, others = map(list, zip(*pairs, strict=True))

    found = compare(ours, others)

    assert tuple(found) == NAMES
    for place, difference in enumerate(found.values()):
        gains = [astuple(one)[place] - astuple(two)[place] for one, two in pairs]
        sampled = [
            sum(gains[n] for n in drawn) / len(gains)
            for drawn in plain_draws(len(gains))
        ]
        whole = sum(gains) / len(gains)
        assert difference.difference == pytest.approx(whole, abs=1e-9)
        ends = np.percentile(sampled, [2.5, 97.5]).tolist()
        assert difference.interval == pytest.approx(ends, abs=1e-9)
        # Sums of another order differ by a rounding, which decides where they tie.
        surely = sum(gain * whole < -1e-6 for gain in sampled)
        at_most = sum(gain * whole <= 1e-6 for gain in sampled)
        worse = difference.p * (RESAMPLES + 1) - 1
        assert surely - 1e-6 <= worse <= at_most + 1e-6


def some_scores(articles: int, seed: int = 3) -> list[Rouge]:
    rng = np.random.default_rng(seed)
    return [Rouge(*row) for row in rng.uniform(0, 90, (articles, 3)).tolist()]


def test_a_system_does_not_differ_from_itself() -> None:
    scores = some_scores(50)

    found = compare(scores, scores)

    assert set(found.values()) == {Difference(0.0, (0.0, 0.0), 1.0)}


def test_a_system_better_on_each_article_is_surely_better() -> None:
    scores = some_scores(50)
    better = [Rouge(*(score + 5 for score in astuple(one))) for one in scores]

    (found,) = {difference.p for difference in compare(better, scores).values()}

    assert found == 1 / (RESAMPLES + 1)
    for difference in compare(better, scores).values():
        assert difference.difference == pytest.approx(5)
        assert difference.interval == pytest.approx((5, 5))


def test_to_exchange_the_systems_turns_the_difference_round() -> None:
    ours, others = some_scores(40, seed=1), some_scores(40, seed=2)

    forwards, backwards = compare(ours, others), compare(others, ours)

    for name in NAMES:
        low, high = forwards[name].interval
        assert backwards[name].difference == pytest.approx(-forwards[name].difference)
        assert backwards[name].interval == pytest.approx((-high, -low))
        assert backwards[name].p == forwards[name].p
        assert 0 < forwards[name].p < 1


def test_intervals_do_not_depend_on_the_memory_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [(f"{n}号央行" * n, "央行降息1a"[n % 5 :], "央行1"[:n]) for n in range(13)]
    marks, others = marks_of(rows), some_scores(13)
    scores = [one.rouge for one in marks]
    whole, difference = intervals(marks), compare(scores, others)

    monkeypatch.setattr(significance, "CHUNK", 13 * 700)  # 700 resamples, then 300

    again, once_more = intervals(marks), compare(scores, others)
    assert again.keys() == whole.keys() and once_more.keys() == {*NAMES}
    for name, interval in again.items():
        assert interval == pytest.approx(whole[name], abs=1e-9)
    for name, one in once_more.items():
        assert one.interval == pytest.approx(difference[name].interval)
        assert one.p == difference[name].p


def test_intervals_hold_the_score_and_narrow_with_more_articles() -> None:
    rows = [
        ("央行降息1a", "央行" * (n % 3), "降息央行"[: 1 + n % 4]) for n in range(24)
    ]
    few, many = intervals(marks_of(rows)), intervals(marks_of(rows * 16))

    scores = rates(marks_of(rows))
    for name in (*NAMES, "length", "repeated_bigrams"):
        (low, high), (lower, higher) = few[name], many[name]
        assert low < lower < scores[name] < higher < high
        # The width falls with the root of the number of articles.
        assert (high - low) / (higher - lower) == pytest.approx(4, rel=0.25)


def test_a_difference_is_ready_for_json() -> None:
    raw = Difference(1.23456, (-0.005001, 2.5), 0.123456).to_dict()

    assert raw == {"difference": 1.23, "interval": [-0.01, 2.5], "p": 0.1235}


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), max_size=9))
def test_of_two_systems_one_at_most_is_clearly_lower(
    pairs: list[tuple[float, float]],
) -> None:
    ours, others = [one for one, _ in pairs], [other for _, other in pairs]
    assert not (
        significance.is_clearly_lower(ours, others)
        and significance.is_clearly_lower(others, ours)
    )
    assert not significance.is_clearly_lower(ours, ours)


def test_clearly_lower_is_what_two_standard_errors_do_not_explain() -> None:
    others = [50.0, 60.0, 70.0, 80.0]
    # Differences of 0 and 2, twice: 1 in the mean, with an error of 0.577.
    assert not significance.is_clearly_lower([50.0, 58.0, 70.0, 78.0], others)
    # And of 1 and 2, twice: 1.5, with an error of 0.289.
    assert significance.is_clearly_lower([49.0, 58.0, 69.0, 78.0], others)
    assert significance.is_clearly_lower([49.0], [50.0])
