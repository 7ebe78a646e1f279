"""Custom Keras layers and masks, in ``keras.ops`` only; they know nothing of text.

Shape letters: B batch, Q queries (target steps in training, hypotheses in search),
S source length, V vocab size, H width.
"""

from typing import Any

import keras
from keras import KerasTensor, ops

from headline.network.dropout import Dropout
from headline.network.recurrence import Recurrence
from headline.settings.model import BIGRAM_FACTOR, NORM_EPSILON
from headline.text.ids import EOS

# Of embeddings, under mixed precision too: the gradient of one is the sum of all that
# its token gets in a batch, which bfloat16 adds up slowly and hardly at all.
EMBEDDED = "float32"


def lowest(dtype: str) -> float:
    """Returns a finite number that a softmax over ``dtype`` turns into 0.

    Finite, for a row that is all padding would turn -inf into NaN in the softmax, and
    one NaN spoils the loss of the whole batch. float16 ends at 65504.
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


def match_runs(
    tokens: KerasTensor, copy_ids: KerasTensor, most: int
) -> tuple[KerasTensor, KerasTensor]:
    """Looks for what has been written last in the source, at every step of a target.

    Args:
        tokens: int, shape ``(B, T)``: the target; ids as in ``copy_ids``.
        copy_ids: int, shape ``(B, S)``: the source, PAD at the end.
        most: the longest run that counts.

    Returns:
        int32, ``(B, T, S)``: how many tokens before the step, at most ``most``, are
        those before the position; and bool, ``(B, T, S)``: whether the position's own
        token is in the target before the step.
    """
    holds = _holds(tokens, copy_ids)
    before = _moved(holds, 1)
    run = found = before
    for _ in range(most - 1):
        run = before * _moved(run, 1)
        found = found + run
    return found, _moved(ops.cumsum(holds, axis=1), 0) > 0


def next_match_runs(
    run: KerasTensor,
    written: KerasTensor,
    token: KerasTensor,
    copy_ids: KerasTensor,
    most: int,
) -> tuple[KerasTensor, KerasTensor]:
    """Makes of ``match_runs`` of one step, each ``(R, S)``, that of the next.

    Args:
        token: int, shape ``(R,)``: what is written at the step.
        copy_ids: int, shape ``(R, S)``: the source of each row.
    """
    holds = _holds(token[:, None], copy_ids)[:, 0]
    before, longer = (
        ops.pad(values[:, :-1], ((0, 0), (1, 0))) for values in (holds, run + 1)
    )
    longest = ops.minimum(longer, most)
    return before * longest, ops.logical_or(written, holds > 0)


def match_features(run: KerasTensor, written: KerasTensor, most: int) -> KerasTensor:
    """Returns 0 or 1, float32, for each n up to ``most`` whether the run is as long,
    and last whether the token has been written: shape ``(..., most + 1)``."""
    features = [*(run >= length for length in range(1, most + 1)), written]
    return ops.cast(ops.stack(features, axis=-1), "float32")


def _holds(tokens: KerasTensor, copy_ids: KerasTensor) -> KerasTensor:
    """Returns 1, int32, where a source position holds a token: (B, T), (B, S) to
    (B, T, S)."""
    same = ops.equal(tokens[:, :, None], copy_ids[:, None, :])
    return ops.cast(ops.logical_and(same, copy_ids[:, None, :] > EOS), "int32")


def _moved(values: KerasTensor, positions: int) -> KerasTensor:
    """Moves (B, T, S) values on by a step and by positions; what comes in is 0."""
    kept = values[:, :-1, : ops.shape(values)[2] - positions]
    return ops.pad(kept, ((0, 0), (1, 0), (positions, 0)))


@keras.saving.register_keras_serializable(package="headline")
class BigramEmbedding(keras.layers.Layer):
    """Embeds each position's two pairs of neighbours: with the one before and after.

    A character says little of its word; its neighbours say more, and at once. Pairs
    share their embeddings by hash, as the n-grams of Bojanowski et al. 2017, sec. 3.2;
    bigram embeddings for Chinese are of Pei, Ge and Chang 2014.

    Args:
        buckets: embeddings of pairs.
        width: H.
        dropout: share of the pairs that a training does not read: they are learned by
            heart soonest, and all of a pair goes, not some of its values.

    Call arguments:
        source_ids: int, shape ``(B, S)``, below V.
        strength: of the dropout, 0 to 1; None drops nothing.

    Returns:
        float, shape ``(B, S, H)``: the sum of both embeddings.
    """

    def __init__(
        self, buckets: int, width: int, dropout: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.buckets, self.width = buckets, width
        self.dropout = Dropout(
            dropout, (None, None, 1), name="dropout", dtype=self.dtype_policy
        )
        # From nothing: at first a model reads single characters.
        self.pairs = keras.layers.Embedding(
            buckets, width, "zeros", name="pairs", dtype=EMBEDDED
        )

    def build(self, ids_shape: tuple[int | None, ...]) -> None:
        self.pairs.build(ids_shape)

    def call(
        self, source_ids: KerasTensor, strength: KerasTensor | None = None
    ) -> KerasTensor:
        ids = ops.pad(ops.cast(source_ids, "int32"), ((0, 0), (1, 1)))
        # Of each gap, those at both ends included.
        keys = ops.mod(ids[:, :-1] * BIGRAM_FACTOR + ids[:, 1:], self.buckets)
        # Looked up twice: cutting what is looked up once has a slower gradient.
        before, after = self.pairs(keys[:, :-1]), self.pairs(keys[:, 1:])
        before = self.dropout(before, strength=strength)
        return before + self.dropout(after, strength=strength)

    def get_config(self) -> dict[str, Any]:
        own = {"buckets": self.buckets, "width": self.width}
        return {**super().get_config(), **own, "dropout": self.dropout.rate}


@keras.saving.register_keras_serializable(package="headline")
class BidirectionalLSTM(keras.layers.Layer):
    """Two LSTMs over the source, one from each end, side by side.

    Padding stands at the end of a row: what the forward LSTM does there is cut off by
    the mask, and the backward one lets nothing of it in. So more padding changes
    nothing. The Keras ``Bidirectional`` wrapper is not used, since it imports
    TensorFlow under every backend.

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


