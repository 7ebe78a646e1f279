"""The seam between the search and whatever runs the model."""

from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]
Floats = NDArray[np.float32]

State = TypeVar("State")

IMPOSSIBLE = float("-inf")


class Engine(Protocol[State]):
    """Runs a model one decoding step at a time; keeps its state where it likes.

    The rows that belong to one article lie beside each other, and at any step every
    article that is left has as many rows as the others; some may be dead, but not all
    of an article. What an article's rows share (keys, values, the source itself) is
    kept once.
    """

    def encode(self, source_ids: Ids, copy_ids: Ids) -> State:
        """Reads B articles.

        Args:
            source_ids: shape ``(B, S)``, what is embedded; PAD at the end of a row.
            copy_ids: shape ``(B, S)``, what the pointer writes: the same, but with
                ids of their own for tokens outside the generable vocab.

        Returns:
            a state of B rows, one for each article, before BOS.
        """
        ...

    def step(
        self,
        state: State,
        parents: Ids,
        tokens: Ids,
        num_candidates: int,
        wanted: Ids | None = None,
    ) -> tuple[Floats, Ids, State]:
        """Reads one token for each of R rows and says what may come next.

        Args:
            state: of the step before, which stays as it was.
            parents: shape ``(R,)``, the row of ``state`` that each new row continues.
                An article whose rows nobody continues is dropped.
            tokens: shape ``(R,)``, the token that each new row reads: BOS at first. PAD
                where a row is dead: what comes back of it means nothing, an engine may
                leave it out, and no row continues it.
            num_candidates: M, how many tokens besides EOS to return of each row.
            wanted: shape ``(R, W)``, tokens to return of each row however unlikely;
                PAD where a row wants fewer.

        Returns:
            log-probabilities and ids, both of shape ``(R, 1 + M + W)``: EOS in column
            0, then the best M other tokens, best first, equal ones by id, then the
            wanted ones. PAD, UNK and BOS are never among the M; where there are too
            few tokens, the columns left have the log-probability -inf, and so has a
            wanted token that the row cannot write. And the new state, of R rows.
        """
        ...
