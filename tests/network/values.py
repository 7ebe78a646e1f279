"""Random numbers and masks for the tests of the layers."""

import numpy as np
import pytest

from headline.engines.base import Floats

MASKS = pytest.mark.parametrize("lengths", [[5, 5], [5, 2], [1, 4]])
WIDTH = 6


def random(*shape: int, seed: int = 7) -> Floats:
    """Ordinary numbers, in the padding too: zeros or huge ones can hide a leak."""
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def mask_of(lengths: list[int]) -> np.ndarray:
    """Which of five positions are real."""
    return np.arange(5) < np.array(lengths)[:, None]
