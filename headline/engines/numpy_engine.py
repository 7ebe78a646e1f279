"""Runs a saved model with NumPy alone: no Keras, no TensorFlow, an instant start.

Shape letters: B articles, K hypotheses of each, R = B K rows, S source length,
V vocab size, H width, O an article's own tokens outside the vocab, T target length with
EOS.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from headline.config import LEAKY_SLOPE, ModelConfig
from headline.engines.base import IMPOSSIBLE, Floats, Ids
from headline.engines.numpy_layers import (
    LOWEST,
    CopyPlan,
    Matches,
    best_columns,
    bigram_keys,
    exact_sigmoid,
    log_softmax,
    lstm_gates,
    lstm_loop,
    norm,
    reverse_positions,
    softmax,
    take_positions,
)
from headline.tokenizer import BOS, EOS, PAD, UNK
from headline.weights import Weights, check_weights

TINY = np.float32(1e-38)  # log of it is finite in float32


@dataclass(frozen=True)
class Copying:
    """What the pointer keeps of the articles."""

    keys: Floats  # (B, H, S), scaled by 1 / sqrt(H)
    ids: Ids  # (B, S): what each position writes
    plan: CopyPlan

    def take(self, articles: NDArray[np.intp]) -> "Copying":
        """Returns the given articles alone."""
        return Copying(
            self.keys[articles], self.ids[articles], self.plan.take(articles)
        )


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
    """The articles, and of each row its article and what the decoder remembers."""

    source: Source
    articles: NDArray[np.intp]  # (R,): the row's article
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
        weights: float32 arrays by the names of ``model.weight_arrays``.

    Raises:
        BundleError: a weight is missing, of another shape, or not finite.
    """

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        check_weights(config, weights)
        self.config = config
        self.weights = weights

    # --- encoder -----------------------------------------------------------------

    def encode(self, source_ids: Ids, copy_ids: Ids) -> NumpyState:
        config, weights = self.config, self.weights
        mask = source_ids != PAD
        states = weights["embedding/embeddings"][source_ids]
        if config.bigrams:
            states = states + self._bigrams(source_ids)
        for layer in range(config.encoder_layers):
            states = self._encoder_layer(layer, states, mask)
        batch = len(source_ids)
        zeros = np.zeros((batch, config.width), np.float32)
        return NumpyState(
            self._source(states, mask, source_ids, copy_ids),
            np.arange(batch),
            (zeros,) * config.decoder_layers,
            (zeros,) * config.decoder_layers,
            Matches.none(copy_ids) if config.match_length else None,
        )

    def _bigrams(self, source_ids: Ids) -> Floats:
        """Each position's pairs with both neighbours, (B, S, H)."""
        keys = bigram_keys(source_ids, self.config.bigrams)
        embedded = self.weights["bigrams/pairs/embeddings"][keys]
        both: Floats = embedded[:, :-1] + embedded[:, 1:]
        return both

    def _encoder_layer(
        self, layer: int, states: Floats, mask: NDArray[np.bool_]
    ) -> Floats:
        """Both directions in one loop over time; (B, S, H) to (B, S, H)."""
        values = self._plain_norm(f"encoder_norm_{layer}", states)
        reverse = reverse_positions(mask)
        sides = ("forward", values), ("backward", take_positions(values, reverse))
        inputs, kernels = [], []
        for name, side in sides:
            prefix = f"encoder_{layer}/{name}/lstm_cell"
            inputs.append(
                side @ self.weights[f"{prefix}/kernel"] + self.weights[f"{prefix}/bias"]
            )
            kernels.append(self.weights[f"{prefix}/recurrent_kernel"])
        # D, S, B, 4 H / 2: the loop reads one step of every row as a block.
        steps = np.ascontiguousarray(np.stack(inputs).transpose(0, 2, 1, 3))
        outputs = lstm_loop(steps, np.stack(kernels)).transpose(0, 2, 1, 3)
        backward = take_positions(outputs[1], reverse)
        both = np.concatenate([outputs[0], backward], axis=-1)
        both *= mask[:, :, None]
        return both

    def _source(
        self, states: Floats, mask: NDArray[np.bool_], source_ids: Ids, copy_ids: Ids
    ) -> Source:
        config, weights = self.config, self.weights
        size = config.width // config.heads
        bias = np.where(mask, np.float32(0), LOWEST)
        keys = self._heads(states @ weights["attention/key/kernel"])
        keys = keys * np.float32(size**-0.5)
        values = self._heads(states @ weights["attention/value/kernel"])
        prior = self._prior(source_ids) if config.source_prior else None
        condition = (states + bias[:, :, None]).max(axis=1)
        return Source(
            bias,
            np.ascontiguousarray(keys.transpose(0, 1, 3, 2)),
            np.ascontiguousarray(values),
            self._copying(states, copy_ids) if config.pointer else None,
            prior,
            condition if config.conditional_norm else None,
        )

    def _copying(self, states: Floats, copy_ids: Ids) -> Copying:
        config = self.config
        keys = states @ self.weights["pointer/key/kernel"]
        keys *= np.float32(config.width**-0.5)
        plan = CopyPlan.of(copy_ids, config.vocab_size)
        return Copying(np.ascontiguousarray(keys.transpose(0, 2, 1)), copy_ids, plan)

    def _heads(self, states: Floats) -> Floats:
        batch, steps, width = states.shape
        heads = self.config.heads
        split: Floats = states.reshape(batch, steps, heads, width // heads)
        return split.transpose(0, 2, 1, 3)

    def _prior(self, source_ids: Ids) -> Floats:
        """Logits that favour the article's characters (J. Su 2018), (B, V)."""
        bag = np.zeros((len(source_ids), self.config.vocab_size), np.float32)
        bag[np.arange(len(source_ids))[:, None], source_ids] = 1
        bag[:, PAD] = 0
        scale = np.exp(self.weights["prior/log_scale"])
        prior: Floats = scale * bag + self.weights["prior/shift"]
        return prior

    # --- decoder -----------------------------------------------------------------

    def step(
        self,
        state: NumpyState,
        parents: Ids,
        tokens: Ids,
        num_candidates: int,
        wanted: Ids | None = None,
    ) -> tuple[Floats, Ids, NumpyState]:
        outputs, state = self._decode(_continue_rows(state, parents), tokens)
        log_probs, ids = self._candidates(state, outputs, num_candidates, wanted)
        if wanted is not None:  # also those that cannot be written keep their ids
            ids[:, ids.shape[1] - wanted.shape[1] :] = wanted
        return log_probs, ids, state

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
        rows = copying.ids[state.articles]
        return state.matches.extended(tokens, rows, self.config.match_length)

    def _cell(
        self, layer: int, values: Floats, hidden: Floats, cell: Floats
    ) -> tuple[Floats, Floats]:
        prefix = f"decoder_{layer}/lstm_cell"
        gates = values @ self.weights[f"{prefix}/kernel"]
        gates += hidden @ self.weights[f"{prefix}/recurrent_kernel"]
        gates += self.weights[f"{prefix}/bias"]
        return lstm_gates(gates, cell)

    def _candidates(
        self,
        state: NumpyState,
        outputs: Floats,
        num_candidates: int,
        wanted: Ids | None,
    ) -> tuple[Floats, Ids]:
        """The best next tokens of each row, and the wanted; see ``Engine.step``."""
        source, rows = state.source, len(outputs)
        queries = outputs.reshape(len(source.bias), -1, self.config.width)  # B, K, H
        features, _ = self._attend(source, queries, state.matches)
        logits = self._logits(source, features)
        if source.copying is None:
            scores = log_softmax(logits).reshape(rows, -1)
            if wanted is not None:
                wanted = np.where(wanted < self.config.vocab_size, wanted, PAD)
            return best_columns(scores, num_candidates, wanted)
        plan, vocab_size = source.copying.plan, self.config.vocab_size
        generated, copy = self._shares(
            source, source.copying, features, logits, state.matches
        )
        probs = _mixture(plan, generated, copy)
        scores = np.log(np.maximum(probs, TINY))
        # An article may have fewer tokens of its own than another of its batch.
        missing = (plan.own_ids == PAD)[:, None, :]
        scores[..., vocab_size:] += np.where(missing, -np.inf, np.float32(0))
        if wanted is not None:
            wanted = plan.columns_of(wanted, vocab_size)
        log_probs, columns = best_columns(
            scores.reshape(rows, -1), num_candidates, wanted
        )
        return log_probs, plan.ids(columns, vocab_size)

    def _attend(
        self, source: Source, queries: Floats, matches: Matches | None
    ) -> tuple[Floats, Floats]:
        """Looks into the article: Vaswani et al. 2017, eq. 1.

        Args:
            queries: shape ``(B, K, H)``.
            matches: of the B K queries, with a ``match_length``.

        Returns:
            each query with its context, (B, K, 2 H), and the weights of the heads,
            (B, heads, K, S).
        """
        projected = self._heads(queries @ self.weights["attention/query/kernel"])
        scores = projected @ source.keys
        scores += source.bias[:, None, None, :]
        if matches is not None:
            by_head = self._dense("attention/match", queries)
            by_head = by_head.reshape(*queries.shape[:2], self.config.heads, -1)
            # heads, B K, features: the heads of a query share its places.
            by_head = by_head.reshape(-1, *by_head.shape[2:]).transpose(1, 0, 2)
            bonus = matches.bonus(by_head)
            bonus = bonus.reshape(len(bonus), *queries.shape[:2], -1)
            scores += bonus.transpose(1, 0, 2, 3)
        weights = softmax(scores)
        context = (weights @ source.values).transpose(0, 2, 1, 3)
        context = context.reshape(queries.shape)
        return np.concatenate([queries, context], axis=-1), weights

    def _logits(self, source: Source, features: Floats) -> Floats:
        hidden = self._dense("hidden", features)
        hidden = np.maximum(hidden, LEAKY_SLOPE * hidden)  # leaky ReLU
        logits = self._dense("output", hidden)
        if source.prior_logits is not None:
            logits += source.prior_logits[:, None, :]
            logits *= np.float32(0.5)
        return logits

    def _shares(
        self,
        source: Source,
        copying: Copying,
        features: Floats,
        logits: Floats,
        matches: Matches | None,
    ) -> tuple[Floats, Floats]:
        """The terms of See et al. 2017, eq. 9: g softmax(logits) and (1 - g) copy.

        Returns:
            what the vocab gives, (B, K, V), and what each position of the article
            gives to its token, (B, K, S).
        """
        gate = self._dense("pointer/gate", features)
        queries = features @ self.weights["pointer/query/kernel"]
        scores: Floats = np.matmul(queries, copying.keys)
        scores += source.bias[:, None, :]
        if matches is not None:
            weights = self._dense("pointer/match", features)
            bonus = matches.bonus(weights.reshape(-1, weights.shape[-1]))
            scores += bonus.reshape(scores.shape)
        copy = softmax(scores)
        copy *= exact_sigmoid(-gate)
        return softmax(logits) * exact_sigmoid(gate), copy

    # --- replay ------------------------------------------------------------------

    def trace(
        self, source_ids: Ids, copy_ids: Ids, targets: Sequence[Sequence[int]]
    ) -> list[Trace]:
        """Reads given targets of one article and tells how likely each token was.

        Args:
            source_ids, copy_ids: shape ``(S,)``, see ``Engine.encode``.
            targets: ids without BOS and EOS.
        """
        start = self.encode(source_ids[None], copy_ids[None])
        return [self._trace(start, copy_ids, target) for target in targets]

    def _trace(self, start: NumpyState, copy_ids: Ids, target: Sequence[int]) -> Trace:
        source, labels = start.source, np.array([*target, EOS], np.int32)
        # The positions of the target take the place of an article's hypotheses.
        queries, matches = self._replay(start, target)
        features, heads = self._attend(source, queries, matches)
        attention = heads[0].mean(axis=0)
        logits = self._logits(source, features)
        if source.copying is None:
            log_probs = _of_labels(log_softmax(logits)[0], labels, IMPOSSIBLE)
            copied, copy = np.zeros_like(log_probs), np.zeros_like(attention)
            return Trace(log_probs, np.exp(log_probs), copied, copy, attention)
        vocab, copy = self._shares(source, source.copying, features, logits, matches)
        generated = _of_labels(vocab[0], labels, 0)
        copied = np.where(copy_ids == labels[:, None], copy[0], 0).sum(axis=1)
        log_probs = np.log(np.maximum(generated + copied, TINY))
        return Trace(log_probs, generated, copied, copy[0], attention)

    def _replay(
        self, state: NumpyState, target: Sequence[int]
    ) -> tuple[Floats, Matches | None]:
        """The outputs of the decoder that reads BOS and the target, (1, T, H), and the
        matches of each position."""
        outputs, matches = [], []
        for token in (BOS, *target):
            output, state = self._decode(state, np.array([token], np.int32))
            outputs.append(output)
            if state.matches is not None:
                matches.append(state.matches)
        return np.stack(outputs, axis=1), Matches.stack(matches) if matches else None

    # --- layers ------------------------------------------------------------------

    def _plain_norm(self, name: str, values: Floats) -> Floats:
        scaled = norm(values) * self.weights[f"{name}/gamma"]
        shifted: Floats = scaled + self.weights[f"{name}/beta"]
        return shifted

    def _decoder_norm(
        self, layer: int | str, values: Floats, state: NumpyState
    ) -> Floats:
        name = f"decoder_norm_{layer}"
        if state.source.condition is None:
            return self._plain_norm(name, values)
        beta, gamma = (
            self._modulate(f"{name}/{which}", state.source.condition)[state.articles]
            for which in ("beta", "gamma")
        )
        return norm(values) * (1 + gamma) + beta

    def _modulate(self, name: str, condition: Floats) -> Floats:
        hidden = np.maximum(self._dense(f"{name}_hidden", condition), 0)
        return self._dense(f"{name}_output", hidden)

    def _dense(self, name: str, values: Floats) -> Floats:
        output: Floats = values @ self.weights[f"{name}/kernel"]
        output += self.weights[f"{name}/bias"]
        return output


def _mixture(plan: CopyPlan, generated: Floats, copy: Floats) -> Floats:
    """P of each token, (B, K, V + O): the generable ones, then the article's own."""
    own = (*generated.shape[:2], plan.own_ids.shape[1])
    probs = np.concatenate([generated, np.zeros(own, np.float32)], axis=-1)
    plan.add(probs, copy)
    return probs


def _of_labels(values: Floats, labels: Ids, missing: float) -> Floats:
    """The label's value in each row of (T, V); ``missing`` for one past the vocab."""
    known = labels < values.shape[1]
    found = values[np.arange(len(labels)), np.where(known, labels, PAD)]
    return np.where(known, found, np.float32(missing))


def _continue_rows(state: NumpyState, parents: Ids) -> NumpyState:
    """Reorders the rows and drops the articles that none of them belongs to."""
    left, articles = np.unique(state.articles[parents], return_inverse=True)
    source = state.source
    if len(left) < len(source.bias):
        source = source.take(left)
    return NumpyState(
        source,
        articles,
        tuple(layer[parents] for layer in state.hidden),
        tuple(layer[parents] for layer in state.cell),
        None if state.matches is None else state.matches.take(parents),
    )
