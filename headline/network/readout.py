"""The read-out: attends to the source, then scores the vocab and source positions.

Shape letters: B batch, Q queries (target steps in training, hypotheses in search),
S source length, V vocab size, C columns of it, H width.
"""

from typing import Any

import keras
from keras import KerasTensor, ops

from headline.network.attention import MultiHeadAttention, attention_bias
from headline.network.dropout import Dropout
from headline.settings.model import LEAKY_SLOPE, ModelConfig
from headline.text.ids import PAD

Tensors = dict[str, KerasTensor]
Columns = tuple[KerasTensor, KerasTensor]


class Readout:
    """Attention, the output layer and, if configured, a pointer or a source prior.

    Args:
        dropout: dropout of the input of the output layer.
        policy: dtype policy of the model.
    """

    def __init__(
        self, config: ModelConfig, dropout: Dropout, policy: keras.DTypePolicy
    ) -> None:
        self.config, self.dropout = config, dropout
        width, features = config.width, config.match_features
        self.attention = MultiHeadAttention(
            width, config.heads, features, name="attention", dtype=policy
        )
        self.hidden = keras.layers.Dense(width, name="hidden", dtype=policy)
        self.output = OutputLayer(config.vocab_size, name="output", dtype=policy)
        self.pointer = self.prior = None
        if config.pointer:
            self.pointer = Pointer(width, features, name="pointer", dtype=policy)
        if config.source_prior:
            self.prior = SourcePrior(name="prior", dtype=policy)
        self.dtype = policy.compute_dtype

    @property
    def layers(self) -> list[keras.layers.Layer]:
        """Returns the layers in the order in which checkpoints number them."""
        others = [one for one in (self.pointer, self.prior) if one is not None]
        return [self.attention, self.hidden, self.output, *others]

    def build(self) -> None:
        """Creates the weights."""
        width, vocab_size = self.config.width, self.config.vocab_size
        self.attention.build((None, None, width))
        self.output.build((None, None, width))
        self.hidden.build((None, None, 2 * width))
        if self.pointer is not None:
            self.pointer.build((None, None, 2 * width))
        if self.prior is not None:
            self.prior.build((None, vocab_size))

    def project(
        self, states: KerasTensor, source_ids: KerasTensor, source_mask: KerasTensor
    ) -> Tensors:
        """Returns the tensors of the source that the read-out needs at each step.

        Args:
            states: encoder states, float, shape ``(B, S, H)``.
            source_ids: int, shape ``(B, S)``, below V; PAD at the end of a row.
            source_mask: bool, shape ``(B, S)``; true on real characters.

        Returns:
            ``bias`` (B, S), ``attention_keys`` and ``attention_values``
            (B, heads, S, H / heads); if configured, also ``copy_keys`` (B, S, H) and
            ``prior_logits`` (B, V).
        """
        keys, values = self.attention.project(states)
        dtype = keras.backend.standardize_dtype(states.dtype)
        projected = {
            "bias": attention_bias(source_mask, dtype),
            "attention_keys": keys,
            "attention_values": values,
        }
        if self.pointer is not None:
            projected["copy_keys"] = self.pointer.project(states)
        if self.prior is not None:
            projected["prior_logits"] = self.prior(self.bag(source_ids))
        return projected

    def bag(self, source_ids: KerasTensor) -> KerasTensor:
        """Returns which tokens occur in the source, 0 or 1, (B, V), for ids (B, S).

        Counts of each (row, id) pair are summed in one flat array of B V segments.
        """
        batch, vocab_size = ops.shape(source_ids)[0], self.config.vocab_size
        rows = ops.arange(batch, dtype="int32")[:, None] * vocab_size
        real = ops.cast(ops.not_equal(source_ids, PAD), "float32")
        segments = ops.reshape(rows + ops.cast(source_ids, "int32"), (-1,))
        counts = ops.segment_sum(ops.reshape(real, (-1,)), segments, batch * vocab_size)
        bag = ops.cast(ops.reshape(counts, (-1, vocab_size)) > 0, "float32")
        return ops.cast(bag, self.dtype)

    def read(
        self,
        projected: Tensors,
        outputs: KerasTensor,
        matches: KerasTensor | None,
        strength: KerasTensor | None = None,
        columns: Columns | None = None,
    ) -> Tensors:
        """Turns decoder outputs, shape ``(B, Q, H)``, into scores of the next token.

        Args:
            projected: what ``project`` returned.
            matches: ``match_features``, shape ``(B, Q, S, match_length + 1)``, if any.
            strength: dropout strength, 0 to 1; None, as in the search, drops nothing.
            columns: ids of the C tokens of the vocab whose logits are computed, and
                what to subtract from these logits, both of shape ``(C,)``; None for
                the whole vocab.

        Returns:
            float32 ``logits`` (B, Q, V), or (B, Q, C); with a pointer also
            ``copy_scores`` (B, Q, S) and ``gate`` (B, Q), before softmax and sigmoid.
        """
        context = self.attention(
            outputs,
            projected["attention_keys"],
            projected["attention_values"],
            projected["bias"],
            matches,
        )
        features = ops.concatenate([outputs, context], axis=-1)
        hidden = ops.leaky_relu(self.hidden(features), negative_slope=LEAKY_SLOPE)
        hidden = self.dropout(hidden, strength)
        scores = {"logits": self._logits(projected, hidden, columns)}
        if self.pointer is not None:
            scores["copy_scores"], scores["gate"] = self.pointer(
                features, projected["copy_keys"], projected["bias"], matches
            )
        # Softmax and its logarithm need float32 under mixed precision.
        return {name: ops.cast(value, "float32") for name, value in scores.items()}

    def _logits(
        self, projected: Tensors, hidden: KerasTensor, columns: Columns | None
    ) -> KerasTensor:
        ids, log_shares = columns or (None, None)
        logits = self.output(hidden, ids)
        if self.prior is not None:
            prior = projected["prior_logits"]
            prior = prior if ids is None else ops.take(prior, ids, axis=1)
            logits = (logits + prior[:, None, :]) / 2
        if log_shares is not None:
            logits = ops.cast(logits, "float32") - log_shares
        return logits


