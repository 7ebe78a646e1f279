"""How often an epoch sees the pairs of each corpus: as its weight says."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.intp]


@dataclass(frozen=True)
class Corpus:
    """The train pairs of one file; in the split they stand behind one another."""

    file: str
    weight: float  # how often an epoch sees a pair, on average
    pairs: int

    @property
    def epoch_pairs(self) -> int:
        """How many pairs an epoch sees, with those that it sees again."""
        return round(self.weight * self.pairs)


def epoch_places(corpora: Sequence[Corpus], seed: int, epoch: int) -> Places:
    """Decides which pairs an epoch sees, and how often.

    Of a weight of 2.3, every pair comes twice and three tenths of them once more.
    Those go round in a shuffled order: an epoch takes up where the one before left
    off, so all pairs of a file have had their turn before one has another.

    Args:
        corpora: the files, in the order in which their pairs stand in the split.
        seed, epoch: the same ones give the same places, on any machine.

    Returns:
        places of pairs in the split, ``epoch_pairs`` of each file.
    """
    begins = np.cumsum([0, *(corpus.pairs for corpus in corpora)])
    parts = [
        begin + _places_of_one(corpus, np.random.default_rng((seed, number, 1)), epoch)
        for number, (corpus, begin) in enumerate(zip(corpora, begins, strict=False))
    ]
    return np.concatenate(parts)


def _places_of_one(
    corpus: Corpus, generator: np.random.Generator, epoch: int
) -> Places:
    rounds = int(corpus.weight)
    rest = corpus.epoch_pairs - rounds * corpus.pairs
    every = np.repeat(np.arange(corpus.pairs), rounds)
    if not rest:
        return every
    turn = (epoch * rest + np.arange(rest)) % corpus.pairs
    return np.concatenate([every, generator.permutation(corpus.pairs)[turn]])
