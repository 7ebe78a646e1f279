"""The interface between the search and the engine that runs the model."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from headline.text.ids import Ids

Floats = NDArray[np.float32]

State = TypeVar("State")

IMPOSSIBLE = float("-inf")
TINY = np.float32(1e-38)  # lower bound of a probability before its logarithm is taken
NO_STYLE = -1  # the condition of an article without a style


@dataclass(frozen=True)
class SourceBatch:
    """B articles, as an engine reads them."""

    source_ids: Ids  # (B, S): ids to embed; PAD at the end of a row
    # (B, S): ids that the pointer writes. They equal ``source_ids``, except that tokens
    # outside the generable vocab have their own ids.
    copy_ids: Ids
    # (B,): the headline style of each article, -1 for none; None: no article has one.
    condition: Ids | None = None

    def __post_init__(self) -> None:
        shape = self.source_ids.shape
        assert self.copy_ids.shape == shape
        assert self.condition is None or self.condition.shape == shape[:1]

    def __len__(self) -> int:
        """B, the number of articles."""
        return len(self.source_ids)


def check_condition(condition: Ids | None, styles: int) -> None:
    """Checks the styles of some articles.

    Args:
        condition: see ``SourceBatch``.
        styles: number of styles of the network.

    Raises:
        ValueError: the network has no styles, or no such style.
    """
    if condition is None:
        return
    if not styles:
        raise ValueError("the network reads no condition, such as a style")
    wrong = condition[(condition < NO_STYLE) | (condition >= styles)]
    if len(wrong):
        raise ValueError(f"there is no style {wrong[0]}: there are {styles}, from 0")


@dataclass(frozen=True)
class Step:
    """The input of R rows at a step: a token to read and the candidates to return."""

    # (R,): the row of the old state that each new row continues. An article is dropped
    # if no row continues any of its rows.
    parents: Ids
    # (R,): the token that each new row reads, BOS at first. PAD marks a dead row: its
    # result is meaningless, an engine may skip it, and no row continues it.
    tokens: Ids
    num_candidates: int  # M, the number of tokens besides EOS to return for each row
    # (R, W): tokens to return for each row even if they are unlikely; PAD where a row
    # wants fewer.
    wanted: Ids | None = None
    doubts: bool = False  # whether to keep what ``DoubtEngine.doubts`` returns


class Engine(Protocol[State]):
    """Runs a model one decoding step at a time; the engine decides where its state is.

    The rows of an article are adjacent. At any step all remaining articles have the
    same number of rows. Rows may be dead, but each article has at least one live row.
    Data that the rows of an article share (keys, values, the source) is kept once.
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
        """Reads one token for each of R rows and scores the possible next tokens.

        Args:
            state: the state of the step before, which is not changed.

        Returns:
            log-probabilities and ids, both of shape ``(R, 1 + M + W)``, and the new
            state, of R rows. Column 0 is EOS. The next M columns are the best other
            tokens, best first, ties by id; PAD, UNK and BOS are never among them. The
            last W columns are the wanted tokens. The log-probability is -inf in columns
            left over because there are too few tokens, and for a wanted token that the
            row cannot write.
        """
        ...


class DoubtEngine(Engine[State], Protocol[State]):
    """An engine that also tells how unsure the model was about copying at a step."""

    def doubts(self, state: State) -> Floats:
        """Returns how unsure each row was, shape ``(R, 2)``.

        The first column is the gate: the probability that the next token is generated
        and not copied. The second is the collision entropy of the copy weights in nats,
        -log of the sum of their squares: 0 if all weight is on one position. Without a
        pointer they are 1 and 0. Dead rows have any values.

        Args:
            state: what a ``step`` with ``doubts`` returned.
        """
        ...


class StyleEngine(Engine[State], Protocol[State]):
    """An engine that also searches each article in several styles."""

    def branch(
        self, state: State, articles: Ids, condition: Ids | None = None
    ) -> State:
        """Starts searches of articles that are already encoded.

        The same article may be there several times, such as once in each style.

        Args:
            state: what ``encode`` returned; it is not changed.
            articles: the place of each article in ``state``, shape ``(B',)``.
            condition: as in ``SourceBatch``, shape ``(B',)``.

        Returns:
            what ``encode`` would return for these B' articles.

        Raises:
            ValueError: there is a condition that the network does not read.
        """
        ...

    def features(self, state: State) -> Floats:
        """Returns what the articles are about, as numbers, shape ``(B, 2 H)``.

        They are the mean and the maximum of the attention's values over the tokens of
        each article.

        Args:
            state: what ``encode`` or ``branch`` returned.
        """
        ...
