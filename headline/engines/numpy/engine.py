"""The engine that runs a bundle with NumPy: it wires the parts and tracks the rows.

Shape letters: B articles, R rows, one for each live hypothesis, H width.
"""

from copy import copy as shallow_copy
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from headline.engines.base import (
    IMPOSSIBLE,
    Floats,
    SourceBatch,
    Step,
    check_condition,
)
from headline.engines.numpy.decoder import Articles, Condition, Decoder, Memory
from headline.engines.numpy.encoder import Encoder
from headline.engines.numpy.layers import LOWEST
from headline.engines.numpy.readout import Projected, Queries, Readout, Wanted
from headline.engines.rows import RowLayout
from headline.network.weights import Weights
from headline.settings.model import ModelConfig
from headline.text.ids import PAD, Ids


@dataclass(frozen=True)
class NumpyState:
    """The encoded articles, and the article and decoder memory of each live row."""

    projected: Projected
    condition: Condition
    rows: RowLayout
    places: Ids  # for each row of the search, its index among the R live rows
    memory: Memory
    doubts: Floats | None = None  # (rows of the search, 2), if the step kept them


class NumpyEngine:
    """Runs the weights of a bundle.

    Args:
        config: config of the network.
        weights: its weights, float32 arrays by the names of ``weight_specs``. The
            caller has checked them.
        shortlist: number of most frequent tokens that a pointer model may write besides
            the tokens of the article; 0 for the whole vocab, as in training.
    """

    def __init__(
        self, config: ModelConfig, weights: Weights, shortlist: int = 0
    ) -> None:
        self.config = config
        self.encoder = Encoder(config, weights)
        self.decoder = Decoder(config, weights)
        self.readout = Readout(config, weights, shortlist)

    def without_shortlist(self) -> "NumpyEngine":
        """Returns an engine on the same arrays that uses the whole vocab."""
        engine = shallow_copy(self)
        engine.readout = self.readout.without_shortlist()
        return engine

    def encode(self, sources: SourceBatch) -> NumpyState:
        check_condition(sources.condition, self.config.styles)
        mask = sources.source_ids.T != PAD
        bias = np.where(mask.T, np.float32(0), LOWEST)
        states = self.encoder.read(sources.source_ids, mask)
        articles = np.arange(len(sources))
        return NumpyState(
            self.readout.project(states, bias, sources),
            Condition(self.decoder.pooled(states, bias), sources.condition),
            RowLayout(articles),
            articles.astype(np.int32),
            self.decoder.start(sources.copy_ids),
        )

    def branch(
        self, state: NumpyState, articles: Ids, condition: Ids | None = None
    ) -> NumpyState:
        check_condition(condition, self.config.styles)
        chosen, rows = articles.astype(np.intp), np.arange(len(articles))
        return NumpyState(
            state.projected.take(chosen),
            replace(state.condition.take(chosen), style=condition),
            RowLayout(rows),
            rows.astype(np.int32),
            state.memory.take(articles),
        )

    def features(self, state: NumpyState) -> Floats:
        values = state.projected.values  # B, heads, S, H / heads
        real = (state.projected.bias == 0)[:, None, :, None]
        total = np.where(real, values, 0).sum(axis=2) / real.sum(axis=2)
        greatest = np.where(real, values, LOWEST).max(axis=2)
        batch = len(values)
        both = total.reshape(batch, -1), greatest.reshape(batch, -1)
        return np.concatenate(both, axis=1).astype(np.float32)

    def step(self, state: NumpyState, step: Step) -> tuple[Floats, Ids, NumpyState]:
        live = np.flatnonzero(step.tokens != PAD)
        queries, state = self.read(
            _continued(state, step.parents, live), step.tokens[live]
        )
        asked = None if step.wanted is None else step.wanted[live]
        log_probs, ids, doubts = self.readout.best(
            state.projected, queries, Wanted(step.num_candidates, asked, step.doubts)
        )
        if doubts is not None:
            everyone = np.zeros((len(step.tokens), doubts.shape[1]), np.float32)
            everyone[live] = doubts
            state = replace(state, doubts=everyone)
        if len(live) == len(step.tokens):
            return log_probs, ids, state
        shape = len(step.tokens), log_probs.shape[1]
        all_log_probs = np.full(shape, np.float32(IMPOSSIBLE))
        all_ids = np.full(shape, PAD, np.int32)
        all_log_probs[live], all_ids[live] = log_probs, ids
        return all_log_probs, all_ids, state

    def doubts(self, state: NumpyState) -> Floats:
        assert state.doubts is not None  # the step was asked to keep them
        return state.doubts

    def read(self, state: NumpyState, tokens: Ids) -> tuple[Queries, NumpyState]:
        """Reads one token for each of the R rows; returns queries and new state."""
        copying = state.projected.copying
        copy_ids = None if copying is None else copying.ids
        articles = Articles(state.rows, state.condition, copy_ids)
        outputs, memory = self.decoder.read(state.memory, tokens, articles)
        matches = self.decoder.features(memory, state.rows)
        return Queries(state.rows, outputs, matches), replace(state, memory=memory)


def _continued(state: NumpyState, parents: Ids, live: NDArray[np.intp]) -> NumpyState:
    """Selects the live rows, and drops the articles without a live row.

    Args:
        parents: the parent of each row of the search, see ``Step``.
        live: indices of the live rows.
    """
    chosen = state.places[parents[live]]
    articles = state.rows.articles[chosen]
    first = np.ones(len(articles), bool)  # whether a row is the first of its article
    first[1:] = articles[1:] != articles[:-1]
    left, projected, condition = articles[first], state.projected, state.condition
    if len(left) < state.rows.batch:
        projected = projected.take(left)
        condition = condition.take(left)
    places = np.zeros(len(parents), np.int32)
    places[live] = np.arange(len(live))
    rows, memory = RowLayout(first.cumsum() - 1), state.memory.take(chosen)
    return NumpyState(projected, condition, rows, places, memory)
