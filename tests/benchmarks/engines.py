"""Engines around an engine, to measure a search without one of its measures."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from headline.engines.base import IMPOSSIBLE, Engine, Floats, Ids
from headline.text.tokenizer import EOS


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

    def encode(self, source_ids: Ids, copy_ids: Ids) -> Timed:
        return Timed(self.engine.encode(source_ids, copy_ids), 0)

    def step(
        self,
        state: Timed,
        parents: Ids,
        tokens: Ids,
        num_candidates: int,
        wanted: Ids | None = None,
    ) -> tuple[Floats, Ids, Timed]:
        log_probs, ids, inner = self.engine.step(
            state.inner, parents, tokens, num_candidates, wanted
        )
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

    def encode(self, source_ids: Ids, copy_ids: Ids) -> Crowd:
        rows = np.arange(len(source_ids), dtype=np.int32)
        inner = self.engine.encode(source_ids, copy_ids)
        return Crowd(inner, len(source_ids), 1, rows)

    def step(
        self,
        state: Crowd,
        parents: Ids,
        tokens: Ids,
        num_candidates: int,
        wanted: Ids | None = None,
    ) -> tuple[Floats, Ids, Crowd]:
        origins = state.rows[parents]
        articles = origins // state.beam
        beam = len(parents) // len(np.unique(articles))
        rows = articles * beam + np.arange(len(parents), dtype=np.int32) % beam
        # Whoever is done goes on from its own first row, and nobody looks at it.
        everyone = np.arange(state.articles * beam, dtype=np.int32)
        all_parents = everyone // beam * state.beam
        all_tokens = np.full(len(everyone), EOS, np.int32)
        all_parents[rows], all_tokens[rows] = origins, tokens
        all_wanted = None
        if wanted is not None:
            all_wanted = np.zeros((len(everyone), wanted.shape[1]), np.int32)
            all_wanted[rows] = wanted
        log_probs, ids, inner = self.engine.step(
            state.inner, all_parents, all_tokens, num_candidates, all_wanted
        )
        rows = rows.astype(np.int32)
        return log_probs[rows], ids[rows], Crowd(inner, state.articles, beam, rows)
