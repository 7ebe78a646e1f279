"""``headline prepare``: streams corpus files into a DATA_DIR.

There are two passes. The first reads the files, assigns the pairs to splits, cuts the
texts into pieces, and numbers and counts the pieces. The second turns the numbers into
ids; the word tokenizer cuts the texts again there, with the words of the vocab only.
Articles without headlines come after the pairs, as pseudo-pairs in a split of their
own. Memory holds the pieces, the counts of lengths, and a hash of each pair.

Cleaning adds a pass before these two, which learns its rules; see
``headline.data.cleaning_pass``. A dry run makes no ids: it keeps the report alone.

This process reads rows (``reading``), finds duplicates (``keeping``) and writes. Worker
processes do the work that needs one row only (``sorting``), so their number does not
change the result.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from headline.data.cleaning_pass import CleaningPass
from headline.data.job import Job as Job
from headline.data.job import check_usable
from headline.data.keeping import Sink
from headline.data.pieces import Encode, PieceTable, Spool, TextTable
from headline.data.profile import PairSample, Profile, characters_of, rare_of
from headline.data.reading import FEW, Advance, read
from headline.data.report import Counts, summarise
from headline.data.sorting import split_of as split_of
from headline.data.store import (
    SPLITS,
    Draft,
    Sides,
    replacing_dataset,
    replacing_report,
)
from headline.errors import CorpusError
from headline.settings.prepare import PrepareConfig
from headline.system.workers import spread
from headline.text.ids import SPECIAL_TOKENS
from headline.text.tokenizer import TOKENIZERS, Tokenizer, Vocab


def prepare(
    job: Job, advance: Advance = lambda _: None, written: Advance = lambda _: None
) -> dict[str, Any]:
    """Writes a DATA_DIR.

    Args:
        advance: called with the number of bytes read since the last call.
        written: called with the number of pairs written since the last call.

    Returns:
        the content of data.json, without checksums in a dry run.

    Raises:
        CorpusError: a file cannot be read, or there is no usable pair or article.
        DataError: the folder exists and must not be overwritten.
        HeadlineError: the folder cannot be written.
    """
    with (
        _drafting(job) as draft,
        TemporaryDirectory(dir=draft.folder, prefix=".spool.") as folder,
        ExitStack() as stack,
    ):
        spool = Spool(stack, Path(folder), job.splits)
        longest = job.config.max_source_length
        cleaning = (
            CleaningPass(stack, Path(folder), job.cleaning, longest)
            if job.cleaning.clean
            else None
        )
        sink = Sink(spool, draft, cleaning)
        counts = read(job, sink, advance)
        cleaned = sink.finish(counts)
        check_usable(job, counts)
        tokenizer = make_tokenizer(job.config, spool.lexicon.counts())
        summary = summarise(job.config, counts, tokenizer) | cleaned
        sample = _write_pairs(job, sink, counts, tokenizer, written)
        if job.page is not None:
            profile = _profile(job, sink, counts, tokenizer, summary, sample)
            draft.write_report(job.page(profile))
        return summary if job.dry_run else draft.finish(tokenizer, summary)


def _drafting(job: Job) -> AbstractContextManager[Draft]:
    if job.dry_run:
        return replacing_report(job.data_dir, job.splits)
    return replacing_dataset(job.data_dir, job.splits, job.overwrite)


# --- between the passes -----------------------------------------------------------


def make_tokenizer(config: PrepareConfig, pieces: Mapping[str, int]) -> Tokenizer:
    """Chooses the vocab by the counts of the pieces.

    Raises:
        CorpusError: no token is frequent enough.
    """
    kind = TOKENIZERS[config.tokenizer]
    tokens = kind.count(pieces, config.min_count)
    tokenizer = kind(Vocab.from_counts(tokens, config.vocab_size, config.min_count))
    if tokenizer.vocab.vocab_size == len(SPECIAL_TOKENS):
        raise CorpusError(
            f"no token occurs {config.min_count} times in the train split: "
            "give more pairs, or a smaller --min-count"
        )
    return tokenizer


def _write_pairs(
    job: Job, sink: Sink, counts: Counts, tokenizer: Tokenizer, written: Advance
) -> PairSample:
    """Writes the ids of all pairs, but not in a dry run; returns a sample of them."""
    spool, pieces = sink.spool, sink.spool.lexicon.pieces
    watched = SPLITS if job.page is not None else ()
    sample = PairSample({split: counts.pairs(split) for split in watched}, pieces)

    def pairs(split: str) -> Iterator[Sides]:
        return sample.watch(split, spool.pairs(split))

    if job.dry_run:
        for split in SPLITS:
            deque(pairs(split), maxlen=0)
        return sample
    encode = _encoder(tokenizer, pieces, job.workers)

    def ids(split: str) -> Iterable[Sides]:
        return encode(pairs(split))

    for split in job.splits:
        sink.draft.write_ids(split, partial(ids, split), written)
    return sample


def _profile(
    job: Job,
    sink: Sink,
    counts: Counts,
    tokenizer: Tokenizer,
    summary: Mapping[str, Any],
    sample: PairSample,
) -> Profile:
    characters = characters_of(sink.spool.lexicon.counts())
    return Profile(
        summary=summary,
        lengths=counts.lengths,
        characters=characters,
        rare=rare_of(characters, tokenizer.vocab),
        sample=sample.pairs(),
        measured=sample.measures(),
        rejects=sink.rejected.examples,
        dry_run=job.dry_run,
    )


def _encoder(tokenizer: Tokenizer, pieces: Sequence[str], workers: int) -> Encode:
    """Returns a function that turns numbers of pieces into ids.

    A look-up is faster here than in another process; cutting texts again is not.
    """
    if tokenizer.cuts_alike:
        return partial(map, PieceTable(tokenizer, pieces).encode)
    cut_again = TextTable(tokenizer, pieces).encode
    return lambda pairs: spread(cut_again, pairs, workers, FEW)
