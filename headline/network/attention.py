"""Attention over the source, with padding masked out.

Shape letters: B batch, Q queries (target steps in training, hypotheses in search),
S source length, H width.
"""

from typing import Any

import keras
from keras import KerasTensor, ops


def lowest(dtype: str) -> float:
    """Returns a finite number that a softmax over ``dtype`` turns into 0.

    It is finite because the softmax of a row that is all -inf, such as a row of
    padding, is NaN, and one NaN spoils the loss of the whole batch. The largest
    float16 is 65504.
    """
    return -3e4 if dtype == "float16" else -1e9


def attention_bias(source_mask: KerasTensor, dtype: str) -> KerasTensor:
    """Returns what to add to attention scores so that padding gets no weight.

    Args:
        source_mask: bool, shape ``(B, S)``; true on real characters.
        dtype: float dtype of the scores that the bias is added to.

    Returns:
        ``dtype``, shape ``(B, S)``: 0 on real characters, a large negative number on
        padding.
    """
    return ops.where(source_mask, ops.cast(0, dtype), ops.cast(lowest(dtype), dtype))


@keras.saving.register_keras_serializable(package="headline")
class MultiHeadAttention(keras.layers.Layer):
    """Scaled dot-product attention that computes keys and values once per source.

    ``softmax(q k / sqrt(d)) v`` for each head, then the heads are concatenated. There
    is no bias and no output projection (J. Su 2018; Vaswani et al. 2017, sec. 3.2.2).

    Call arguments:
        query: float, shape ``(B, Q, H)``.
        keys, values: float, shape ``(B, heads, S, H / heads)``, from ``project``.
        bias: float, shape ``(B, S)``, from ``attention_bias``.
        matches: float, shape ``(B, Q, S, features)``, or None: features that are added
            to each head's scores, with weights computed from the query.

    Returns:
        float, shape ``(B, Q, H)``: the context.
    """

    def __init__(
        self, width: int, heads: int, features: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.width, self.heads, self.features = width, heads, features
        self.query, self.key, self.value = (
            keras.layers.Dense(
                width, use_bias=False, name=name, dtype=self.dtype_policy
            )
            for name in ("query", "key", "value")
        )
        if features:
            self.match = keras.layers.Dense(
                heads * features, name="match", dtype=self.dtype_policy
            )

    def build(self, query_shape: tuple[int | None, ...]) -> None:
        match = (self.match,) if self.features else ()
        for projection in (self.query, self.key, self.value, *match):
            projection.build((None, None, self.width))

    def project(self, encoder_states: KerasTensor) -> tuple[KerasTensor, KerasTensor]:
        """Returns keys and values of the encoder states, shape ``(B, S, H)``."""
        keys, values = self.key(encoder_states), self.value(encoder_states)
        return self._split(keys), self._split(values)

    def _split(self, states: KerasTensor) -> KerasTensor:
        shape = (-1, ops.shape(states)[1], self.heads, self.width // self.heads)
        return ops.transpose(ops.reshape(states, shape), (0, 2, 1, 3))  # B, heads, S, d

    def call(
        self,
        query: KerasTensor,
        keys: KerasTensor,
        values: KerasTensor,
        bias: KerasTensor,
        matches: KerasTensor | None = None,
    ) -> KerasTensor:
        size = self.width // self.heads
        queries = self._split(self.query(query)) * size**-0.5
        scores = ops.matmul(queries, ops.transpose(keys, (0, 1, 3, 2)))  # B, heads, Q,S
        scores = scores + bias[:, None, None, :]
        if matches is not None:
            shape = (-1, ops.shape(query)[1], self.heads, self.features)
            by_head = ops.reshape(self.match(query), shape)
            found = ops.cast(matches, by_head.dtype)
            scores = scores + ops.einsum("bqhf,bqsf->bhqs", by_head, found)
        weights = ops.softmax(scores, axis=-1)
        context = ops.transpose(ops.matmul(weights, values), (0, 2, 1, 3))
        return ops.reshape(context, (-1, ops.shape(query)[1], self.width))

    def get_config(self) -> dict[str, Any]:
        own = {"width": self.width, "heads": self.heads, "features": self.features}
        return {**super().get_config(), **own}
