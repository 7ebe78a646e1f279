"""Runs a saved model with NumPy alone: no Keras, no TensorFlow, an instant start.

Shape letters: B articles, R rows, one for each live hypothesis, K the most of an
article, S source length, V vocab size, H width, T target length with EOS.
"""

from collections.abc import Sequence
from copy import copy as shallow_copy
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from headline.engines.base import (
    IMPOSSIBLE,
    Floats,
    Ids,
    SourceBatch,
    Step,
    refuse_condition,
)
from headline.engines.numpy_layers import (
    LOWEST,
    Cell,
    Matches,
    bidirectional_lstm,
    bigram_keys,
    exact_sigmoid,
    log_softmax,
    lstm_step,
    norm,
    product,
    softmax,
)
from headline.engines.numpy_output import (
    Logits,
    Mixture,
    OutputLayer,
    OwnTokens,
    best_columns,
)
from headline.engines.rows import Rows
from headline.network.weights import Weights
from headline.settings.model import LEAKY_SLOPE, ModelConfig
from headline.text.ids import BOS, EOS, PAD, UNK

SIDES = "forward", "backward"


@dataclass(frozen=True)
class Copying:
    """What the pointer keeps of the articles."""

    keys: Floats  # (B, H, S), scaled by 1 / sqrt(H)
    ids: Ids  # (B, S): what each position writes
    own: OwnTokens

    def take(self, articles: NDArray[np.intp]) -> "Copying":
        """Returns the given articles alone."""
        return Copying(self.keys[articles], self.ids[articles], self.own.take(articles))


@dataclass(frozen=True)
class Source:
    """What the rows of an article share; each array begins with the B articles."""

    bias: Floats  # (B, S): 0 on real tokens, LOWEST on padding
    keys: Floats  # (B, heads, H / heads, S), scaled by 1 / sqrt(H / heads)
    values: Floats  # (B, heads, S, H / heads)
    copying: Copying | None
    prior_logits: Floats | None  # (B, V)
    condition: Floats | None  # (B, H)

    def take(self, articles: NDArray[np.intp]) -> "Source":
        """Returns the given articles alone."""
        return Source(
            self.bias[articles],
            self.keys[articles],
            self.values[articles],
            None if self.copying is None else self.copying.take(articles),
            None if self.prior_logits is None else self.prior_logits[articles],
            None if self.condition is None else self.condition[articles],
        )


@dataclass(frozen=True)
class NumpyState:
    """The articles, and of each live row its article and what the decoder remembers."""

    source: Source
    rows: Rows
    places: Ids  # of each row of the search: which of the R it is
    hidden: tuple[Floats, ...]  # of each layer, (R, H)
    cell: tuple[Floats, ...]
    matches: Matches | None  # of what has been written, with a ``match_length``


@dataclass(frozen=True)
class Trace:
    """How the model comes to each token of a target, EOS included."""

    log_probs: Floats  # (T,): natural logarithms of generated + copied
    generated: Floats  # (T,): what the vocab gives to the token's probability
    copied: Floats  # (T,): what its occurrences in the article give; 0 without pointer
    copy: Floats  # (T, S): share copied times copy weight; 0 without pointer
    attention: Floats  # (T, S): mean of the heads; each row sums to 1


