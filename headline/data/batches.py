"""Batches of an epoch: the choice and order of pairs, and padding to few shapes."""

from collections.abc import Sequence

import numpy as np

from headline.data.store import Corpus, Places, Split
from headline.text.ids import BOS, EOS, PAD, Ids, pad
from headline.text.tokenizer import Tokenizer

# Lengths are padded to multiples of these, so that few shapes must be compiled.
SOURCE_STEP = 16
TARGET_STEP = 4


def buckets_of(split: Split) -> Places:
    """Returns the bucket number of each pair, shape ``(pairs,)``.

    The pairs of a bucket are padded to the same widths. Neighbouring buckets differ
    little: target lengths rise in one source width and fall in the next.
    """
    source = (split.source.lengths() - 1) // SOURCE_STEP
    target = split.target.lengths() // TARGET_STEP  # EOS adds one token
    most = int(target.max(initial=0))
    turned: Places = np.where(source % 2, most - target, target)
    return source * (most + 1) + turned


def epoch_places(corpora: Sequence[Corpus], seed: int, epoch: int) -> Places:
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


def plan_batches(
    buckets: Places,
    batch_size: int,
    seed: int,
    epoch: int,
    corpora: Sequence[Corpus] = (),
) -> list[Places]:
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
    seen = epoch_places(corpora, seed, epoch) if corpora else np.arange(len(buckets))
    shuffled = seen[generator.permutation(len(seen))]
    # NumPy sorts 16-bit numbers by radix sort, and bucket numbers nearly always fit.
    small = buckets.astype(np.min_scalar_type(buckets.max(initial=0)))
    ordered = shuffled[np.argsort(small[shuffled], kind="stable")]
    cuts = range(batch_size, len(ordered), batch_size)
    batches = np.split(ordered, list(cuts)) if len(ordered) else []
    order = generator.permutation(len(batches))
    return [batches[index] for index in order]


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
