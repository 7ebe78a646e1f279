"""Batches of an epoch: the choice and order of pairs, and padding to few shapes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from headline.data.mapped import chunks, lengths_of
from headline.data.store import Corpus, Offsets, Places, Split
from headline.text.ids import BOS, EOS, PAD, Ids, pad
from headline.text.tokenizer import Tokenizer

Indices = NDArray[np.unsignedinteger[Any]]  # of pairs, in as few bytes as they need
Buckets = NDArray[np.integer[Any]]  # of all pairs, shape ``(pairs,)``

# Lengths are padded to multiples of these, so that few shapes must be compiled.
SOURCE_STEP = 16
TARGET_STEP = 4


def buckets_of(split: Split) -> Buckets:
    """Returns the bucket number of each pair, shape ``(pairs,)``.

    The pairs of a bucket are padded to the same widths. Neighbouring buckets differ
    little: target lengths rise in one source width and fall in the next.
    """
    highest = [
        (int(source.max()), int(target.max())) for source, target in _steps(split)
    ]
    longest, most = np.max(highest, axis=0, initial=0).tolist() if highest else (0, 0)
    buckets = np.zeros(len(split), np.min_scalar_type((longest + 1) * (most + 1)))
    begin = 0
    for source, target in _steps(split):
        turned = np.where(source % 2, most - target, target)
        end = begin + len(source)
        buckets[begin:end] = source * (most + 1) + turned
        begin = end
    return buckets


def _steps(split: Split) -> Iterator[tuple[Offsets, Offsets]]:
    """Yields the lengths of both sides in steps, without the last one, in chunks."""
    sides = (lengths_of(side.offsets) for side in (split.source, split.target))
    for source, target in zip(*sides, strict=True):
        # EOS adds one token to a target.
        yield (source - 1) // SOURCE_STEP, target // TARGET_STEP


def epoch_places(corpora: Sequence[Corpus], seed: int, epoch: int) -> Indices:
    """Chooses the pairs of an epoch by the weights of their files.

    With a weight of 2.3, every pair is used twice and 30% of the pairs once more. The
    30% are taken in turn from a shuffled order, which each epoch continues where the
    last one stopped. So every pair of a file gets its turn before any gets a second.

    Args:
        corpora: the files, in the order of their pairs in the split.
        seed, epoch: the same values give the same result on any machine.

    Returns:
        indices of pairs in the split, ``epoch_pairs`` of each file.
    """
    places = np.zeros(
        sum(corpus.epoch_pairs for corpus in corpora),
        place_type(sum(corpus.pairs for corpus in corpora)),
    )
    begin = first = 0
    for number, corpus in enumerate(corpora):
        end = begin + corpus.epoch_pairs
        generator = np.random.default_rng((seed, number, 1))
        _choose_of_one(places[begin:end], corpus, generator, epoch)
        places[begin:end] += places.dtype.type(first)
        begin, first = end, first + corpus.pairs
    return places


def _choose_of_one(
    chosen: Indices, corpus: Corpus, generator: np.random.Generator, epoch: int
) -> None:
    """Writes the indices of the pairs of a file into ``chosen``."""
    rounds, pairs = int(corpus.weight), corpus.pairs
    every = np.arange(pairs, dtype=chosen.dtype)
    for turn in range(rounds):
        chosen[turn : rounds * pairs : rounds] = every
    rest = chosen[rounds * pairs :]
    if len(rest):
        generator.shuffle(every)
        begin = epoch * len(rest) % pairs
        some = every[begin : begin + len(rest)]
        rest[: len(some)] = some
        rest[len(some) :] = every[: len(rest) - len(some)]


def place_type(pairs: int) -> type[np.unsignedinteger[Any]]:
    """Returns the type of the indices of so many pairs: as few bytes as they need."""
    return np.uint32 if pairs <= np.iinfo(np.uint32).max else np.uint64


def plan_batches(
    buckets: Buckets,
    batch_size: int,
    seed: int,
    epoch: int,
    corpora: Sequence[Corpus] = (),
) -> "Plan":
    """Plans the batches of an epoch and their order.

    A batch has pairs of one bucket, so there is little padding. The pairs within a
    bucket and the order of the batches are shuffled for each epoch. The rest of a
    bucket fills a batch with the next bucket, so only the last batch may be smaller.

    Args:
        buckets: the bucket of each pair, from ``buckets_of``.
        batch_size: number of pairs in a batch.
        seed, epoch: the same values give the same plan on any machine.
        corpora: the files of the pairs, if they have weights.

    Returns:
        for each batch the indices of its pairs in the split. Together they have every
        pair once, or as often as the weights of the corpora say.
    """
    generator = np.random.default_rng((seed, epoch))
    if corpora:
        seen = epoch_places(corpora, seed, epoch)
    else:
        seen = np.arange(len(buckets), dtype=place_type(len(buckets)))
    generator.shuffle(seen)  # as an index by ``permutation``, in half of the memory
    order = generator.permutation(-(-len(seen) // batch_size))
    return Plan(sorted_by(buckets, seen), batch_size, order)


@dataclass(frozen=True, eq=False)
class Plan(Sequence[Places]):
    """The batches of an epoch, in their order; each has the indices of its pairs.

    Args:
        pairs: the indices of the pairs, batch after batch.
        size: number of pairs in a batch; the last one may have fewer.
        order: the place of each batch in ``pairs``, shape ``(batches,)``.
    """

    pairs: Indices
    size: int
    order: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.order)

    @overload
    def __getitem__(self, index: int) -> Places: ...

    @overload
    def __getitem__(self, index: slice) -> list[Places]: ...

    def __getitem__(self, index: int | slice) -> Places | list[Places]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        begin = int(self.order[index]) * self.size
        return self.pairs[begin : begin + self.size].astype(np.intp)


def sorted_by(buckets: Buckets, places: Indices) -> Indices:
    """Sorts indices by their buckets; those of a bucket keep their order.

    A counting sort in chunks: sorting all at once would take 24 bytes for each index.
    """
    if not len(places):
        return places
    # NumPy sorts 16-bit numbers by radix sort, and bucket numbers nearly always fit.
    small = buckets.astype(np.min_scalar_type(buckets.max()), copy=False)
    last = int(small.max())
    counts = sum(
        np.bincount(small[some], minlength=last + 1) for some in chunks(places)
    )
    nexts = np.cumsum(counts) - counts  # where the next one of each bucket goes
    ordered = np.empty_like(places)
    for some in chunks(places):
        keys = small[some]
        order = np.argsort(keys, kind="stable")
        of_each = np.bincount(keys, minlength=last + 1)
        # The rank of each one among those of its bucket in this chunk.
        ranks = np.arange(len(some)) - np.repeat(np.cumsum(of_each) - of_each, of_each)
        ordered[nexts[keys[order]] + ranks] = some[order]
        nexts += of_each
    return ordered


def make_batch(
    split: Split, pairs: Sequence[int] | Places, tokenizer: Tokenizer
) -> dict[str, Ids]:
    """Pads some pairs into the input arrays of ``HeadlineModel``.

    For the target ``t1 t2``, decoder_input is ``BOS t1 t2`` and labels ``t1 t2 EOS``:
    at each step the decoder reads the last token and predicts the next. No other code
    makes these two. Without pairs, the batch is one row of padding.
    """
    if not len(pairs):
        return _padding()
    sources = [split.source[int(pair)] for pair in pairs]
    targets = [split.target[int(pair)] for pair in pairs]
    copy_ids = pad(sources, SOURCE_STEP)
    labels = pad([np.append(target, np.int32(EOS)) for target in targets], TARGET_STEP)
    decoder_input = np.roll(labels, 1, axis=1)
    decoder_input[:, 0] = BOS
    decoder_input[labels == PAD] = PAD
    return {
        "source_ids": tokenizer.embeddable(copy_ids),
        "copy_ids": copy_ids,
        "decoder_input": tokenizer.embeddable(decoder_input),
        "labels": labels,
    }


def _padding() -> dict[str, Ids]:
    source, target = (
        np.full((1, n), PAD, np.int32) for n in (SOURCE_STEP, TARGET_STEP)
    )
    return {
        "source_ids": source,
        "copy_ids": source,
        "decoder_input": target,
        "labels": target,
    }
