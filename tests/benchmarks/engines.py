"""Engines around an engine, to measure a search without one of its measures."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from headline.engines.base import IMPOSSIBLE, Engine, Floats, SourceBatch, Step
from headline.text.ids import EOS, Ids


@dataclass(frozen=True)
class Timed:
    """A state, and how many steps it has seen."""

    inner: Any
    steps: int


class FixedSteps:
    """Ends each headline after so many steps, EOS being the last.

    So a model costs the same whatever it was trained on: random weights hardly ever
    end a headline.
    """

    def __init__(self, engine: Engine[Any], steps: int) -> None:
        self.engine = engine
        self.steps = steps

    def encode(self, sources: SourceBatch) -> Timed:
        return Timed(self.engine.encode(sources), 0)

    def step(self, state: Timed, step: Step) -> tuple[Floats, Ids, Timed]:
        log_probs, ids, inner = self.engine.step(state.inner, step)
        steps = state.steps + 1
        log_probs = log_probs.copy()
        if steps < self.steps:
            log_probs[:, 0] = IMPOSSIBLE
        else:
            log_probs[:, 0] = 0
            log_probs[:, 1:] = IMPOSSIBLE
        return log_probs, ids, Timed(inner, steps)


@dataclass(frozen=True)
class Crowd:
    """A state of all articles of a batch, and where the rows of the search stand."""

    inner: Any
    articles: int  # that there were
    beam: int  # rows of each
    rows: Ids  # of the inner state


class Staying:
    """Keeps all articles of a batch to its end, also those with their headline."""

    def __init__(self, engine: Engine[Any]) -> None:
        self.engine = engine

    def encode(self, sources: SourceBatch) -> Crowd:
        rows = np.arange(len(sources), dtype=np.int32)
        return Crowd(self.engine.encode(sources), len(sources), 1, rows)

    def step(self, state: Crowd, step: Step) -> tuple[Floats, Ids, Crowd]:
        origins = state.rows[step.parents]
        articles = origins // state.beam
        beam = len(origins) // len(np.unique(articles))
        rows = articles * beam + np.arange(len(origins), dtype=np.int32) % beam
        # Whoever is done goes on from its own first row, and nobody looks at it.
        everyone = np.arange(state.articles * beam, dtype=np.int32)
        all_parents = everyone // beam * state.beam
        all_tokens = np.full(len(everyone), EOS, np.int32)
        all_parents[rows], all_tokens[rows] = origins, step.tokens
        all_wanted = None
        if step.wanted is not None:
            all_wanted = np.zeros((len(everyone), step.wanted.shape[1]), np.int32)
            all_wanted[rows] = step.wanted
        everything = replace(
            step, parents=all_parents, tokens=all_tokens, wanted=all_wanted
        )
        log_probs, ids, inner = self.engine.step(state.inner, everything)
        rows = rows.astype(np.int32)
        return log_probs[rows], ids[rows], Crowd(inner, state.articles, beam, rows)
