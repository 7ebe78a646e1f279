"""What has been written last, looked for in the article."""

import numpy as np

from headline.engines.numpy.matches import Matches


def test_features_tell_how_long_a_run_is_and_what_is_written() -> None:
    copy_ids = np.array([[5, 6, 5, 6, 7, 0]], np.int32)
    matches = Matches.none(copy_ids)
    for token in (5, 6):
        matches = matches.extended(np.array([token], np.int32), copy_ids, 2)
    # 5 6 has been written: position 2 follows both, and so does position 4.
    assert matches.run.tolist() == [[0, 0, 2, 0, 2, 0]]
    assert matches.written.tolist() == [[True, True, True, True, False, False]]
    assert matches.features(2).tolist() == [
        [[0, 0, 1, 0, 1, 0], [0, 0, 1, 0, 1, 0], [1, 1, 1, 1, 0, 0]]
    ]
