"""Picks the best tokens of each row.

Shape letters: R rows, one for each hypothesis, V vocab size, N tokens to pick from, M
candidates, W wanted tokens.
"""

import numpy as np

from headline.engines.base import IMPOSSIBLE, Floats
from headline.engines.numpy.layers import finite_log
from headline.engines.rows import take_of_rows
from headline.text.ids import EOS, PAD, SPECIAL_TOKENS, Ids

BLOCK = 16  # columns per block, a power of two
BELOW_ANY = np.float32(-1)  # below any probability


def ranked(probs: Floats, ids: Ids, num_candidates: int) -> tuple[Floats, Ids]:
    """Picks the best M tokens of each row, best first, ties by id.

    Args:
        probs: shape ``(R, N)``; a token with a value below 0 is impossible.
        ids: shape ``(R, N)``.

    Returns:
        log-probabilities and ids, both of shape ``(R, M)``; -inf and PAD where there
        are too few tokens.
    """
    most = min(num_candidates, probs.shape[1])
    best = np.argpartition(-probs, most - 1, axis=1)[:, :most]
    probs, ids = take_of_rows(probs, best), take_of_rows(ids, best)
    order = np.lexsort((ids, -probs), axis=1)
    probs, ids = take_of_rows(probs, order), take_of_rows(ids, order)
    log_probs = finite_log(probs)
    log_probs[probs < 0] = IMPOSSIBLE
    missing = ((0, 0), (0, num_candidates - most))
    if not missing[1][1]:
        return log_probs, ids
    return np.pad(log_probs, missing, constant_values=IMPOSSIBLE), np.pad(ids, missing)


def top_columns(values: Floats, most: int) -> Ids:
    """Returns the columns of the ``most`` greatest values of each row, in any order.

    The greatest values are in the ``most`` blocks with the greatest maxima, so only the
    values of those blocks are compared one by one.
    """
    rows, columns = values.shape
    blocks = columns // BLOCK
    if blocks <= 2 * most:
        return np.argpartition(-values, most - 1, axis=1)[:, :most].astype(np.int32)
    # Block j has the columns j, j + blocks, ...: maxima by halving the columns.
    maxima = values[:, : blocks * BLOCK]
    while maxima.shape[1] > blocks:
        half = maxima.shape[1] // 2
        maxima = np.maximum(maxima[:, :half], maxima[:, half:])
    chosen = np.argpartition(-maxima, most - 1, axis=1)[:, :most]
    inside = np.arange(BLOCK)[:, None] * blocks + chosen[:, None, :]
    rest = np.arange(blocks * BLOCK, columns)
    places = np.concatenate(
        [inside.reshape(rows, -1), np.broadcast_to(rest, (rows, len(rest)))], axis=1
    )
    looked_at = take_of_rows(values, places)
    best = np.argpartition(-looked_at, most - 1, axis=1)[:, :most]
    return take_of_rows(places, best).astype(np.int32)


def best_columns(
    log_probs: Floats, num_candidates: int, wanted: Ids | None
) -> tuple[Floats, Ids]:
    """Does what ``Mixture.best`` does, for a model without a pointer.

    Args:
        log_probs: shape ``(R, V)``.
    """
    probs = np.exp(log_probs)
    probs[:, : len(SPECIAL_TOKENS)] = BELOW_ANY
    best = top_columns(probs, min(num_candidates, probs.shape[1]))
    values, ids = ranked(take_of_rows(probs, best), best, num_candidates)
    values = np.where(values > IMPOSSIBLE, take_of_rows(log_probs, ids), values)
    ends, asked = log_probs[:, EOS, None], None
    if wanted is not None:
        there = (wanted >= EOS) & (wanted < probs.shape[1])
        asked = take_of_rows(log_probs, np.where(there, wanted, PAD))
        asked = np.where(there, asked, np.float32(IMPOSSIBLE))
    return beside(ends, (values, ids), asked, wanted)


def beside(
    ends: Floats, best: tuple[Floats, Ids], asked: Floats | None, wanted: Ids | None
) -> tuple[Floats, Ids]:
    """Concatenates the columns of EOS, the best tokens and the wanted ones, if any."""
    log_probs, ids = [ends, best[0]], [np.full(ends.shape, EOS, np.int32), best[1]]
    if asked is not None and wanted is not None:
        log_probs.append(asked)
        ids.append(wanted)
    return np.concatenate(log_probs, axis=1), np.concatenate(ids, axis=1)
