"""The encoder: reads the source in both directions.

Shape letters: B batch, S source length, V vocab size, H width.
"""

from typing import Any

import keras
from keras import KerasTensor, ops

from headline.network.embedding import BigramEmbedding, TokenEmbedding
from headline.network.recurrence import Recurrence
from headline.settings.model import NORM_EPSILON, ModelConfig


class Encoder:
    """LayerNorm and a bidirectional LSTM over the source, in each layer.

    Args:
        policy: dtype policy of the model.
    """

    def __init__(
        self,
        config: ModelConfig,
        embedding: TokenEmbedding,
        policy: keras.DTypePolicy,
    ) -> None:
        self.width, self.embedding = config.width, embedding
        self.bigrams = None
        if config.bigrams:
            self.bigrams = BigramEmbedding(
                config.bigrams,
                config.width,
                config.bigram_dropout,
                name="bigrams",
                dtype=policy,
            )
        layers = range(config.encoder_layers)
        self.norms = [
            keras.layers.LayerNormalization(
                epsilon=NORM_EPSILON, name=f"encoder_norm_{i}", dtype=policy
            )
            for i in layers
        ]
        self.lstms = [
            BidirectionalLSTM(config.width, name=f"encoder_{i}", dtype=policy)
            for i in layers
        ]

    @property
    def layers(self) -> list[keras.layers.Layer]:
        """Returns the layers in the order in which checkpoints number them."""
        bigrams = [] if self.bigrams is None else [self.bigrams]
        return [*bigrams, *self.norms, *self.lstms]

    def build(self) -> None:
        """Creates the weights."""
        if self.bigrams is not None:
            self.bigrams.build((None, None))
        for layer in (*self.norms, *self.lstms):
            layer.build((None, None, self.width))

    def read(
        self,
        source_ids: KerasTensor,
        source_mask: KerasTensor,
        strength: KerasTensor | None = None,
    ) -> KerasTensor:
        """Returns the encoder states, float of shape ``(B, S, H)``.

        Args:
            source_ids: int, shape ``(B, S)``, below V; PAD at the end of a row.
            source_mask: bool, shape ``(B, S)``; true on real characters.
            strength: dropout strength, 0 to 1; None, as in the search, drops nothing.
        """
        dropout = self.embedding.dropout
        seen = self.embedding.token_dropout(source_ids, strength)
        states = self.embedding.look_up(seen)
        if self.bigrams is not None:
            states = states + self.bigrams(seen, strength)
        states = dropout(states, strength)
        for norm, lstm in zip(self.norms, self.lstms, strict=True):
            states = lstm(norm(states), source_mask=source_mask)
            states = dropout(states, strength)
        return states


@keras.saving.register_keras_serializable(package="headline")
class BidirectionalLSTM(keras.layers.Layer):
    """Two LSTMs over the source, a forward and a backward one.

    Padding is at the end of a row. The mask zeroes the outputs of the forward LSTM
    there, and the backward LSTM skips it, so the amount of padding changes nothing. The
    ``Bidirectional`` wrapper of Keras is not used because it imports TensorFlow under
    every backend.

    Call arguments:
        values: float, shape ``(B, S, H)``.
        source_mask: bool, shape ``(B, S)``; true on real characters.

    Returns:
        float, shape ``(B, S, H)``: forward and backward outputs of half the width
        each; zero on padding.
    """

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width
        units, policy = width // 2, self.dtype_policy
        self.forward = Recurrence(units, name="forward", dtype=policy)
        self.backward = Recurrence(units, True, name="backward", dtype=policy)

    def build(self, values_shape: tuple[int | None, ...]) -> None:
        self.forward.build(values_shape)
        self.backward.build(values_shape)

    def call(self, values: KerasTensor, source_mask: KerasTensor) -> KerasTensor:
        directions = (
            self.forward(values),
            self.backward(values, source_mask),
        )
        both = ops.concatenate(directions, axis=-1)
        return both * ops.cast(source_mask, both.dtype)[:, :, None]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width}
