"""The replay of given targets: how likely each token was, and where it came from.

Shape letters: S source length, T target length with EOS.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headline.engines.base import IMPOSSIBLE, Floats, SourceBatch
from headline.engines.numpy.engine import NumpyEngine, NumpyState
from headline.engines.numpy.readout import Queries
from headline.engines.rows import RowLayout
from headline.text.ids import BOS, EOS, PAD, Ids


@dataclass(frozen=True)
class Trace:
    """The probability of each token of a target, including EOS, and its parts."""

    log_probs: Floats  # (T,): natural logarithms of generated + copied
    generated: Floats  # (T,): the generated part of the token's probability
    copied: Floats  # (T,): the part copied from the article; 0 without a pointer
    copy: Floats  # (T, S): copied share times copy weight; 0 without a pointer
    attention: Floats  # (T, S): mean over the heads; each row sums to 1


def traces(
    engine: NumpyEngine, source: SourceBatch, targets: Sequence[Sequence[int]]
) -> list[Trace]:
    """Returns a trace for each target of an article.

    Args:
        source: a batch of one article.
        targets: ids without BOS and EOS.
    """
    start = engine.encode(source)
    return [_trace(engine, start, target) for target in targets]


def _trace(engine: NumpyEngine, start: NumpyState, target: Sequence[int]) -> Trace:
    labels, projected = np.array([*target, EOS], np.int32), start.projected
    queries = _replay(engine, start, target)
    features, heads = engine.readout.attend(projected, queries)
    attention = heads[0].mean(axis=0)
    if projected.copying is None:
        every = engine.readout.log_probs(projected, queries, features)
        log_probs = _of_labels(every, labels)
        copied, copy = np.zeros_like(log_probs), np.zeros_like(attention)
        return Trace(log_probs, np.exp(log_probs), copied, copy, attention)
    mixture = engine.readout.mixture(projected, projected.copying, queries, features)
    shares = mixture.shares(labels[:, None], np.arange(len(labels)))
    log_probs, generated, copied = (
        share[:, 0] for share in (shares.log_probs, shares.generated, shares.copied)
    )
    return Trace(log_probs, generated, copied, mixture.copy, attention)


def _replay(engine: NumpyEngine, state: NumpyState, target: Sequence[int]) -> Queries:
    """Returns the decoder's queries at all T steps while it reads BOS and the target.

    The T steps take the place of an article's hypotheses.
    """
    asked: list[Queries] = []
    for token in (BOS, *target):
        queries, state = engine.read(state, np.array([token], np.int32))
        asked.append(queries)
    matches = [one.matches for one in asked if one.matches is not None]
    return Queries(
        RowLayout(np.zeros(len(asked), np.intp)),
        np.concatenate([one.outputs for one in asked]),
        np.concatenate(matches) if matches else None,
    )


def _of_labels(values: Floats, labels: Ids) -> Floats:
    """Returns the label's value in each row of (T, V); -inf for a label past V."""
    known = labels < values.shape[1]
    found = values[np.arange(len(labels)), np.where(known, labels, PAD)]
    return np.where(known, found, np.float32(IMPOSSIBLE))
