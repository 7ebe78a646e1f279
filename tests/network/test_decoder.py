"""The layers of the decoder against plain NumPy."""

import numpy as np

from headline.engines.base import Floats
from headline.network.decoder import ConditionalNorm
from tests.models import array
from tests.network.values import WIDTH, random


def test_conditional_norm_matches_its_formula() -> None:
    layer = ConditionalNorm(WIDTH)
    values, condition = random(2, 3, WIDTH), random(2, WIDTH, seed=8)
    layer.build(values.shape)
    found = array(layer(values, condition=condition))

    centred = values - values.mean(-1, keepdims=True)
    normed = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    beta, gamma = (
        plain_modulator(layer, name, condition) for name in ("beta", "gamma")
    )
    expected = normed * (1 + gamma[:, None]) + beta[:, None]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def plain_modulator(layer: ConditionalNorm, name: str, condition: Floats) -> Floats:
    hidden, output = layer.modulators[name]
    inner = np.maximum(condition @ array(hidden.kernel) + array(hidden.bias), 0)
    result: Floats = inner @ array(output.kernel) + array(output.bias)
    return result
