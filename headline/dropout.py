"""What a training leaves out by chance, so that nothing is relied on alone.

Each layer drops its rate times a strength, which a training may set at any time: the
dropout of Keras has one rate for good.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import KerasTensor, ops

from headline.tokenizer import EOS, UNK


@keras.saving.register_keras_serializable(package="headline")
class Dropout(keras.layers.Layer):
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
        super().__init__(**kwargs)
        self.rate, self.noise_shape = rate, noise_shape
        self.seed_generator = keras.random.SeedGenerator()

    def call(
        self, values: KerasTensor, strength: KerasTensor | None = None
    ) -> KerasTensor:
        if strength is None or not self.rate:
            return values
        # In float32: bfloat16 has too few digits for what is drawn.
        rate = self.rate * ops.cast(strength, "float32")
        drawn = keras.random.uniform(self._drawn(values), seed=self.seed_generator)
        scale = ops.cast(drawn >= rate, values.dtype) / ops.cast(1 - rate, values.dtype)
        return values * scale

    def _drawn(self, values: KerasTensor) -> tuple[Any, ...]:
        """The shape of what is drawn for the values."""
        sizes: tuple[Any, ...] = ops.shape(values)
        if self.noise_shape is None:
            return sizes
        pairs = zip(self.noise_shape, sizes, strict=True)
        return tuple(size if own is None else own for own, size in pairs)

    def get_config(self) -> dict[str, Any]:
        own = {"rate": self.rate, "noise_shape": self.noise_shape}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="headline")
class TokenDropout(keras.layers.Layer):
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

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        self.seed_generator = keras.random.SeedGenerator()

    def call(
        self, ids: KerasTensor, strength: KerasTensor | None = None
    ) -> KerasTensor:
        if strength is None or not self.rate:
            return ids
        drawn = keras.random.uniform(ops.shape(ids), seed=self.seed_generator)
        dropped = ops.logical_and(drawn < self.rate * strength, ids > EOS)
        return ops.where(dropped, ops.cast(UNK, ids.dtype), ids)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}
