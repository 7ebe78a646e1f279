"""Dropout of values and of tokens, with a strength that training can change.

Each layer drops a share of its rate times the strength. The dropout of Keras has a
fixed rate.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import KerasTensor, ops

from headline.network.data_parallel import seed_here
from headline.text.ids import EOS, UNK


class _Drawing(keras.layers.Layer):
    """Draws what is dropped.

    Args:
        rate: share that is dropped at a strength of 1.
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        self.seed_generator = keras.random.SeedGenerator()

    def draw(self, shape: tuple[Any, ...], strength: KerasTensor) -> KerasTensor:
        """Returns what is dropped: bool, of the given shape."""
        drawn = keras.random.uniform(shape, seed=seed_here(self.seed_generator))
        return drawn < self.share(strength)

    def share(self, strength: KerasTensor) -> KerasTensor:
        """Returns the share that is dropped."""
        # In float32: bfloat16 is too coarse for the random numbers.
        return self.rate * ops.cast(strength, "float32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


@keras.saving.register_keras_serializable(package="headline")
class Dropout(_Drawing):
    """Sets values to 0 and scales up the others (Srivastava et al. 2014).

    Args:
        rate: share of the values that is dropped at a strength of 1.
        noise_shape: one entry per axis: 1 if all values along it are dropped or kept
            together, else None. If left out, each value is dropped independently.

    Call arguments:
        values: float, of any shape.
        strength: 0 to 1; None, as in the search, drops nothing.
    """

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(rate, **kwargs)
        self.noise_shape = noise_shape

    def call(
        self, values: KerasTensor, strength: KerasTensor | None = None
    ) -> KerasTensor:
        if strength is None or not self.rate:
            return values
        kept = ops.logical_not(self.draw(self._shape(values), strength))
        left = ops.cast(1 - self.share(strength), values.dtype)
        return values * (ops.cast(kept, values.dtype) / left)

    def _shape(self, values: KerasTensor) -> tuple[Any, ...]:
        """Returns the shape of the random numbers that are drawn for the values."""
        sizes: tuple[Any, ...] = ops.shape(values)
        if self.noise_shape is None:
            return sizes
        pairs = zip(self.noise_shape, sizes, strict=True)
        return tuple(size if own is None else own for own, size in pairs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "noise_shape": self.noise_shape}


@keras.saving.register_keras_serializable(package="headline")
class TokenDropout(_Drawing):
    """Replaces random tokens by UNK in training, so that no single one is relied on.

    As in Gal and Ghahramani 2016, https://arxiv.org/abs/1512.05287, sec. 4.2, but each
    occurrence is drawn independently. In the decoder: Bowman et al. 2016, sec. 3.1.

    Args:
        rate: share of the tokens that is dropped at a strength of 1.

    Call arguments:
        ids: int, shape ``(B, S)``, below V. Special tokens stay.
        strength: 0 to 1; None, as in the search, drops nothing.

    Returns:
        the ids, with UNK for the dropped ones.
    """

    def call(
        self, ids: KerasTensor, strength: KerasTensor | None = None
    ) -> KerasTensor:
        if strength is None or not self.rate:
            return ids
        dropped = ops.logical_and(self.draw(ops.shape(ids), strength), ids > EOS)
        return ops.where(dropped, ops.cast(UNK, ids.dtype), ids)
