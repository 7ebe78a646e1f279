"""The headline that most of the probability speaks for."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headline.evaluation.metrics import rouge
from headline.search.consensus import TEMPERATURE, consensus_order, likeness

texts = st.lists(st.text("天地玄黄宇", min_size=1, max_size=6), min_size=1, unique=True)


@given(texts)
def test_likeness_is_rouge_1_of_each_against_each(found: list[str]) -> None:
    expected = [[rouge(one, other).rouge_1 / 100 for other in found] for one in found]
    np.testing.assert_allclose(likeness(found), expected, atol=1e-12)


@given(texts)
def test_the_first_has_the_greatest_expected_likeness(found: list[str]) -> None:
    log_probs = [-0.7 * place for place in range(len(found))]
    shares = [math.exp(log_prob / TEMPERATURE) for log_prob in log_probs]
    expected = [
        sum(
            share * rouge(one, other).rouge_1
            for other, share in zip(found, shares, strict=True)
        )
        for one in found
    ]
    order = consensus_order(found, log_probs)
    assert sorted(order) == list(range(len(found)))
    assert expected[order[0]] >= max(expected) - 1e-9


def test_two_that_agree_outvote_a_likelier_one_that_does_not() -> None:
    found = ["宇宙洪荒", "天地玄黄", "天地玄"]
    log_probs = [math.log(0.36), math.log(0.33), math.log(0.31)]
    assert consensus_order(found, log_probs)[0] == 1
    assert consensus_order(found, [0.0, -50.0, -50.0])[0] == 0
    assert consensus_order(["天"], [-1.0]) == [0] and consensus_order([], []) == []
