"""The layers of the model in plain NumPy, and the pick of the best tokens.

Shape letters: B articles, K hypotheses of each, R = B K rows, S source length,
V vocab size, H width, D directions (2), U different tokens of an article.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headline.config import BIGRAM_FACTOR, NORM_EPSILON
from headline.engines.base import Floats, Ids
from headline.tokenizer import BOS, EOS, PAD, UNK

LOWEST = np.float32(-1e9)  # a softmax turns it into 0


@dataclass(frozen=True)
class CopyPlan:
    """Where the copy weight of each source position goes.

    With a vocab of 10 and the article ``7 12 7 15``: columns ``7 10 11`` (the two
    tokens outside the vocab take the columns after it), places ``0 1 0 2``, own ids
    ``12 15``. Padding takes the column of PAD, which is never written.
    """

    columns: Ids  # (B, U): the column of each different token of the article
    places: Ids  # (B, S): which of those columns each position adds to
    own_ids: Ids  # (B, O): the ids of the columns V and above

    @classmethod
    def of(cls, copy_ids: Ids, vocab_size: int) -> "CopyPlan":
        """Makes the plan of the articles, ids of shape ``(B, S)``."""
        rows = [np.unique(row, return_inverse=True) for row in copy_ids]
        most = max(len(tokens) for tokens, _ in rows)
        own = max(int((tokens >= vocab_size).sum()) for tokens, _ in rows)
        columns = np.zeros((len(rows), most), np.int32)
        own_ids = np.zeros((len(rows), own), np.int32)
        for row, (tokens, _) in enumerate(rows):
            outside = tokens[tokens >= vocab_size]
            inside = len(tokens) - len(outside)  # np.unique sorts: they come first
            columns[row, :inside] = tokens[:inside]
            columns[row, inside : len(tokens)] = vocab_size + np.arange(len(outside))
            own_ids[row, : len(outside)] = outside
        places = np.stack([places for _, places in rows]).astype(np.int32)
        return cls(columns, places, own_ids)

    def take(self, articles: NDArray[np.intp]) -> "CopyPlan":
        """Returns the plan of the given articles alone."""
        return CopyPlan(
            self.columns[articles], self.places[articles], self.own_ids[articles]
        )

    def add(self, probs: Floats, copy: Floats) -> None:
        """Adds copy weights, shape ``(B, K, S)``, to probs, ``(B, K, V + O)``."""
        (batch, beam, _), distinct = copy.shape, self.columns.shape[1]
        rows = np.arange(batch * beam).reshape(batch, beam, 1) * distinct
        flat = (rows + self.places[:, None, :]).ravel()
        sums = np.bincount(flat, copy.ravel(), minlength=batch * beam * distinct)
        copied = sums.astype(np.float32).reshape(batch, beam, distinct)
        article, hypothesis = np.ogrid[:batch, :beam]
        probs[article[..., None], hypothesis[..., None], self.columns[:, None]] += (
            copied
        )

    def ids(self, columns: Ids, vocab_size: int) -> Ids:
        """Turns columns, shape ``(R, M)``, into ids: own ones past the vocab."""
        if not self.own_ids.shape[1]:
            return columns
        beam = len(columns) // len(self.own_ids)
        places = np.maximum(columns - vocab_size, 0)
        own = np.take_along_axis(np.repeat(self.own_ids, beam, 0), places, axis=1)
        return np.where(columns < vocab_size, columns, own)

    def columns_of(self, ids: Ids, vocab_size: int) -> Ids:
        """Turns ids, shape ``(R, W)``, into columns: PAD's where there is none."""
        beam = len(ids) // len(self.own_ids)
        own_ids = np.repeat(self.own_ids, beam, 0)
        row, place, column = np.nonzero(ids[:, :, None] == own_ids[:, None, :])
        columns = np.where(ids < vocab_size, ids, np.int32(PAD))
        # PAD fills the own ids up, and as a wanted token it stays what it is.
        real = own_ids[row, column] != PAD
        columns[row[real], place[real]] = vocab_size + column[real]
        return columns


@dataclass(frozen=True)
class Matches:
    """What has been written last, looked for in the article; for each of R rows.

    See ``layers.match_runs``; ``layers.match_features`` of both are kept as one number,
    ``2 run + written``, which is the place of their sum in a table.
    """

    run: NDArray[np.int8]  # (R, S): tokens written last that stand before the position
    written: NDArray[np.bool_]  # (R, S): whether the position's token is written

    @classmethod
    def none(cls, copy_ids: Ids) -> "Matches":
        """Before anything is written; ``copy_ids`` are of shape ``(R, S)``."""
        return cls(
            np.zeros(copy_ids.shape, np.int8), np.zeros(copy_ids.shape, np.bool_)
        )

    @classmethod
    def stack(cls, parts: "Sequence[Matches]") -> "Matches":
        """Puts the rows of several below each other."""
        return cls(
            np.concatenate([part.run for part in parts]),
            np.concatenate([part.written for part in parts]),
        )

    def take(self, rows: Ids) -> "Matches":
        """Returns the given rows."""
        return Matches(self.run[rows], self.written[rows])

    def extended(self, tokens: Ids, copy_ids: Ids, most: int) -> "Matches":
        """Each row writes its token, ``(R,)``, beside its article, ``(R, S)``."""
        holds = (copy_ids == tokens[:, None]) & (copy_ids > EOS)
        run = np.zeros_like(self.run)
        longer = np.minimum(self.run[:, :-1] + np.int8(1), np.int8(most))
        run[:, 1:] = np.where(holds[:, :-1], longer, np.int8(0))
        return Matches(run, self.written | holds)

    def bonus(self, weights: Floats) -> Floats:
        """Sums up the weights of each position's features.

        Args:
            weights: shape ``(..., R, most + 1)``: of runs of 1 to ``most``, and last of
                what is written.

        Returns:
            shape ``(..., R, S)``.
        """
        runs = np.cumsum(weights[..., :-1], axis=-1)
        runs = np.concatenate([np.zeros_like(runs[..., :1]), runs], axis=-1)
        table = np.stack([runs, runs + weights[..., -1:]], axis=-1)
        table = table.reshape(*table.shape[:-2], -1)
        places = self.run.astype(np.intp) * 2 + self.written
        shape = (*weights.shape[:-1], places.shape[-1])
        return np.take_along_axis(table, np.broadcast_to(places, shape), axis=-1)


