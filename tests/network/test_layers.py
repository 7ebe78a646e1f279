"""What every layer of our own can do."""

import keras
import pytest

from headline.network.attention import MultiHeadAttention
from headline.network.decoder import ConditionalNorm
from headline.network.dropout import Dropout, TokenDropout
from headline.network.encoder import BidirectionalLSTM
from headline.network.readout import Pointer, SourcePrior
from tests.network.values import WIDTH


@pytest.mark.parametrize(
    "layer",
    [
        BidirectionalLSTM(WIDTH),
        ConditionalNorm(WIDTH),
        MultiHeadAttention(WIDTH, heads=3),
        Pointer(WIDTH),
        SourcePrior(),
        Dropout(0.3, (None, 1)),
        TokenDropout(0.3),
    ],
)
def test_a_layer_comes_back_from_its_config(layer: keras.layers.Layer) -> None:
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
