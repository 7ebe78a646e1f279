"""What the search carries from step to step."""

import numpy as np

from headline.engines.base import IMPOSSIBLE
from headline.search.beams import Beams, Candidates, Ended, Hypothesis
from headline.text.ids import BOS, PAD


def test_every_group_of_every_article_starts_with_bos_alone() -> None:
    beams = Beams.start(3, 2)

    assert beams.tokens.shape == (3, 2, 1) and (beams.tokens == BOS).all()
    assert beams.parents.tolist() == [[0, 0], [1, 1], [2, 2]]
    assert beams.take(np.array([True, False, True])).articles.tolist() == [0, 2]


def test_candidates_are_taken_in_the_order_that_is_asked_for() -> None:
    numbers = np.arange(6, dtype=np.int32).reshape(2, 3)
    scores = numbers.astype(np.float64)
    some = Candidates(scores, scores, scores, numbers, numbers, numbers)

    taken = some.take(np.array([[2, 0], [1, 1]]))

    assert taken.ids.tolist() == [[2, 0], [4, 4]] and taken.keys.tolist() == [
        [2.0, 0.0],
        [4.0, 4.0],
    ]
    assert some.part(slice(1, 2)).ids.tolist() == [[1], [4]]


def test_the_best_ended_are_kept_and_ties_go_by_ids() -> None:
    ended = Ended(2)
    for rank, ids in ((2.0, (5,)), (1.0, (9,)), (1.0, (7,)), (3.0, (4,))):
        ended.add(Hypothesis(rank, ids))

    assert [one.ids for one in ended.best] == [(7,), (9,)]
    assert ended.best[0].score == -1.0


def test_a_dead_hypothesis_reads_padding() -> None:
    beams = Beams.start(2, 1)
    tokens = np.array([[[BOS, 7], [BOS, 8]], [[BOS, 9], [BOS, 5]]], np.int32)
    keys = np.array([[-1.0, IMPOSSIBLE], [-2.0, -3.0]])

    assert beams._replace(tokens=tokens, keys=keys).read.tolist() == [[7, PAD], [9, 5]]