def bigram_keys(source_ids: Ids, buckets: int) -> Ids:
    """Returns the bucket of each gap between neighbours, ends included, (B, S + 1)."""
    ids = np.pad(source_ids, ((0, 0), (1, 1)))
    keys: Ids = (ids[:, :-1] * np.int32(BIGRAM_FACTOR) + ids[:, 1:]) % np.int32(buckets)
    return keys


def best_columns(
    scores: Floats, num_candidates: int, wanted: Ids | None = None
) -> tuple[Floats, Ids]:
    """Picks EOS, the best other columns of each row and the wanted ones.

    Args:
        scores: shape ``(R, C)``, log-probabilities; the first columns are the special
            tokens. Changed in place: the caller gives the array away.
        num_candidates: M; see ``Engine.step``.
        wanted: shape ``(R, W)``, columns to return in any case; PAD's is impossible.

    Returns:
        values and column numbers, both of shape ``(R, 1 + M + W)``.
    """
    scores[:, [PAD, UNK, BOS]] = -np.inf
    first = np.full((len(scores), 1), EOS, np.int32)
    last = first[:, :0] if wanted is None else wanted
    fixed = [np.take_along_axis(scores, columns, axis=1) for columns in (first, last)]
    scores[:, EOS] = -np.inf
    most = min(num_candidates, scores.shape[1])
    best = np.argpartition(-scores, most - 1, axis=1)[:, :most]
    values = np.take_along_axis(scores, best, axis=1)
    order = np.lexsort((best, -values), axis=1)  # equal values by column
    best = np.take_along_axis(best, order, axis=1)
    values = np.take_along_axis(values, order, axis=1)
    missing = ((0, 0), (0, num_candidates - most))
    values = np.pad(values, missing, constant_values=-np.inf)
    columns = np.pad(best.astype(np.int32), missing)
    return (
        np.concatenate([fixed[0], values, fixed[1]], axis=1),
        np.concatenate([first, columns, last], axis=1),
    )


def lstm_loop(inputs: Floats, kernels: Floats) -> Floats:
    """Runs the D directions over time side by side.

    Args:
        inputs: shape ``(D, S, B, 4 h)``, each step's input projection with its bias.
        kernels: shape ``(D, h, 4 h)``, the recurrent kernels.

    Returns:
        shape ``(D, S, B, h)``, the outputs.
    """
    directions, steps, batch, _ = inputs.shape
    units = kernels.shape[1]
    outputs = np.empty((directions, steps, batch, units), np.float32)
    hidden = cell = np.zeros((directions, batch, units), np.float32)
    for step in range(steps):
        hidden, cell = lstm_gates(inputs[:, step] + hidden @ kernels, cell)
        outputs[:, step] = hidden
    return outputs


def lstm_gates(gates: Floats, cell: Floats) -> tuple[Floats, Floats]:
    """One LSTM step from the summed gates, in Keras's order: i, f, c, o."""
    units = cell.shape[-1]
    input_forget = sigmoid(gates[..., : 2 * units])
    new = np.tanh(gates[..., 2 * units : 3 * units])
    cell = input_forget[..., units:] * cell + input_forget[..., :units] * new
    return sigmoid(gates[..., 3 * units :]) * np.tanh(cell), cell


def sigmoid(values: Floats) -> Floats:
    """Returns ``1 / (1 + exp(-values))``."""
    # By tanh, which neither overflows nor warns far from 0.
    halves: Floats = np.tanh(values * np.float32(0.5)) * np.float32(0.5)
    halves += np.float32(0.5)
    return halves


def exact_sigmoid(values: Floats) -> Floats:
    """Returns ``1 / (1 + exp(-values))`` with full precision near 0 as well.

    A probability of 1e-6 must not come out as the rest of one of 0.999999.
    """
    # Past 80 the result is 1 or 1e-35, and exp would overflow.
    return np.float32(1) / (np.float32(1) + np.exp(-np.clip(values, -80, 80)))


def softmax(scores: Floats) -> Floats:
    """Returns the softmax over the last axis."""
    weights: Floats = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return weights


def log_softmax(scores: Floats) -> Floats:
    """Returns the logarithm of the softmax over the last axis."""
    shifted: Floats = scores - scores.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def norm(values: Floats) -> Floats:
    """Returns LayerNorm over the last axis, without scale and shift."""
    centred = values - values.mean(axis=-1, keepdims=True)
    variance = np.square(centred).mean(axis=-1, keepdims=True)
    normed: Floats = centred / np.sqrt(variance + np.float32(NORM_EPSILON))
    return normed


def reverse_positions(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Returns which position to read so that a row's real ones are turned round."""
    positions = np.arange(mask.shape[1])[None, :]
    lengths = mask.sum(axis=1)[:, None]
    return np.where(positions < lengths, lengths - 1 - positions, positions)


def take_positions(values: Floats, positions: NDArray[np.intp]) -> Floats:
    """Returns (B, S, H) values in the order of (B, S) positions."""
    return np.take_along_axis(values, positions[:, :, None], axis=1)
