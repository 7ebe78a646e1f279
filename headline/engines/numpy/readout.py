"""The read-out: attends to the article, then scores the vocab and its positions.

Shape letters: B articles, R rows, one for each hypothesis, K the most rows of any
article, S source length, V vocab size, H width.
"""

from copy import copy as shallow_copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headline.engines.base import TINY, Floats, SourceBatch
from headline.engines.numpy.candidates import best_columns
from headline.engines.numpy.layers import dense, log_softmax, product, softmax
from headline.engines.numpy.mixture import Mixture
from headline.engines.numpy.output import Logits, OutputLayer, OwnTokens
from headline.engines.rows import RowLayout
from headline.network.weights import Weights
from headline.settings.model import LEAKY_SLOPE, ModelConfig
from headline.text.ids import PAD, Ids


@dataclass(frozen=True)
class Copying:
    """The encoded articles, as the pointer needs them."""

    keys: Floats  # (B, H, S), scaled by 1 / sqrt(H)
    ids: Ids  # (B, S): the id that each position writes
    own: OwnTokens

    def take(self, articles: NDArray[np.intp]) -> "Copying":
        """Returns the given articles alone."""
        return Copying(self.keys[articles], self.ids[articles], self.own.take(articles))


@dataclass(frozen=True)
class Projected:
    """The encoded articles, as the read-out needs them; the first axis is always B."""

    bias: Floats  # (B, S): 0 on real tokens, LOWEST on padding
    keys: Floats  # (B, heads, H / heads, S), scaled by 1 / sqrt(H / heads)
    values: Floats  # (B, heads, S, H / heads)
    copying: Copying | None
    prior_logits: Floats | None  # (B, V)

    def take(self, articles: NDArray[np.intp]) -> "Projected":
        """Returns the given articles alone."""
        return Projected(
            self.bias[articles],
            self.keys[articles],
            self.values[articles],
            None if self.copying is None else self.copying.take(articles),
            None if self.prior_logits is None else self.prior_logits[articles],
        )


@dataclass(frozen=True)
class Queries:
    """The input of the read-out at a step: decoder outputs and match features."""

    rows: RowLayout
    outputs: Floats  # (R, H)
    matches: Floats | None  # (B K, features, S): see ``Matches``


@dataclass(frozen=True)
class Wanted:
    """What a step returns for each row; see ``Step``."""

    num_candidates: int  # M
    ids: Ids | None  # (R, W)
    doubts: bool


