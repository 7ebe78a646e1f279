"""Log-probabilities of given targets."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from headline.engines.base import Engine, SourceBatch, Step
from headline.search.beams import LEAST_LOG_PROB, Doubles
from headline.text.ids import BOS, EOS, Ids


def score_targets(
    engine: Engine[Any],
    sources: SourceBatch,
    targets: Sequence[Ids],
    state: Any = None,
) -> Doubles:
    """Returns the log-probability of one target per article, including EOS.

    Args:
        sources: B articles.
        targets: ids of each target, without BOS and EOS.
        state: the engine's state of the articles, if they are already encoded.
    """
    labels = [np.append(target, EOS).astype(np.int32) for target in targets]
    scores = np.zeros(len(labels))
    state = engine.encode(sources) if state is None else state
    left = parents = np.arange(len(labels), dtype=np.int32)
    tokens = np.full(len(labels), BOS, np.int32)
    for place in range(max(map(len, labels), default=0)):
        wanted = np.array([labels[target][place] for target in left], np.int32)
        step = Step(parents, tokens, num_candidates=1, wanted=wanted[:, None])
        log_probs, _, state = engine.step(state, step)
        scores[left] += np.maximum(log_probs[:, -1], LEAST_LOG_PROB)
        going = np.array([len(labels[target]) > place + 1 for target in left])
        parents = np.flatnonzero(going).astype(np.int32)
        left, tokens = left[going], wanted[going]
    return scores
