"""The vocab of all parts, and the ids of each."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headline.data.job import check_usable, check_usable_articles
from headline.data.parts.blocks import BlockFile, unpacked, write_blocks, writing
from headline.data.parts.folder import COUNT, IDS, TALLY, VOCAB, Work
from headline.data.parts.tallying import SPOOL, Tallies, sides_of
from headline.data.pieces import PIECES, PieceTable, TextTable
from headline.data.prepare import make_tokenizer
from headline.data.profile import PairSample
from headline.data.report import Counts
from headline.data.selection import ALL_SPLITS
from headline.data.store import SIDES, SPLITS, UNPAIRED, Sides
from headline.text.ids import Ragged


def add_tallies(work: Work) -> tuple[Tallies, Counts, NDArray[np.int64]]:
    """Adds up all parts.

    Returns:
        what they give, the counts of the dataset, and for each part the number of the
        first pair in each of ALL_SPLITS; a last row has the sizes of the splits.
    """
    tallies, counts = Tallies(), work.job.new_counts()
    sizes = [np.zeros(len(ALL_SPLITS), np.int64)]
    names = [*counts.unpaired]
    for part in work.plan.parts:
        about = tallies.add(work, part)
        sizes.append(np.array(about["splits"], np.int64))
        if part.is_pairs:
            of_splits = dict(zip(ALL_SPLITS, about["splits"], strict=True))
            counts.corpora[part.file].pairs.update(of_splits)
        else:
            counts.unpaired[names[part.file]] += sum(about["splits"])
    counts.rows, counts.cut = tallies.rows, tallies.cut
    counts.rejects, counts.lengths = tallies.reasons, tallies.lengths
    return tallies, counts, np.cumsum(sizes, axis=0)


def make_vocab(work: Work, _: int) -> None:
    """Chooses the vocab, and says where the pairs of each part are in the splits.

    Raises:
        CorpusError: there is no usable pair or article, or no frequent token.
    """
    tallies, counts, firsts = add_tallies(work)
    check_usable(work.job, counts)
    check_usable_articles(work.job, counts, *_of_articles(work))
    tokenizer = make_tokenizer(work.job.config, tallies.pieces)
    tokenizer.save(work.path(VOCAB).with_suffix(".json"))
    write_blocks(work.path(VOCAB), {"firsts": firsts})


def _of_articles(work: Work) -> tuple[int, Any]:
    """Returns the rows of files without headlines, and their rejects by reason."""
    tallies = Tallies()
    for part in work.plan.parts:
        if not part.is_pairs:
            tallies.add(work, part)
    return tallies.rows, tallies.reasons


def sample_of(work: Work, pieces: Any = ()) -> PairSample:
    """Returns the sample of pairs for the report, still empty."""
    sizes: list[int] = work.vocab.whole("firsts")[-1].tolist()
    watched = SPLITS if work.job.page is not None else ()
    of_splits = dict(zip(ALL_SPLITS, sizes, strict=True))
    return PairSample({split: of_splits[split] for split in watched}, pieces)


def encode_part(work: Work, task: int) -> None:
    """Turns the pairs of a part that stay into ids."""
    found = BlockFile(work.path(COUNT, task))
    pieces = [*unpacked(found.whole("pieces"))]
    kind = PieceTable if work.tokenizer.cuts_alike else TextTable
    table, sample = kind(work.tokenizer, pieces), sample_of(work, pieces)
    of_part = work.vocab.whole("firsts")[task].tolist()
    firsts = dict(zip(ALL_SPLITS, of_part, strict=True))
    with writing(work.path(IDS, task)) as (writer, about):
        for split, sides in _kept_sides(work, task, found):
            count = len(sides[0].lengths)
            sample.look(split, firsts[split], sides)
            firsts[split] += count
            writer.append(_columns(split, table.encode(sides)))
            writer.flush()
        about |= sample.taken()


def _kept_sides(work: Work, task: int, found: BlockFile) -> Iterator[tuple[str, Sides]]:
    """Yields the pairs that stay, some at a time, with their split."""
    kept, begin = BlockFile(work.path(TALLY, task)).whole("kept"), 0
    for splits, *block in found.blocks("split", *SPOOL):
        stays = kept[begin : begin + len(splits)]
        begin += len(splits)
        sides = sides_of(block)
        for number, split in enumerate(ALL_SPLITS):
            chosen = stays & (splits == number)
            if chosen.any():
                some = [side.where(chosen) for side in sides]
                yield from ((split, one) for one in _few(some))


def _few(sides: Sides) -> Iterator[Sides]:
    """Divides pairs, so that few pieces are encoded at a time."""
    longest = max(int(side.lengths.max()) for side in sides)
    most, total = -(-PIECES // longest), len(sides[0].lengths)
    counts = [min(most, total - begin) for begin in range(0, total, most)]
    yield from zip(*(side.split(counts) for side in sides), strict=True)


def _columns(split: str, sides: Sides) -> Mapping[str, NDArray[Any]]:
    """Returns ids and lengths; ids take two bytes if they fit."""
    columns: dict[str, NDArray[Any]] = {}
    for name, side in zip(SIDES, sides, strict=True):
        fits = side.numbers.max() <= np.iinfo(np.uint16).max
        columns[f"{split} {name} ids"] = side.numbers.astype(
            np.uint16 if fits else np.uint32
        )
        columns[f"{split} {name} sizes"] = side.lengths.astype(np.uint32)
    return columns


def ids_of(work: Work, split: str) -> Iterator[Sides]:
    """Yields the ids of all pairs of a split, in order."""
    names = [f"{split} {side} {what}" for side in SIDES for what in ("ids", "sizes")]
    for part in work.plan.parts:
        if part.is_pairs != (split == UNPAIRED):
            for block in BlockFile(work.path(IDS, part.index)).blocks(*names):
                sides = sides_of(block)
                yield [
                    Ragged(one.numbers, one.lengths.astype(np.int64)) for one in sides
                ]