@keras.saving.register_keras_serializable(package="headline")
class ConditionalNorm(keras.layers.Layer):
    """LayerNorm whose scale and shift are written by a condition.

    ``norm(values) * (1 + gamma(condition)) + beta(condition)``, where gamma and beta
    are two-layer networks of a quarter of the width.

    Call arguments:
        values: float, shape ``(B, Q, H)``.
        condition: float, shape ``(B, H)``: here the max-pooled encoder states.

    Returns:
        float, shape ``(B, Q, H)``.

    Reference: J. Su, 2018, https://kexue.fm/archives/5861, after Chen et al. 2018,
    "On Self Modulation for Generative Adversarial Networks".
    """

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width
        policy = self.dtype_policy
        self.norm = keras.layers.LayerNormalization(
            epsilon=NORM_EPSILON, center=False, scale=False, name="norm", dtype=policy
        )
        self.modulators = {
            name: (
                keras.layers.Dense(
                    max(1, width // 4), "relu", name=f"{name}_hidden", dtype=policy
                ),
                keras.layers.Dense(width, name=f"{name}_output", dtype=policy),
            )
            for name in ("beta", "gamma")
        }

    def build(self, values_shape: tuple[int | None, ...]) -> None:
        self.norm.build(values_shape)
        for hidden, output in self.modulators.values():
            hidden.build((None, self.width))
            output.build((None, hidden.units))

    def call(self, values: KerasTensor, condition: KerasTensor) -> KerasTensor:
        beta, gamma = (
            output(hidden(condition))[:, None, :]
            for hidden, output in (self.modulators["beta"], self.modulators["gamma"])
        )
        return self.norm(values) * (1 + gamma) + beta

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width}


@keras.saving.register_keras_serializable(package="headline")
class MultiHeadAttention(keras.layers.Layer):
    """Scaled dot-product attention whose keys and values are computed once a source.

    ``softmax(q k / sqrt(d)) v`` for each of the heads, put side by side again; no bias
    and no output projection (J. Su 2018; Vaswani et al. 2017, sec. 3.2.2).

    Call arguments:
        query: float, shape ``(B, Q, H)``.
        keys, values: float, shape ``(B, heads, S, H / heads)``, from ``project``.
        bias: float, shape ``(B, S)``, from ``attention_bias``.
        matches: float, shape ``(B, Q, S, features)``: what to add to each head's scores
            by weights that the query says; or None.

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
class OutputLayer(keras.layers.Dense):
    """A dense layer of which only some columns may be worked out.

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
class Pointer(keras.layers.Layer):
    """Scores each source position for copying, and how much to copy at all.

    ``P(w) = g softmax(logits)[w] + (1 - g) sum over s with source[s] = w of copy[s]``,
    where ``copy`` is the softmax of the scores and ``g`` the sigmoid of the gate.

    Call arguments:
        features: float, shape ``(B, Q, 2 H)``: decoder outputs beside their context.
        keys: float, shape ``(B, S, H)``, from ``project``.
        bias: float, shape ``(B, S)``, from ``attention_bias``.
        matches: float, shape ``(B, Q, S, features)``: what to add to the scores by
            weights that the query's features say; or None.

    Returns:
        float, shape ``(B, Q, S)``, the scores of the source positions, and float,
        shape ``(B, Q)``, the gate before its sigmoid.

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
