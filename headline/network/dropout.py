"""What a training leaves out by chance, so that nothing is relied on alone.

Each layer drops its rate times a strength, which a training may set at any time: the
dropout of Keras has one rate for good.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import KerasTensor, ops

from headline.text.ids import EOS, UNK


class _Drawing(keras.layers.Layer):
    """Draws what is left out.

    Args:
        rate: the share of it at a strength of 1.
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        self.seed_generator = keras.random.SeedGenerator()

    def draw(self, shape: tuple[Any, ...], strength: KerasTensor) -> KerasTensor:
        """Returns which are left out: bool, of the shape."""
        drawn = keras.random.uniform(shape, seed=self.seed_generator)
        return drawn < self.share(strength)

    def share(self, strength: KerasTensor) -> KerasTensor:
        """Returns the share that is left out."""
        # In float32: bfloat16 has too few digits for what is drawn.
        return self.rate * ops.cast(strength, "float32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


@keras.saving.register_keras_serializable(package="headline")
class Dropout(_Drawing):
    """Sets values to 0 and raises the others in proportion (Srivastava et al. 2014).

    Args:
        rate: share of the values that is dropped at a strength of 1.
        noise_shape: 1 for an axis along which all go or stay together, else None;
            if left out, each value goes by itself.

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
        """The shape of what is drawn for the values."""
        sizes: tuple[Any, ...] = ops.shape(values)
        if self.noise_shape is None:
            return sizes
        pairs = zip(self.noise_shape, sizes, strict=True)
        return tuple(size if own is None else own for own, size in pairs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "noise_shape": self.noise_shape}


@keras.saving.register_keras_serializable(package="headline")
class TokenDropout(_Drawing):
    """Reads some tokens as UNK in a training, so that none is relied on alone.

    Gal and Ghahramani 2016, https://arxiv.org/abs/1512.05287, sec. 4.2, but for each
    occurrence by itself; in the decoder, as Bowman et al. 2016, sec. 3.1.

    Args:
        rate: share of the tokens that is dropped at a strength of 1.

    Call arguments:
        ids: int, shape ``(B, S)``, below V. Special tokens stay.
        strength: 0 to 1; None, as in the search, drops nothing.

    Returns:
        the same, but for UNK in places.
    """

    def call(
        self, ids: KerasTensor, strength: KerasTensor | None = None
    ) -> KerasTensor:
        if strength is None or not self.rate:
            return ids
        dropped = ops.logical_and(self.draw(ops.shape(ids), strength), ids > EOS)
        return ops.where(dropped, ops.cast(UNK, ids.dtype), ids)