class Readout:
    """Attention, the output layer and, if configured, a pointer or a source prior.

    Args:
        shortlist: see ``NumpyEngine``.
    """

    def __init__(self, config: ModelConfig, weights: Weights, shortlist: int) -> None:
        self.config, self.weights = config, weights
        self.output = OutputLayer.of(
            weights["output/kernel"],
            weights["output/bias"],
            shortlist if config.pointer else 0,
        )

    def without_shortlist(self) -> "Readout":
        """Returns a read-out on the same arrays that uses the whole vocab."""
        readout = shallow_copy(self)
        readout.output = OutputLayer.of(self.output.kernel, self.output.bias)
        return readout

    # --- once per article -------------------------------------------------------------

    def project(self, states: Floats, bias: Floats, sources: SourceBatch) -> Projected:
        """Projects encoder states, (S, B, H), to the arrays that each step needs.

        Args:
            bias: shape ``(B, S)``: 0 on real tokens, LOWEST on padding.
        """
        config = self.config
        keys = self._keys("attention", states, config.width // config.heads)
        values = product(states, self.weights["attention/value/kernel"])
        return Projected(
            bias,
            keys.reshape(len(keys), config.heads, -1, len(states)),
            np.ascontiguousarray(self._by_head(values).transpose(1, 2, 0, 3)),
            self._copying(states, sources.copy_ids) if config.pointer else None,
            self._prior(sources.source_ids) if config.source_prior else None,
        )

    def _by_head(self, values: Floats) -> Floats:
        """Splits the last axis, H, into heads and H / heads."""
        heads = self.config.heads
        return values.reshape(*values.shape[:-1], heads, self.config.width // heads)

    def _copying(self, states: Floats, copy_ids: Ids) -> Copying:
        own = OwnTokens.of(copy_ids, self.output)
        return Copying(self._keys("pointer", states, self.config.width), copy_ids, own)

    def _keys(self, name: str, states: Floats, width: int) -> Floats:
        """Returns the keys of each article, scaled by 1 / sqrt(width), (B, H, S)."""
        scale = np.float32(width**-0.5)
        kernel: Floats = self.weights[f"{name}/key/kernel"].T * scale
        keys: Floats = kernel @ states.transpose(1, 2, 0)
        return keys

    def _prior(self, source_ids: Ids) -> Floats:
        """Returns logits that favour the article's characters (J. Su 2018), (B, V)."""
        bag = np.zeros((len(source_ids), self.config.vocab_size), np.float32)
        bag[np.arange(len(source_ids))[:, None], source_ids] = 1
        bag[:, PAD] = 0
        scale = np.exp(self.weights["prior/log_scale"])
        prior: Floats = scale * bag + self.weights["prior/shift"]
        return prior

    # --- at each step -----------------------------------------------------------------

    def best(
        self,
        projected: Projected,
        queries: Queries,
        wanted: Wanted,
    ) -> tuple[Floats, Ids, Floats | None]:
        """Returns the best next tokens and the wanted ones; see ``Engine.step``.

        Returns:
            log-probabilities, ids and, if wanted, what ``DoubtEngine.doubts`` returns.
        """
        features, _ = self.attend(projected, queries)
        if projected.copying is None:
            log_probs = self.log_probs(projected, queries, features)
            best = best_columns(log_probs, wanted.num_candidates, wanted.ids)
            certain = np.array([[1, 0]], np.float32).repeat(len(features), axis=0)
            return *best, certain if wanted.doubts else None
        copy = self._copy(projected, projected.copying, queries, features)
        # Before the mixture, which overwrites the weights.
        entropy = collision_entropy(copy) if wanted.doubts else None
        mixture = self._mixture(projected, projected.copying, queries, features, copy)
        doubts = None
        if entropy is not None:
            doubts = np.stack([mixture.gate[:, 0], entropy], axis=1)
        return *mixture.best(wanted.num_candidates, wanted.ids), doubts

    def attend(self, projected: Projected, queries: Queries) -> tuple[Floats, Floats]:
        """Attends to the article: Vaswani et al. 2017, eq. 1.

        Returns:
            features, which are outputs and context joined, (R, 2 H); and the attention
            weights, (B, heads, K, S).
        """
        rows, matches = queries.rows, queries.matches
        asked = queries.outputs @ self.weights["attention/query/kernel"]
        by_head = self._by_head(rows.by_article(asked))
        scores = by_head.transpose(0, 2, 1, 3) @ projected.keys
        scores += projected.bias[:, None, None, :]
        if matches is not None:
            match = dense(self.weights, "attention/match", queries.outputs)
            match = rows.by_article(match)
            match = match.reshape(len(matches), self.config.heads, -1)
            bonus = (match @ matches).reshape(*by_head.shape[:3], -1)
            scores += bonus.transpose(0, 2, 1, 3)
        weights = softmax(scores)
        context = (weights @ projected.values).transpose(0, 2, 1, 3)
        context = rows.flat(context.reshape(*by_head.shape[:2], -1))
        return np.concatenate([queries.outputs, context], axis=1), weights

    def log_probs(
        self, projected: Projected, queries: Queries, features: Floats
    ) -> Floats:
        """Returns log P of every token, (R, V), for a model without a pointer."""
        return log_softmax(self._logits(projected, queries, features).listed())

    def mixture(
        self, projected: Projected, copying: Copying, queries: Queries, features: Floats
    ) -> Mixture:
        """Returns the mixture of vocab and article, for a model with a pointer."""
        copy = self._copy(projected, copying, queries, features)
        return self._mixture(projected, copying, queries, features, copy)

    def _mixture(
        self,
        projected: Projected,
        copying: Copying,
        queries: Queries,
        features: Floats,
        copy: Floats,
    ) -> Mixture:
        gate = dense(self.weights, "pointer/gate", features)
        logits = self._logits(projected, queries, features)
        return Mixture.of(logits, copying.own, gate, copy)

    def _logits(
        self, projected: Projected, queries: Queries, features: Floats
    ) -> Logits:
        values = dense(self.weights, "hidden", features)
        hidden = np.maximum(values, LEAKY_SLOPE * values)  # leaky ReLU
        return Logits(self.output, queries.rows, hidden, projected.prior_logits)

    def _copy(
        self, projected: Projected, copying: Copying, queries: Queries, features: Floats
    ) -> Floats:
        """Returns the weight of each position, given that a token is copied, (R, S)."""
        rows, matches = queries.rows, queries.matches
        asked = rows.by_article(features @ self.weights["pointer/query/kernel"])
        scores: Floats = np.matmul(asked, copying.keys)
        scores += projected.bias[:, None, :]
        if matches is not None:
            weights = rows.by_article(dense(self.weights, "pointer/match", features))
            bonus = weights.reshape(len(matches), 1, -1) @ matches
            scores += bonus.reshape(scores.shape)
        return rows.flat(softmax(scores))


def collision_entropy(weights: Floats) -> Floats:
    """Returns -log of the sum of the squared weights of each row, (R,), at least 0.

    It is Rényi's entropy of order 2, which needs no logarithm for each weight.

    Args:
        weights: shape ``(R, S)``; each row sums to 1.
    """
    squares = np.einsum("rs,rs->r", weights, weights)
    entropy: Floats = np.maximum(-np.log(np.maximum(squares, TINY)), np.float32(0))
    return entropy
