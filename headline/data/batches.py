"""Batches: which pairs an epoch sees, in which order, padded to few shapes."""

from collections.abc import Sequence

import numpy as np

from headline.data.store import Corpus, Places, Split
from headline.text.ids import BOS, EOS, PAD, Ids, pad
from headline.text.tokenizer import Tokenizer

# Lengths are padded to multiples of these, so that there are few shapes to compile.
SOURCE_STEP = 16
TARGET_STEP = 4


def buckets_of(split: Split) -> Places:
    """Returns the number of each pair's bucket.

    The pairs of a bucket are padded to the same widths. Neighbours differ little:
    after the longest targets of a source width come the longest of the next.
    """
    source = (split.source.lengths() - 1) // SOURCE_STEP
    target = split.target.lengths() // TARGET_STEP  # with EOS it is one longer
    most = int(target.max(initial=0))
    turned: Places = np.where(source % 2, most - target, target)
    return source * (most + 1) + turned


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


def plan_batches(
    buckets: Places,
    batch_size: int,
    seed: int,
    epoch: int,
    corpora: Sequence[Corpus] = (),
) -> list[Places]:
    """Decides which pairs make up each batch of an epoch, and in which order.

    Pairs of one bucket come together, so that little is padding; which of them, and
    the order of the batches, is shuffled anew for each epoch. What is left of a bucket
    goes on into the next one: only the last batch is smaller.

    Args:
        buckets: of each pair, from ``buckets_of``.
        batch_size: pairs of a batch.
        seed, epoch: the same ones give the same plan, on any machine.
        corpora: where the pairs come from, if an epoch is not to see each once.

    Returns:
        of each batch the places of its pairs in the split; together every pair once,
        or as often as the weights of the corpora say.
    """
    generator = np.random.default_rng((seed, epoch))
    seen = epoch_places(corpora, seed, epoch) if corpora else np.arange(len(buckets))
    shuffled = seen[generator.permutation(len(seen))]
    # Numbers of 16 bits, which buckets hardly ever pass, are sorted by radix.
    small = buckets.astype(np.min_scalar_type(buckets.max(initial=0)))
    ordered = shuffled[np.argsort(small[shuffled], kind="stable")]
    cuts = range(batch_size, len(ordered), batch_size)
    batches = np.split(ordered, list(cuts)) if len(ordered) else []
    order = generator.permutation(len(batches))
    return [batches[index] for index in order]


def make_batch(
    split: Split, pairs: Sequence[int] | Places, tokenizer: Tokenizer
) -> dict[str, Ids]:
    """Pads some pairs into the arrays that ``HeadlineModel`` is called with.

    With the target ``t1 t2``, decoder_input is ``BOS t1 t2`` and labels ``t1 t2 EOS``:
    at each step the decoder reads the token before and is to say the next. Both are
    made here and nowhere else. Without pairs, it is one row of padding.
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
