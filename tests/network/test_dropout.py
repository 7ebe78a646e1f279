"""What a training leaves out: shares, means, strengths."""

import numpy as np
import pytest

from headline.network.dropout import Dropout, TokenDropout
from headline.text.ids import EOS, UNK
from tests.models import array


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_dropout_leaves_out_its_share_and_keeps_the_mean(strength: float) -> None:
    layer, share = Dropout(0.4), 0.4 * strength
    values = np.full((300, 200), 3.0, np.float32)

    dropped, again = (array(layer(values, strength=strength)) for _ in range(2))

    assert (dropped == 0).mean() == pytest.approx(share, abs=0.01)
    np.testing.assert_allclose(dropped[dropped != 0], 3 / (1 - share), rtol=1e-6)
    assert (dropped != again).any()


def test_dropout_of_a_whole_axis_draws_once_for_it() -> None:
    layer = Dropout(0.5, (None, None, 1))
    dropped = array(layer(np.ones((40, 30, 4), np.float32), strength=1.0))
    assert (dropped == dropped[..., :1]).all()
    assert len(np.unique(dropped[..., 0])) == 2


@pytest.mark.parametrize("strength", [None, 0.0])
def test_nothing_is_left_out_in_the_search_and_at_no_strength(
    strength: float | None,
) -> None:
    values = np.arange(1, 2001, dtype=np.float32)
    kept = array(Dropout(0.9)(values, strength=strength))
    np.testing.assert_array_equal(kept, values)
    ids = np.arange(1, 2001, dtype=np.int32)
    read = array(TokenDropout(0.9)(ids, strength=strength))
    np.testing.assert_array_equal(read, ids)


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_token_dropout_reads_its_share_as_unknown(strength: float) -> None:
    layer = TokenDropout(0.3)
    ids = np.tile(np.arange(10, dtype=np.int32), (2000, 1))

    dropped, again = (array(layer(ids, strength=strength)) for _ in range(2))

    assert set(np.unique(dropped[dropped != ids])) == {UNK}
    assert (dropped[:, : EOS + 1] == ids[:, : EOS + 1]).all()  # special tokens stay
    share = (dropped != ids)[:, EOS + 1 :].mean()
    assert share == pytest.approx(0.3 * strength, abs=0.02)
    assert (dropped != again).any()
