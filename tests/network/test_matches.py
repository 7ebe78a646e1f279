"""What stands in the source of a target, against a search by hand."""

import numpy as np

from headline.network.matches import match_runs, next_match_runs
from headline.text.ids import PAD


def test_runs_are_those_that_a_search_by_hand_finds() -> None:
    """Step by step and all at once."""
    generator = np.random.default_rng(4)
    copy_ids = generator.integers(4, 7, (3, 12)).astype("int32")
    copy_ids[1, 8:] = PAD
    tokens = generator.integers(4, 7, (3, 6)).astype("int32")
    most = 3

    found = match_runs(tokens, copy_ids, most)

    state = np.zeros_like(copy_ids), np.zeros(copy_ids.shape, bool)
    for step in range(tokens.shape[1]):
        written = [set(row[:step].tolist()) - {PAD} for row in tokens]
        for row, source in enumerate(copy_ids):
            for place in range(len(source)):
                longest = max(
                    n
                    for n in range(min(most, step, place) + 1)
                    if n == 0
                    or (source[place - n : place] == tokens[row, step - n : step]).all()
                )
                assert int(found[0][row, step, place]) == longest
                assert bool(found[1][row, step, place]) == (
                    source[place] in written[row]
                )
        for whole, one in zip(found, state, strict=True):
            np.testing.assert_array_equal(np.asarray(whole)[:, step], np.asarray(one))
        state = next_match_runs(*state, tokens[:, step], copy_ids, most)