@keras.saving.register_keras_serializable(package="headline")
class OutputLayer(keras.layers.Dense):
    """A dense layer that can compute only some of its columns.

    Call arguments:
        hidden: float, shape ``(B, Q, H)``.
        columns: int, shape ``(C,)``; None for all.

    Returns:
        float, shape ``(B, Q, C)``.
    """

    def call(
        self, hidden: KerasTensor, columns: KerasTensor | None = None
    ) -> KerasTensor:
        if columns is None:
            return super().call(hidden)
        kernel = ops.take(self.kernel, columns, axis=1)
        return ops.matmul(hidden, kernel) + ops.take(self.bias, columns)


@keras.saving.register_keras_serializable(package="headline")
class SourcePrior(keras.layers.Layer):
    """Turns the source's bag of characters into logits that favour copying.

    Computes ``exp(log_scale) * bag + shift`` with one scale and one shift for each
    vocab entry; a fresh layer returns its input unchanged.

    Call arguments:
        bag: float, shape ``(B, V)``; 1.0 where the character occurs in the source,
            else 0.0. Padding must already be left out.

    Returns:
        float, shape ``(B, V)``: logits to average with the decoder's.

    Reference: J. Su, 2018, https://kexue.fm/archives/5861
    """

    def build(self, bag_shape: tuple[int | None, ...]) -> None:
        shape = (bag_shape[-1],)
        self.log_scale = self.add_weight(
            name="log_scale", shape=shape, initializer="zeros"
        )
        self.shift = self.add_weight(name="shift", shape=shape, initializer="zeros")

    def call(self, bag: KerasTensor) -> KerasTensor:
        return ops.exp(self.log_scale) * bag + self.shift


@keras.saving.register_keras_serializable(package="headline")
class Pointer(keras.layers.Layer):
    """Scores each source position for copying, and gates generating against copying.

    ``P(w) = g softmax(logits)[w] + (1 - g) sum over s with source[s] = w of copy[s]``,
    where ``copy`` is the softmax of the scores and ``g`` the sigmoid of the gate.

    Call arguments:
        features: float, shape ``(B, Q, 2 H)``: decoder outputs and context, joined.
        keys: float, shape ``(B, S, H)``, from ``project``.
        bias: float, shape ``(B, S)``, from ``attention_bias``.
        matches: float, shape ``(B, Q, S, features)``, or None: match features that are
            added to the scores, with weights computed from ``features``.

    Returns:
        the scores of the source positions, float, shape ``(B, Q, S)``, and the gate
        before its sigmoid, float, shape ``(B, Q)``.

    Reference: See, Liu and Manning 2017, https://arxiv.org/abs/1704.04368, eq. 8, 9
    """

    def __init__(self, width: int, features: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width, self.features = width, features
        policy = self.dtype_policy
        self.query, self.key = (
            keras.layers.Dense(width, use_bias=False, name=name, dtype=policy)
            for name in ("query", "key")
        )
        self.gate = keras.layers.Dense(1, name="gate", dtype=policy)
        if features:
            self.match = keras.layers.Dense(features, name="match", dtype=policy)

    def build(self, features_shape: tuple[int | None, ...]) -> None:
        self.query.build(features_shape)
        self.key.build((None, None, self.width))
        self.gate.build(features_shape)
        if self.features:
            self.match.build(features_shape)

    def project(self, encoder_states: KerasTensor) -> KerasTensor:
        """Returns the keys of the encoder states, both of shape ``(B, S, H)``."""
        return self.key(encoder_states)

    def call(
        self,
        features: KerasTensor,
        keys: KerasTensor,
        bias: KerasTensor,
        matches: KerasTensor | None = None,
    ) -> tuple[KerasTensor, KerasTensor]:
        queries = self.query(features) * self.width**-0.5
        scores = ops.matmul(queries, ops.transpose(keys, (0, 2, 1))) + bias[:, None, :]
        if matches is not None:
            weights = self.match(features)
            found = ops.cast(matches, weights.dtype)
            scores = scores + ops.einsum("bqf,bqsf->bqs", weights, found)
        return scores, self.gate(features)[..., 0]

    def get_config(self) -> dict[str, Any]:
        own = {"width": self.width, "features": self.features}
        return {**super().get_config(), **own}
