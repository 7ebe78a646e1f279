"""The reader of the source: each row alone."""

import numpy as np

from headline.network.encoder import BidirectionalLSTM
from tests.models import array
from tests.network.values import MASKS, WIDTH, mask_of, random


@MASKS
def test_bidirectional_lstm_reads_each_row_alone(lengths: list[int]) -> None:
    layer = BidirectionalLSTM(WIDTH)
    values = random(2, 5, WIDTH)
    layer.build(values.shape)
    both = array(layer(values, source_mask=mask_of(lengths)))

    for row, length in enumerate(lengths):
        alone = values[row : row + 1, :length]
        forward = array(layer.forward(alone))
        backward = array(layer.backward(alone))
        expected = np.concatenate([forward, backward], axis=-1)[0]
        np.testing.assert_allclose(both[row, :length], expected, rtol=1e-4, atol=1e-6)
        assert (both[row, length:] == 0).all()
