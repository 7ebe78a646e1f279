"""The decoder: reads a target, all at once or token by token.

Shape letters: B batch, K hypotheses per source in search, T target steps, S source
length, V vocab size, H width.
"""

from typing import Any, NamedTuple

import keras
from keras import KerasTensor, ops

from headline.network.embedding import TokenEmbedding
from headline.network.matches import match_features, match_runs, next_match_runs
from headline.network.recurrence import Recurrence
from headline.network.styles.tables import StyleTables
from headline.network.weights import decoder_norms
from headline.settings.model import NORM_EPSILON, ModelConfig
from headline.text.ids import UNK

State = list[tuple[KerasTensor, KerasTensor]]


class Condition(NamedTuple):
    """What changes how the decoder reads, besides its state and its input."""

    # (B, H), for a ``ConditionalNorm``: see ``Decoder.pooled``; None without one.
    pooled: KerasTensor | None = None
    # (B,): int, the style of each row, -1 for none; None: no row has a style.
    style: KerasTensor | None = None


class Decoder:
    """LSTMs over the target, and the matches of the target in the source.

    Args:
        policy: dtype policy of the model.
    """

    def __init__(
        self,
        config: ModelConfig,
        embedding: TokenEmbedding,
        policy: keras.DTypePolicy,
    ) -> None:
        self.config, self.embedding = config, embedding
        layers = range(config.decoder_layers)
        names = decoder_norms(config)
        self.norms = [_norm(config, name, policy) for name in names]
        self.lstms = [
            Recurrence(config.width, name=f"decoder_{i}", dtype=policy) for i in layers
        ]
        self.tables = None
        if config.styles:
            self.tables = StyleTables(
                config.styles, config.width, names, name="styles", dtype=policy
            )

    @property
    def layers(self) -> list[keras.layers.Layer]:
        """Returns the layers in the order in which checkpoints number them."""
        tables = [] if self.tables is None else [self.tables]
        return [*self.norms, *self.lstms, *tables]

    def build(self) -> None:
        """Creates the weights."""
        for layer in self.layers:
            layer.build((None, None, self.config.width))

    def pooled(self, states: KerasTensor, bias: KerasTensor) -> KerasTensor:
        """Returns the input of each ``ConditionalNorm``, shape ``(B, H)``.

        Args:
            states: encoder states, shape ``(B, S, H)``.
            bias: from ``attention_bias``, shape ``(B, S)``.
        """
        return ops.max(states + bias[:, :, None], axis=1)

    def read(
        self,
        decoder_input: KerasTensor,
        condition: Condition,
        strength: KerasTensor | None = None,
    ) -> KerasTensor:
        """Reads a whole target at once (teacher forcing).

        Args:
            decoder_input: int, shape ``(B, T)``, below V: BOS + target.
            condition: of each row.
            strength: strength of the dropout, 0 to 1; None drops nothing.

        Returns:
            the outputs, float, shape ``(B, T, H)``.
        """
        dropout, shares = self.embedding.dropout, self._shares(condition)
        seen = self.embedding.token_dropout(decoder_input, strength)
        outputs = dropout(self._embedded(seen, shares), strength)
        for index, lstm in enumerate(self.lstms):
            outputs = lstm(self._normed(index, outputs, condition, shares))
            outputs = dropout(outputs, strength)
        return self._normed(-1, outputs, condition, shares)

    def matches(self, labels: KerasTensor, copy_ids: KerasTensor) -> KerasTensor | None:
        """Returns ``match_features`` of whole targets, or None if the network has none.

        Args:
            labels: int, shape ``(B, T)``: target + EOS.
            copy_ids: int, shape ``(B, S)``: the source, in which each step is matched.

        Returns:
            shape ``(B, T, S, match_length + 1)``.
        """
        most = self.config.match_length
        if not most:
            return None
        return match_features(*match_runs(labels, copy_ids, most), most)

    def initial_state(self, rows: int, source_length: int) -> State:
        """Returns the state before BOS.

        It holds (h, c) of each layer, each ``(rows, H)``. With a ``match_length``, the
        last item is a pair as ``match_runs`` returns it, each ``(rows, S)``.
        """
        dtype = self.lstms[0].compute_dtype
        zeros = ops.zeros((rows, self.config.width), dtype=dtype)
        state = [(zeros, zeros) for _ in self.lstms]
        if self.config.match_length:
            shape = rows, source_length
            state.append((ops.zeros(shape, "int32"), ops.zeros(shape, "bool")))
        return state

    def step(
        self,
        state: State,
        tokens: KerasTensor,
        copy_ids: KerasTensor | None,
        condition: Condition,
    ) -> tuple[KerasTensor, KerasTensor | None, State]:
        """Reads one token for each of the K hypotheses of each source.

        Args:
            state: as ``initial_state`` returns it, for B K rows.
            tokens: int, shape ``(B, K)``; ids as in ``copy_ids``.
            copy_ids: int, shape ``(B, S)``; only needed with a ``match_length``.
            condition: of each source.

        Returns:
            the outputs, ``(B, K, H)``; ``match_features``,
            ``(B, K, S, match_length + 1)``, or None; and the new state.
        """
        queries, shares = ops.shape(tokens)[1], self._shares(condition)
        known = ops.where(tokens < self.config.vocab_size, tokens, UNK)
        outputs, new_state = self._embedded(known, shares), []
        for index, lstm in enumerate(self.lstms):
            normed = self._normed(index, outputs, condition, shares)
            rows = ops.reshape(normed, (-1, self.config.width))
            output, memory = lstm.cell(rows, list(state[index]))
            new_state.append(tuple(memory))
            outputs = ops.reshape(output, (-1, queries, self.config.width))
        matches = None
        if self.config.match_length:
            runs = self._next_runs(state[-1], tokens, copy_ids)
            new_state.append(runs)
            features = match_features(*runs, self.config.match_length)
            shape = -1, queries, *ops.shape(features)[1:]
            matches = ops.reshape(features, shape)
        return self._normed(-1, outputs, condition, shares), matches, new_state

    def _next_runs(
        self,
        runs: tuple[KerasTensor, KerasTensor],
        tokens: KerasTensor,
        copy_ids: KerasTensor,
    ) -> tuple[KerasTensor, KerasTensor]:
        rows = ops.repeat(copy_ids, ops.shape(tokens)[1], axis=0)
        token = ops.reshape(tokens, (-1,))
        return next_match_runs(*runs, token, rows, self.config.match_length)

    def _shares(self, condition: Condition) -> KerasTensor | None:
        """Returns ``StyleTables.shares``, (B, K); None if no row has a style."""
        if condition.style is None:
            return None
        if self.tables is None:
            raise ValueError("the network reads no condition, such as a style")
        return self.tables.shares(condition.style)

    def _embedded(self, tokens: KerasTensor, shares: KerasTensor | None) -> KerasTensor:
        """Returns what the decoder reads of tokens, (B, T, H)."""
        values = self.embedding.look_up(tokens)
        if self.tables is None or shares is None:
            return values
        return self.tables(values, shares)

    def _normed(
        self,
        index: int,
        values: KerasTensor,
        condition: Condition,
        shares: KerasTensor | None,
    ) -> KerasTensor:
        norm, pooled = self.norms[index], condition.pooled
        values = norm(values) if pooled is None else norm(values, condition=pooled)
        if self.tables is None or shares is None:
            return values
        return self.tables.norms[index](values, shares)


def _norm(
    config: ModelConfig, name: str, policy: keras.DTypePolicy
) -> keras.layers.Layer:
    if config.conditional_norm:
        return ConditionalNorm(config.width, name=name, dtype=policy)
    return keras.layers.LayerNormalization(
        epsilon=NORM_EPSILON, name=name, dtype=policy
    )


@keras.saving.register_keras_serializable(package="headline")
class ConditionalNorm(keras.layers.Layer):
    """LayerNorm whose scale and shift are computed from a condition.

    ``norm(values) * (1 + gamma(condition)) + beta(condition)``, where gamma and beta
    are two-layer networks whose hidden layer has a quarter of the width.

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
