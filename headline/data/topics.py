"""What the topics of a dataset are like: sizes, typical words, headlines, examples."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headline.data.profile import Drawn, found_share
from headline.data.store import Dataset, Places, evenly
from headline.data.typical import typical_words

WORDS = 10  # typical words of a topic
READ = 2000  # train headlines of a topic in which words are looked for, at most
COMPARED = 300  # train pairs of a topic that are measured, at most
EXAMPLES = 2
CLEAR = 0.9  # least p(y|z) of an example, if there are enough
TRIED = 20  # headlines that examples are taken from

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Assigned:
    """The topic of each pair of a split.

    Attributes:
        topics: topic numbers from 0, shape ``(pairs,)``.
        probabilities: p(y|z) of these topics, shape ``(pairs,)``.
        posterior: the sum of p(y|z) over the pairs, shape ``(K,)``.
        entropy: the sum of H(p(y|z)) over the pairs, in nats.
    """

    topics: NDArray[np.int16]
    probabilities: Floats
    posterior: NDArray[np.float64]
    entropy: float


@dataclass(frozen=True, kw_only=True)
class Topic:
    """One topic, as it is told.

    Headlines are those of the train split. Where they are all of other splits, there
    are no words, no examples, and None for the measures.
    """

    topic: int  # its number, from 1, by falling share
    pairs: int
    share: float  # of all pairs
    words: Sequence[str]
    median_length: float | None  # of its headlines, in characters
    found: float | None  # see ``found_share``; the mean of some headlines
    examples: Sequence[str]  # headlines

    def to_dict(self) -> dict[str, Any]:
        """Returns everything, ready for JSON."""
        found = self.found if self.found is None else round(self.found, 4)
        return asdict(self) | {"found": found}


def described(
    dataset: Dataset, found: Mapping[str, Assigned], order: Sequence[int]
) -> list[Topic]:
    """Describes the topics of a dataset.

    Args:
        found: the topics of the pairs of each split.
        order: the topics that have a pair, the most frequent first.
    """
    topics = np.concatenate([one.topics for one in found.values()])
    train = found["train"]
    places = [np.flatnonzero(train.topics == topic) for topic in order]
    words = typical_words([_headlines(dataset, some, READ) for some in places], WORDS)
    described = []
    for number, (topic, some) in enumerate(zip(order, places, strict=True), 1):
        pairs = [*_pairs(dataset, some)]
        described.append(
            Topic(
                topic=number,
                pairs=int((topics == topic).sum()),
                share=float((topics == topic).mean()),
                words=words[number - 1],
                median_length=median(len(one.target) for one in pairs)
                if pairs
                else None,
                found=fmean(map(found_share, pairs)) if pairs else None,
                examples=_examples(dataset, some, train.probabilities[some]),
            )
        )
    return described


def _headlines(dataset: Dataset, places: Places, most: int) -> Iterator[str]:
    """Yields some train headlines, evenly spaced.

    Headlines name what articles are about. Articles also share phrases of their genre.
    """
    target = dataset.splits["train"].target
    for at in evenly(len(places), most):
        yield dataset.decoded(target[int(places[at])])


def _pairs(dataset: Dataset, places: Places) -> Iterator[Drawn]:
    """Yields some train pairs as texts, evenly spaced."""
    split = dataset.splits["train"]
    for at in evenly(len(places), COMPARED):
        sides = (side[int(places[at])] for side in (split.source, split.target))
        yield Drawn("train", *map(dataset.decoded, sides))


def _examples(dataset: Dataset, places: Places, probabilities: Floats) -> Sequence[str]:
    """Returns headlines of train pairs that are clearly of the topic.

    Args:
        places: of all train pairs of the topic.
        probabilities: p(y|z) of each.
    """
    clear = places[probabilities >= CLEAR]
    if len(clear) < EXAMPLES:
        clear = places[np.argsort(-probabilities, kind="stable")[:EXAMPLES]]
    texts = [*dict.fromkeys(_headlines(dataset, clear, TRIED))]
    return [texts[at] for at in evenly(len(texts), EXAMPLES)]
