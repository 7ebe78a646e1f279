"""The seam between the search and whatever runs the model."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from headline.text.ids import Ids

Floats = NDArray[np.float32]

State = TypeVar("State")

IMPOSSIBLE = float("-inf")
TINY = np.float32(1e-38)  # the least probability that has a logarithm


@dataclass(frozen=True)
class SourceBatch:
    """B articles, as an engine reads them."""

    source_ids: Ids  # (B, S): what is embedded; PAD at the end of a row
    # (B, S): what the pointer writes. The same, but tokens outside the generable vocab
    # have ids of their own.
    copy_ids: Ids
    condition: Ids | None = None  # (B,): what to write by beside the article: a style

    def __post_init__(self) -> None:
        shape = self.source_ids.shape
        assert self.copy_ids.shape == shape
        assert self.condition is None or self.condition.shape == shape[:1]

    def __len__(self) -> int:
        """B, the number of articles."""
        return len(self.source_ids)


def refuse_condition(sources: SourceBatch) -> None:
    """Refuses conditions in the name of a network that reads none.

    Raises:
        ValueError: there are some, and they would have no effect.
    """
    if sources.condition is not None:
        raise ValueError("the network reads no condition, such as a style")


@dataclass(frozen=True)
class Step:
    """What each of R rows reads at a step, and what it asks for."""

    # (R,): the row of the state that each new row continues. An article whose rows
    # nobody continues is dropped.
    parents: Ids
    # (R,): the token that each new row reads: BOS at first. PAD where a row is dead:
    # what comes back for it means nothing, an engine may leave it out, and no row
    # continues it.
    tokens: Ids
    num_candidates: int  # M, how many tokens besides EOS to return for each row
    # (R, W): tokens to return for each row however unlikely; PAD where a row wants
    # fewer.
    wanted: Ids | None = None


class Engine(Protocol[State]):
    """Runs a model one decoding step at a time; keeps its state where it likes.

    The rows that belong to one article lie beside each other, and at any step every
    article that is left has as many rows as the others; some may be dead, but not all
    of an article. What an article's rows share (keys, values, the source itself) is
    kept once.
    """

    def encode(self, sources: SourceBatch) -> State:
        """Reads B articles.

        Returns:
            a state of B rows, one for each article, before BOS.

        Raises:
            ValueError: there is a condition that the network does not read.
        """
        ...

    def step(self, state: State, step: Step) -> tuple[Floats, Ids, State]:
        """Reads one token for each of R rows and says what may come next.

        Args:
            state: of the step before, which stays as it was.

        Returns:
            log-probabilities and ids, both of shape ``(R, 1 + M + W)``: EOS in column
            0, then the best M other tokens, best first, equal ones by id, then the
            wanted ones. PAD, UNK and BOS are never among the M; where there are too
            few tokens, the columns left have the log-probability -inf, and so has a
            wanted token that the row cannot write. And the new state, of R rows.
        """
        ...
