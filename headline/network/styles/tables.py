"""The style tables: how the decoder writes in a style.

Shape letters: B batch, T target length, K styles, H width.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import KerasTensor, ops

INITIAL = 0.01  # standard deviation of the initial values of all tables


@keras.saving.register_keras_serializable(package="headline")
class StyleTables(keras.layers.Layer):
    """One vector for each style at the input and after each norm of the decoder.

    At the input a vector is added. After a norm the values are scaled and shifted:
    ``values * (1 + gamma[style]) + beta[style]``.

    Call arguments:
        values: float, shape ``(B, T, H)``: the input of the decoder.
        shares: from ``shares``, shape ``(B, K)``.

    Returns:
        float, shape ``(B, T, H)``: the values plus the vector of each row's style.

    Reference: Perez et al. 2018, "FiLM: Visual Reasoning with a General Conditioning
    Layer".

    Args:
        styles: K.
        width: H.
        norms: names of the norms, in the order of the network.
    """

    def __init__(
        self, styles: int, width: int, norms: Sequence[str], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.styles, self.width = styles, width
        self.norms = [
            StyleModulation(styles, width, name=name, dtype=self.dtype_policy)
            for name in norms
        ]

    def build(self, values_shape: tuple[int | None, ...]) -> None:
        self.input_table = _table(self, "input", self.styles, self.width)
        for norm in self.norms:
            norm.build(values_shape)

    def shares(self, style: KerasTensor) -> KerasTensor:
        """Returns 1 in the column of each row's style, (B, K), for styles (B,).

        A row of style -1 has no style: it holds zeros, which change nothing.
        """
        return ops.one_hot(style, self.styles, dtype=self.compute_dtype)

    def call(self, values: KerasTensor, shares: KerasTensor) -> KerasTensor:
        return values + ops.matmul(shares, self.input_table)[:, None, :]

    def get_config(self) -> dict[str, Any]:
        names = [norm.name for norm in self.norms]
        own = {"styles": self.styles, "width": self.width, "norms": names}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="headline")
class StyleModulation(keras.layers.Layer):
    """Scales and shifts the output of one norm; see ``StyleTables``."""

    def __init__(self, styles: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.styles, self.width = styles, width

    def build(self, values_shape: tuple[int | None, ...]) -> None:
        self.gamma = _table(self, "gamma", self.styles, self.width)
        self.beta = _table(self, "beta", self.styles, self.width)

    def call(self, values: KerasTensor, shares: KerasTensor) -> KerasTensor:
        gamma, beta = (
            ops.matmul(shares, table)[:, None, :] for table in (self.gamma, self.beta)
        )
        return values * (1 + gamma) + beta

    def get_config(self) -> dict[str, Any]:
        own = {"styles": self.styles, "width": self.width}
        return {**super().get_config(), **own}


def _table(
    layer: keras.layers.Layer, name: str, styles: int, width: int
) -> keras.Variable:
    start = keras.initializers.RandomNormal(stddev=INITIAL)
    return layer.add_weight(name=name, shape=(styles, width), initializer=start)