class NumpyEngine:
    """Runs the weights of a bundle.

    Args:
        config: the network.
        weights: those of such a network, which whoever reads them has checked:
            float32 arrays by the names of ``model.weight_arrays``.
        shortlist: how many of the most frequent tokens a pointer model may write
            beside those of the article; 0 for all, as the model was trained.
    """

    def __init__(
        self, config: ModelConfig, weights: Weights, shortlist: int = 0
    ) -> None:
        self.config = config
        self.weights = weights
        self.output = OutputLayer.of(
            weights["output/kernel"],
            weights["output/bias"],
            shortlist if config.pointer else 0,
        )
        self._encoder = [
            [Cell.of(weights, f"encoder_{layer}/{side}") for side in SIDES]
            for layer in range(config.encoder_layers)
        ]
        self._decoder = [
            Cell.of(weights, f"decoder_{layer}")
            for layer in range(config.decoder_layers)
        ]

    def without_shortlist(self) -> "NumpyEngine":
        """Returns an engine on the same arrays that looks at all of the vocab."""
        engine = shallow_copy(self)
        kernel, bias = self.output.kernel, self.output.bias
        engine.output = OutputLayer.of(kernel, bias)
        return engine

    # --- encoder -----------------------------------------------------------------

    def encode(self, sources: SourceBatch) -> NumpyState:
        refuse_condition(sources)
        config, weights = self.config, self.weights
        source_ids, copy_ids = sources.source_ids, sources.copy_ids
        # Time comes first up to the last layer: the loop reads a step as a block.
        mask = source_ids.T != PAD
        states = weights["embedding/embeddings"][source_ids.T]
        if config.bigrams:
            states += self._bigrams(source_ids)
        for layer, cells in enumerate(self._encoder):
            values = self._plain_norm(f"encoder_norm_{layer}", states)
            states = bidirectional_lstm(values, mask, *cells)
        zeros = np.zeros((len(source_ids), config.width), np.float32)
        return NumpyState(
            self._source(states, mask, source_ids, copy_ids),
            Rows(np.arange(len(source_ids))),
            np.arange(len(source_ids), dtype=np.int32),
            (zeros,) * config.decoder_layers,
            (zeros,) * config.decoder_layers,
            Matches.none(copy_ids) if config.match_length else None,
        )

    def _bigrams(self, source_ids: Ids) -> Floats:
        """Each position's pairs with both neighbours, (S, B, H)."""
        keys = bigram_keys(source_ids, self.config.bigrams).T
        embedded = self.weights["bigrams/pairs/embeddings"][keys]
        both: Floats = embedded[:-1] + embedded[1:]
        return both

    def _source(
        self, states: Floats, mask: NDArray[np.bool_], source_ids: Ids, copy_ids: Ids
    ) -> Source:
        """Keeps of the encoder states, (S, B, H), what the decoder asks for."""
        config, weights = self.config, self.weights
        bias = np.where(mask.T, np.float32(0), LOWEST)
        keys = self._keys("attention", states, config.width // config.heads)
        values = self._by_head(product(states, weights["attention/value/kernel"]))
        condition = None
        if config.conditional_norm:
            condition = (states + bias.T[:, :, None]).max(axis=0)
        return Source(
            bias,
            keys.reshape(len(keys), config.heads, -1, len(states)),
            np.ascontiguousarray(values.transpose(1, 2, 0, 3)),
            self._copying(states, copy_ids) if config.pointer else None,
            self._prior(source_ids) if config.source_prior else None,
            condition,
        )

    def _by_head(self, values: Floats) -> Floats:
        """Splits the last axis, H, into heads and H / heads."""
        heads = self.config.heads
        return values.reshape(*values.shape[:-1], heads, self.config.width // heads)

    def _copying(self, states: Floats, copy_ids: Ids) -> Copying:
        own = OwnTokens.of(copy_ids, self.output)
        return Copying(self._keys("pointer", states, self.config.width), copy_ids, own)

    def _keys(self, name: str, states: Floats, width: int) -> Floats:
        """The keys of each article, scaled by the width of a query, (B, H, S)."""
        scale = np.float32(width**-0.5)
        kernel: Floats = self.weights[f"{name}/key/kernel"].T * scale
        keys: Floats = kernel @ states.transpose(1, 2, 0)
        return keys

    def _prior(self, source_ids: Ids) -> Floats:
        """Logits that favour the article's characters (J. Su 2018), (B, V)."""
        bag = np.zeros((len(source_ids), self.config.vocab_size), np.float32)
        bag[np.arange(len(source_ids))[:, None], source_ids] = 1
        bag[:, PAD] = 0
        scale = np.exp(self.weights["prior/log_scale"])
        prior: Floats = scale * bag + self.weights["prior/shift"]
        return prior

    # --- decoder -----------------------------------------------------------------

    def step(self, state: NumpyState, step: Step) -> tuple[Floats, Ids, NumpyState]:
        live = np.flatnonzero(step.tokens != PAD)
        state = _continued(state, step.parents, live)
        asked = None if step.wanted is None else step.wanted[live]
        outputs, state = self._decode(state, step.tokens[live])
        log_probs, ids = self._candidates(state, outputs, step.num_candidates, asked)
        if len(live) == len(step.tokens):
            return log_probs, ids, state
        shape = len(step.tokens), log_probs.shape[1]
        all_log_probs = np.full(shape, np.float32(IMPOSSIBLE))
        all_ids = np.full(shape, PAD, np.int32)
        all_log_probs[live], all_ids[live] = log_probs, ids
        return all_log_probs, all_ids, state

    def _decode(self, state: NumpyState, tokens: Ids) -> tuple[Floats, NumpyState]:
        """Each row reads its token; the outputs are (R, H)."""
        embeddings = self.weights["embedding/embeddings"]
        known = np.where(tokens < self.config.vocab_size, tokens, UNK)
        outputs, hidden, cell = embeddings[known], [], []
        for layer in range(self.config.decoder_layers):
            values = self._decoder_norm(layer, outputs, state)
            outputs, memory = self._cell(
                layer, values, state.hidden[layer], state.cell[layer]
            )
            hidden.append(outputs)
            cell.append(memory)
        outputs = self._decoder_norm("last", outputs, state)
        matches = self._extended(state, tokens)
        new = replace(state, hidden=tuple(hidden), cell=tuple(cell), matches=matches)
        return outputs, new

    def _extended(self, state: NumpyState, tokens: Ids) -> Matches | None:
        copying = state.source.copying
        if state.matches is None or copying is None:
            return None
        own = copying.ids[state.rows.articles]
        return state.matches.extended(tokens, own, self.config.match_length)

    def _cell(
        self, layer: int, values: Floats, hidden: Floats, cell: Floats
    ) -> tuple[Floats, Floats]:
        weights = self._decoder[layer]
        gates = values @ weights.kernel
        gates += hidden @ weights.recurrent
        gates += weights.bias
        return lstm_step(gates, cell)

    def _candidates(
        self,
        state: NumpyState,
        outputs: Floats,
        num_candidates: int,
        wanted: Ids | None,
    ) -> tuple[Floats, Ids]:
        """The best next tokens of each row, and the wanted; see ``Engine.step``."""
        copying, matches = state.source.copying, self._features(state)
        features, _ = self._attend(state, outputs, matches)
        if copying is None:
            log_probs = log_softmax(self._logits(state, features).listed())
            return best_columns(log_probs, num_candidates, wanted)
        copy = self._copy(state, copying, features, matches)
        mixture = self._mixture(state, copying, features, copy)
        return mixture.best(num_candidates, wanted)

    def _features(self, state: NumpyState) -> Floats | None:
        """What each position matches, (B K, features, S): see ``Matches``."""
        if state.matches is None:
            return None
        by_article = state.matches.by_article(state.rows)
        return by_article.features(self.config.match_length)

    def _attend(
        self, state: NumpyState, outputs: Floats, matches: Floats | None
    ) -> tuple[Floats, Floats]:
        """Looks into the article: Vaswani et al. 2017, eq. 1.

        Args:
            outputs: of the decoder, which are the queries, (R, H).
            matches: the features of the B K queries, if any.

        Returns:
            each output with its context, (R, 2 H), and the weights of the heads,
            (B, heads, K, S).
        """
        source, rows = state.source, state.rows
        projected = outputs @ self.weights["attention/query/kernel"]
        queries = self._by_head(rows.by_article(projected))
        scores = queries.transpose(0, 2, 1, 3) @ source.keys
        scores += source.bias[:, None, None, :]
        if matches is not None:
            by_head = rows.by_article(self._dense("attention/match", outputs))
            by_head = by_head.reshape(len(matches), self.config.heads, -1)
            bonus = (by_head @ matches).reshape(*queries.shape[:3], -1)
            scores += bonus.transpose(0, 2, 1, 3)
        weights = softmax(scores)
        context = (weights @ source.values).transpose(0, 2, 1, 3)
        context = rows.flat(context.reshape(*queries.shape[:2], -1))
        return np.concatenate([outputs, context], axis=1), weights

    def _logits(self, state: NumpyState, features: Floats) -> Logits:
        values = self._dense("hidden", features)
        hidden = np.maximum(values, LEAKY_SLOPE * values)  # leaky ReLU
        return Logits(self.output, state.rows, hidden, state.source.prior_logits)

    def _copy(
        self,
        state: NumpyState,
        copying: Copying,
        features: Floats,
        matches: Floats | None,
    ) -> Floats:
        """The weight of each position if something is copied, (R, S)."""
        rows = state.rows
        queries = rows.by_article(features @ self.weights["pointer/query/kernel"])
        scores: Floats = np.matmul(queries, copying.keys)
        scores += state.source.bias[:, None, :]
        if matches is not None:
            weights = rows.by_article(self._dense("pointer/match", features))
            bonus = weights.reshape(len(matches), 1, -1) @ matches
            scores += bonus.reshape(scores.shape)
        return rows.flat(softmax(scores))

    def _mixture(
        self, state: NumpyState, copying: Copying, features: Floats, copy: Floats
    ) -> Mixture:
        """Mixes vocab and article; ``copy``, (R, S), becomes its share of all."""
        gate = self._dense("pointer/gate", features)
        copy *= exact_sigmoid(-gate)
        logits = self._logits(state, features)
        return Mixture.of(logits, copying.own, exact_sigmoid(gate), copy)

    # --- replay ------------------------------------------------------------------

    def trace(
        self, source: SourceBatch, targets: Sequence[Sequence[int]]
    ) -> list[Trace]:
        """Reads given targets of an article and tells how likely each token was.

        Args:
            source: the article alone.
            targets: ids without BOS and EOS.
        """
        start = self.encode(source)
        return [self._trace(start, target) for target in targets]

    def _trace(self, start: NumpyState, target: Sequence[int]) -> Trace:
        copying, labels = start.source.copying, np.array([*target, EOS], np.int32)
        # The positions of the target take the place of an article's hypotheses.
        state = replace(start, rows=Rows(np.zeros(len(labels), np.intp)))
        outputs, matches = self._replay(start, target)
        features, heads = self._attend(state, outputs, matches)
        attention = heads[0].mean(axis=0)
        if copying is None:
            log_probs = log_softmax(self._logits(state, features).listed())
            log_probs = _of_labels(log_probs, labels)
            copied, copy = np.zeros_like(log_probs), np.zeros_like(attention)
            return Trace(log_probs, np.exp(log_probs), copied, copy, attention)
        copy = self._copy(state, copying, features, matches)
        mixture = self._mixture(state, copying, features, copy)
        shares = mixture.shares(labels[:, None], np.arange(len(labels)))
        log_probs, generated, copied = (
            share[:, 0] for share in (shares.log_probs, shares.generated, shares.copied)
        )
        return Trace(log_probs, generated, copied, copy, attention)

    def _replay(
        self, state: NumpyState, target: Sequence[int]
    ) -> tuple[Floats, Floats | None]:
        """The outputs of the decoder that reads BOS and the target, (T, H), and the
        features of the matches of each position."""
        outputs: list[Floats] = []
        matches: list[Floats] = []
        for token in (BOS, *target):
            output, state = self._decode(state, np.array([token], np.int32))
            outputs.append(output)
            features = self._features(state)
            if features is not None:
                matches.append(features)
        return np.concatenate(outputs), np.concatenate(matches) if matches else None

    # --- layers ------------------------------------------------------------------

    def _plain_norm(self, name: str, values: Floats) -> Floats:
        normed = norm(values)
        normed *= self.weights[f"{name}/gamma"]
        normed += self.weights[f"{name}/beta"]
        return normed

    def _decoder_norm(
        self, layer: int | str, values: Floats, state: NumpyState
    ) -> Floats:
        name = f"decoder_norm_{layer}"
        if state.source.condition is None:
            return self._plain_norm(name, values)
        articles = state.rows.articles
        beta, gamma = (
            self._modulate(f"{name}/{which}", state.source.condition)[articles]
            for which in ("beta", "gamma")
        )
        return norm(values) * (1 + gamma) + beta

    def _modulate(self, name: str, condition: Floats) -> Floats:
        hidden = np.maximum(self._dense(f"{name}_hidden", condition), 0)
        return self._dense(f"{name}_output", hidden)

    def _dense(self, name: str, values: Floats) -> Floats:
        output = product(values, self.weights[f"{name}/kernel"])
        output += self.weights[f"{name}/bias"]
        return output


def _of_labels(values: Floats, labels: Ids) -> Floats:
    """The label's value in each row of (T, V); -inf for one past the vocab."""
    known = labels < values.shape[1]
    found = values[np.arange(len(labels)), np.where(known, labels, PAD)]
    return np.where(known, found, np.float32(IMPOSSIBLE))


def _continued(state: NumpyState, parents: Ids, live: NDArray[np.intp]) -> NumpyState:
    """Goes on with the live rows, and drops the articles that none of them belongs to.

    Args:
        parents: of each row of the search, see ``Engine.step``.
        live: which of these rows are.
    """
    chosen = state.places[parents[live]]
    articles = state.rows.articles[chosen]
    first = np.ones(len(articles), bool)  # of the rows of its article
    first[1:] = articles[1:] != articles[:-1]
    left, source = articles[first], state.source
    if len(left) < state.rows.batch:
        source = source.take(left)
    places = np.zeros(len(parents), np.int32)
    places[live] = np.arange(len(live))
    return NumpyState(
        source,
        Rows(first.cumsum() - 1),
        places,
        tuple(layer[chosen] for layer in state.hidden),
        tuple(layer[chosen] for layer in state.cell),
        None if state.matches is None else state.matches.take(chosen),
    )
