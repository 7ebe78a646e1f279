"""``headline prepare``: streams corpus files into a DATA_DIR.

There are two passes. The first reads the files, assigns the pairs to splits, cuts the
texts into pieces, and numbers and counts the pieces. The second turns the numbers into
ids; the word tokenizer cuts the texts again there, with the words of the vocab only.
Articles without headlines come after the pairs, as pseudo-pairs in a split of their
own. Memory holds the pieces, the counts of lengths, and a hash of each pair.

Cleaning adds a pass before these two, which learns its rules; see
``headline.data.cleaning_pass``. A dry run makes no ids: it keeps the report alone.

This process reads rows, finds duplicates and writes. Worker processes do the work that
needs one row only, so their number does not change the result.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from itertools import chain, compress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headline.data.cleaning import Reason, Reject, rejects
from headline.data.cleaning_pass import CleaningPass
from headline.data.corpus import CorpusReader, Pair, RowReader, rows_of, shown
from headline.data.duplicates import DigestSet, with_duplicates
from headline.data.findings import Rejected
from headline.data.pieces import (
    COUNTED,
    Encode,
    Numbers,
    Pairs,
    PieceTable,
    Spool,
    TextTable,
)
from headline.data.profile import PairSample, Profile, characters_of, rare_of
from headline.data.pseudo import UnpairedReader
from headline.data.report import Counts, FileCounts, summarise
from headline.data.store import (
    CLEANING,
    SIDES,
    SPLITS,
    UNPAIRED,
    Draft,
    Sides,
    replacing_dataset,
    replacing_report,
)
from headline.errors import CorpusError
from headline.formats.records import Rows
from headline.formats.tables import CorpusFormat
from headline.settings.clean import CleanConfig
from headline.settings.prepare import PrepareConfig
from headline.system.workers import spread
from headline.text.ids import SPECIAL_TOKENS, Ragged
from headline.text.tokenizer import TOKENIZERS, Tokenizer, Vocab

PAIRS = "pairs"  # the file name shown for pairs in memory
NO_CLEANING = CleanConfig(clean=False)
FEW = 4  # blocks that this process handles before it starts others

Advance = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One preparation: its files, its output folder and its settings."""

    files: Sequence[Path]
    data_dir: Path
    format: CorpusFormat
    config: PrepareConfig
    overwrite: bool = False
    cleaning: CleanConfig = NO_CLEANING
    weights: Mapping[Path, float] = field(default_factory=dict)  # 1 for other files
    # Articles and headlines in memory, in addition to the files.
    pairs: Iterable[tuple[str, str]] | None = None
    unpaired: Sequence[Path] = ()  # files of articles without headlines
    workers: int = 1  # processes, if the corpus is large
    # Makes the report of the corpus, an HTML page; without it there is none.
    page: Callable[[Profile], str] | None = None
    dry_run: bool = False  # write only the report

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that the dataset gets."""
        return (*SPLITS, UNPAIRED) if self.unpaired else SPLITS

    @property
    def names(self) -> list[str]:
        """The names of the files, and PAIRS for pairs in memory."""
        return [*map(shown, self.files), *([] if self.pairs is None else [PAIRS])]


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
        counts = _read(job, sink, advance)
        cleaned = sink.finish(counts)
        _check_usable(job, counts)
        tokenizer = _make_tokenizer(job.config, spool.lexicon.counts())
        _check_vocab(job.config, tokenizer)
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


def split_of(source: str, config: PrepareConfig) -> str:
    """Returns the split of an article, which depends only on a hash of its text."""
    digest = blake2b(source.encode("utf-8"), digest_size=8).digest()
    place = int.from_bytes(digest, "big") / 2**64  # uniform in [0, 1]
    if place < config.test_size:
        return "test"
    return "valid" if place < config.test_size + config.valid_size else "train"


# --- first pass: files to pieces --------------------------------------------------


@dataclass(frozen=True)
class Sorting:
    """The work on rows that worker processes can do.

    Args:
        split: the split of all pairs; None: by a hash of the article.
    """

    reader: RowReader
    config: PrepareConfig
    split: str | None = None

    def sort(self, texts: Sequence[Sequence[str]]) -> Pairs:
        """Turns the texts of ``Rows`` into pairs, and the pairs into pieces."""
        judged = self.reader.judge(texts)
        faults: dict[int, Reason] = {}
        rows: dict[str, list[int]] = {}  # by split
        pairs: dict[str, list[Pair]] = {}
        for row, made in enumerate(judged.found):
            if isinstance(made, Pair):
                split = self.split or split_of(judged.articles[row], self.config)
                rows.setdefault(split, []).append(row)
                pairs.setdefault(split, []).append(made)
            else:
                faults[row] = made
        splits = {split: len(rows[split]) for split in rows}
        ordered = [*chain.from_iterable(pairs.values())]
        places = np.array([*chain.from_iterable(rows.values())], np.intp)
        held_out = {split: pairs.get(split, []) for split in SPLITS[1:]}
        keys = None if judged.keys is None else judged.keys.at(places)
        return Pairs(
            faults,
            judged.digests,
            splits,
            places,
            *self._cut(ordered),
            held_out,
            judged.hits,
            keys,
        )

    def _cut(
        self, pairs: Sequence[Pair]
    ) -> tuple[Sequence[str], Sides, Sequence[NDArray[np.int64]]]:
        """Returns distinct pieces, both sides as their indices, and uncut lengths."""
        longest = self.config.max_source_length
        sources = [pair.source[:longest] for pair in pairs]
        targets = [pair.target for pair in pairs]
        pieces = TOKENIZERS[self.config.tokenizer].split_all(sources + targets)
        sides = tuple(pieces.texts.split([len(pairs)] * len(SIDES)))
        texts = [pair.source for pair in pairs], targets
        lengths = [np.array([*map(len, side)], np.int64) for side in texts]
        return pieces.distinct, sides, lengths


@dataclass(frozen=True)
class Sink:
    """Where pairs and rejects go.

    Args:
        cleaning: gets rejects and texts, if pairs may still be left out.
    """

    spool: Spool
    draft: Draft
    cleaning: CleaningPass | None
    rejected: Rejected = field(default_factory=Rejected)

    def reject(self, found: list[Reject], name: str) -> None:
        """Takes the rejects of the next block, and the name of its file."""
        if self.cleaning is not None:
            return self.cleaning.reject(found, name)
        for one in found:
            self.draft.reject(one.file, one.row, one.reason.value, one.excerpt)
            self.rejected.add(one)

    def keep_text(self, split: str, pair: Pair) -> None:
        """Takes a pair of a held-out split."""
        (self.cleaning or self.draft).keep_text(split, pair)

    def take(self, file: int, pairs: Pairs, new: NDArray[np.bool_]) -> None:
        """Takes the pairs of a block, of which only those of new rows are used."""
        if self.cleaning is not None:
            self.cleaning.take(file, pairs, new)

    def finish(self, counts: Counts) -> dict[str, Any]:
        """Writes what has waited; returns what data.json has about cleaning."""
        if self.cleaning is None:
            return {}
        found = self.cleaning.finish(self.spool, counts, self.draft, self.rejected)
        return {CLEANING: found}


class _Keeper:
    """Removes duplicates, counts rows, and writes pairs and rejects.

    It must get the rows in order.
    """

    def __init__(self, job: Job, reader: RowReader, counts: Counts, sink: Sink) -> None:
        self._job, self._reader, self._counts = job, reader, counts
        self._sink, self._spool = sink, sink.spool
        self._seen = DigestSet()

    def keep(self, rows: Rows, pairs: Pairs) -> Counter[str]:
        """Takes rows and their pairs; returns the number of new pairs in each split."""
        self._counts.rows += len(rows)
        faults = with_duplicates(pairs.faults, pairs.digests, self._seen)
        name = self._reader.names[rows.file]
        found = rejects(rows, name, faults)
        self._counts.rejects.update(reject.reason.value for reject in found)
        self._sink.reject(found, name)
        new = np.ones(len(rows.numbers), bool)
        new[list(faults)] = False
        numbers = self._spool.lexicon.numbers(pairs.pieces)
        kept: Counter[str] = Counter()
        for split, part, sides in pairs.by_split():
            is_new = new[pairs.rows[part]]
            lengths = [lengths[part][is_new] for lengths in pairs.lengths]
            self._count(split, lengths)
            for side, texts in zip(SIDES, sides, strict=True):
                kept_texts = texts if is_new.all() else texts.where(is_new)
                self._write(split, side, kept_texts, numbers)
            for pair in compress(pairs.texts.get(split, ()), is_new):
                self._sink.keep_text(split, pair)
            kept[split] = int(is_new.sum())
        self._sink.take(rows.file, pairs, new)
        return kept

    def _count(self, split: str, lengths: Sequence[NDArray[np.int64]]) -> None:
        longest = self._job.config.max_source_length
        self._counts.cut += int((lengths[0] > longest).sum())
        if split != UNPAIRED:
            for side, of_side in zip(SIDES, lengths, strict=True):
                self._counts.lengths[side].update(of_side.tolist())

    def _write(self, split: str, side: str, texts: Ragged, numbers: Numbers) -> None:
        """Writes texts for the second pass; ``numbers`` are those of their pieces."""
        texts = texts._replace(numbers=numbers[texts.numbers])
        if split in COUNTED:
            self._spool.lexicon.count(texts.numbers)
        self._spool.write(split, side, texts)


def _read(job: Job, sink: Sink, advance: Advance) -> Counts:
    weights = {shown(path): weight for path, weight in job.weights.items()}
    counts = Counts(
        [FileCounts(name, weights.get(name, 1.0)) for name in job.names],
        {shown(path): 0 for path in job.unpaired},
    )
    _read_corpora(job, counts, sink, advance)
    _check_usable(job, counts)
    if job.unpaired:
        _read_unpaired(job, counts, sink, advance)
    return counts


def _read_corpora(job: Job, counts: Counts, sink: Sink, advance: Advance) -> None:
    config = job.config
    reader = CorpusReader(
        job.files,
        job.format,
        min_source_length=config.min_source_length,
        min_target_length=config.min_target_length,
        max_target_length=config.max_target_length,
    )
    reader.names = job.names
    keeper = _Keeper(job, reader, counts, sink)
    found: Iterable[Rows] = reader.read()
    if job.pairs is not None:
        found = chain(found, rows_of(job.pairs, len(job.files)))
    found, advance = _cleaned(sink, reader, found, advance)
    for rows, pairs in _sorted_rows(Sorting(reader, config), found, job, advance):
        counts.corpora[rows.file].pairs += keeper.keep(rows, pairs)


def _cleaned(
    sink: Sink, reader: RowReader, found: Iterable[Rows], advance: Advance
) -> tuple[Iterable[Rows], Advance]:
    """Makes the first pass of a cleaning, and gives the reader its cleaner.

    Returns:
        the same rows, and how to report progress on them.
    """
    if sink.cleaning is None:
        return found, advance
    halves = Halves(advance)
    position = 0
    for rows in sink.cleaning.first_pass(found):
        halves.first(max(0, rows.position - position))
        position = max(position, rows.position)
    reader.cleaner = sink.cleaning.cleaner
    return sink.cleaning.second_pass(), halves.second


@dataclass(frozen=True)
class Halves:
    """Reports the bytes of rows that are read twice: half of them each time."""

    advance: Advance

    def first(self, step: int) -> None:
        self.advance(step // 2)

    def second(self, step: int) -> None:
        self.advance(step - step // 2)


def _read_unpaired(job: Job, counts: Counts, sink: Sink, advance: Advance) -> None:
    rows_before, rejects_before = counts.rows, counts.rejects.copy()
    held_out = partial(_is_held_out, job.config)
    reader = UnpairedReader(job.unpaired, job.format, job.config, held_out)
    keeper = _Keeper(job, reader, counts, sink)
    found, advance = _cleaned(sink, reader, reader.read(), advance)
    sorting = Sorting(reader, job.config, UNPAIRED)
    for rows, pairs in _sorted_rows(sorting, found, job, advance):
        counts.unpaired[reader.names[rows.file]] += keeper.keep(rows, pairs)[UNPAIRED]
    if not any(counts.unpaired.values()):
        reasons = _reasons(counts.rows - rows_before, counts.rejects - rejects_before)
        raise CorpusError(f"no usable article in {_listed(job.unpaired)}: {reasons}")


def _is_held_out(config: PrepareConfig, article: str) -> bool:
    return split_of(article, config) != "train"


def _sorted_rows(
    sorting: Sorting, found: Iterable[Rows], job: Job, advance: Advance
) -> Iterator[tuple[Rows, Pairs]]:
    """Yields the rows with their pairs, and reports progress to ``advance``.

    This process handles the first ``FEW`` blocks: all of a small corpus. For a large
    one, forked processes then share what this one has loaded.
    """
    under_way: deque[Rows] = deque()

    def texts() -> Iterator[Sequence[Sequence[str]]]:
        for rows in found:
            under_way.append(rows)
            yield rows.texts

    position = 0
    for pairs in spread(sorting.sort, texts(), job.workers, FEW):
        rows = under_way.popleft()
        yield rows, pairs
        advance(max(0, rows.position - position))  # pairs in memory have no position
        position = max(position, rows.position)


def _check_usable(job: Job, counts: Counts) -> None:
    if any(corpus.train.epoch_pairs for corpus in counts.corpora):
        return
    if counts.pairs("train"):
        raise CorpusError("no epoch would see a pair: give a larger --weight")
    if held_out := counts.pairs("valid") + counts.pairs("test"):
        raise CorpusError(
            f"all {held_out} usable pairs fell into the held-out splits: "
            "give more pairs, or a smaller --valid-size and --test-size"
        )
    reasons = _reasons(counts.rows, counts.rejects)
    raise CorpusError(f"no usable pair in {', '.join(job.names)}: {reasons}")


def _listed(files: Iterable[Path]) -> str:
    return ", ".join(map(str, files))


def _reasons(rows: int, rejects: Counter[str]) -> str:
    reasons = ", ".join(f"{n} {reason}" for reason, n in rejects.most_common())
    return f"of {rows} rows {reasons}"


# --- between the passes -----------------------------------------------------------


def _make_tokenizer(config: PrepareConfig, pieces: Mapping[str, int]) -> Tokenizer:
    kind = TOKENIZERS[config.tokenizer]
    tokens = kind.count(pieces, config.min_count)
    return kind(Vocab.from_counts(tokens, config.vocab_size, config.min_count))


def _check_vocab(config: PrepareConfig, tokenizer: Tokenizer) -> None:
    if tokenizer.vocab.vocab_size == len(SPECIAL_TOKENS):
        raise CorpusError(
            f"no token occurs {config.min_count} times in the train split: "
            "give more pairs, or a smaller --min-count"
        )


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
