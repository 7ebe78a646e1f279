"""``headline prepare``: corpus files to a DATA_DIR, as a stream.

Two passes. The first reads the files, splits and cuts the texts, and numbers and counts
their pieces; the second turns the numbers into ids, and cuts texts of words anew, by
those of the vocab alone. Articles without headlines come after the pairs, as
pseudo-pairs in a split of their own. Memory holds the pieces, the counts of lengths,
and a hash of each pair.

This process reads the rows, decides which are duplicates, and writes; what can be done
with rows on their own, others do. So how many there are changes nothing.
"""

import csv
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headline.data.corpus import (
    CorpusReader,
    Pair,
    Reason,
    Reject,
    RowReader,
    Rows,
    shown,
    with_duplicates,
)
from headline.data.dataset import (
    DATA,
    REJECTS,
    SIDES,
    SPLITS,
    UNPAIRED,
    VOCAB,
    data_files,
    text_file,
)
from headline.data.digests import DigestSet
from headline.data.encoding import Encode, PieceTable, TextTable, encode_split
from headline.data.pseudo import UnpairedReader
from headline.data.spool import Numbers, Spool
from headline.data.summary import Counts, FileCounts, summarise
from headline.errors import CorpusError, DataError
from headline.formats.tables import CorpusFormat
from headline.settings.prepare import PrepareConfig
from headline.system.files import sha256, write_json
from headline.system.folders import (
    LOCK,
    NEXT,
    SCRATCH,
    located,
    locked,
    replacing_files,
    tidy,
)
from headline.system.workers import spread
from headline.text.ids import SPECIAL_TOKENS, Ragged
from headline.text.tokenizer import TOKENIZERS, Tokenizer, Vocab

FEW = 4  # parts of the work that are done before a process is started

# All files that a dataset can have.
DATASET = {DATA, REJECTS, *data_files((*SPLITS, UNPAIRED))}

Advance = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One preparation: which files, where to, and how."""

    files: Sequence[Path]
    data_dir: Path
    format: CorpusFormat
    config: PrepareConfig
    overwrite: bool = False
    weights: Mapping[Path, float] = field(default_factory=dict)  # of others: 1
    unpaired: Sequence[Path] = ()  # files of articles without headlines
    workers: int = 1  # processes, for a corpus that is large

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that the dataset gets."""
        return (*SPLITS, UNPAIRED) if self.unpaired else SPLITS


def prepare(
    job: Job, advance: Advance = lambda _: None, written: Advance = lambda _: None
) -> dict[str, Any]:
    """Writes a DATA_DIR.

    Args:
        advance: called now and then with the number of bytes that have been read.
        written: called now and then with the number of pairs that have been written.

    Returns:
        the content of data.json.

    Raises:
        CorpusError: a file cannot be read, or there is no usable pair or article.
        DataError: the folder is there already, and not to be overwritten.
        HeadlineError: the folder cannot be written.
    """
    with _replacing_dataset(job.data_dir, job.overwrite) as scratch:
        with (
            TemporaryDirectory(dir=scratch, prefix=".spool.") as folder,
            ExitStack() as stack,
        ):
            spool = Spool(stack, Path(folder), job.splits)
            counts = _read(job, scratch, spool, advance)
            tokenizer = _make_tokenizer(job.config, spool.lexicon.counts())
            _check_vocab(job.config, tokenizer)
            encode = _encoder(tokenizer, spool.lexicon.pieces, job.workers)
            for split in job.splits:
                encode_split(encode, spool, scratch, split, written)
        tokenizer.save(scratch / VOCAB)
        summary = summarise(job.config, counts, tokenizer)
        names = data_files(job.splits)
        summary["sha256"] = {name: sha256(scratch / name) for name in names}
        write_json(scratch / DATA, summary)
    return summary


def split_of(source: str, config: PrepareConfig) -> str:
    """Returns the split that an article belongs to, by a hash of its text alone."""
    digest = blake2b(source.encode("utf-8"), digest_size=8).digest()
    place = int.from_bytes(digest, "big") / 2**64  # even over 0 to 1
    if place < config.test_size:
        return "test"
    return "valid" if place < config.test_size + config.valid_size else "train"


# --- first pass: files to pieces --------------------------------------------------


@dataclass(frozen=True)
class Part:
    """The pairs of some rows that are in one split."""

    rows: NDArray[np.intp]  # their places among the rows
    sides: tuple[Ragged, ...]  # their pieces, as places in ``Sorted.pieces``
    lengths: tuple[NDArray[np.int64], ...]  # characters of each side, before it is cut
    texts: list[Pair]  # of a held-out split


@dataclass(frozen=True)
class Sorted:
    """What came of some rows, but for duplicates; see ``Judged``."""

    faults: dict[int, Reason]
    digests: dict[int, bytes]
    pieces: Sequence[str]
    parts: dict[str, Part]  # of each split


@dataclass(frozen=True)
class Sorting:
    """What can be done with rows on their own: the work of other processes.

    Args:
        split: of all pairs; by a hash of the article, where it is None.
    """

    reader: RowReader
    config: PrepareConfig
    split: str | None = None

    def sort(self, texts: Sequence[Sequence[str]]) -> Sorted:
        """Turns the texts of ``Rows`` into pairs, and those into pieces."""
        judged = self.reader.judge(texts)
        rows: dict[str, list[int]] = {}
        for row, pair in judged.pairs.items():
            split = self.split or split_of(pair.source, self.config)
            rows.setdefault(split, []).append(row)
        pairs = {split: [judged.pairs[row] for row in rows[split]] for split in rows}
        cut = [text for split in rows for text in self._cut(pairs[split])]
        pieces = TOKENIZERS[self.config.tokenizer].split_all(cut)
        sides = pieces.texts.split([len(rows[split]) for split in rows for _ in SIDES])
        parts = {
            split: _part(rows[split], pairs[split], split, (next(sides), next(sides)))
            for split in rows
        }
        return Sorted(judged.faults, judged.digests, pieces.distinct, parts)

    def _cut(self, pairs: Iterable[Pair]) -> list[str]:
        """Returns what is learned from of the sources, and then the targets."""
        longest = self.config.max_source_length
        sources = [pair.source[:longest] for pair in pairs]
        return sources + [pair.target for pair in pairs]


def _part(
    rows: list[int], pairs: list[Pair], split: str, sides: tuple[Ragged, ...]
) -> Part:
    lengths = tuple(
        np.array([len(text) for text in texts]) for texts in zip(*pairs, strict=True)
    )
    texts = pairs if split in SPLITS[1:] else []
    return Part(np.array(rows), sides, lengths, texts)


class _Keeper:
    """Leaves out the duplicates, counts the rows and writes each to where it belongs.

    The rows come in their order.
    """

    def __init__(
        self, job: Job, counts: Counts, spool: Spool, tables: Mapping[str, Any]
    ) -> None:
        self.job, self.counts = job, counts
        self._spool, self._tables = spool, tables
        self._seen = DigestSet()

    def keep(self, rows: Rows, found: Sorted) -> Counter[str]:
        """Takes what came of rows; returns the pairs of each split."""
        self.counts.rows += len(rows)
        faults = with_duplicates(found.faults, found.digests, self._seen)
        for reject in rows.rejects(faults):
            self._reject(reject)
        new = np.ones(len(rows.numbers), bool)
        new[list(faults)] = False
        numbers = self._spool.lexicon.numbers(found.pieces)
        kept: Counter[str] = Counter()
        for split, part in found.parts.items():
            kept[split] = self._keep(split, part, new[part.rows], numbers)
        return kept

    def _reject(self, reject: Reject) -> None:
        reason = reject.reason.value
        self.counts.rejects[reason] += 1
        row = reject.file, reject.row, reason, reject.excerpt
        self._tables[REJECTS].writerow(row)

    def _keep(
        self, split: str, part: Part, new: NDArray[np.bool_], numbers: Numbers
    ) -> int:
        """Writes the new pairs of a split; returns how many there are."""
        longest = self.job.config.max_source_length
        self.counts.cut += int((part.lengths[0][new] > longest).sum())
        for side, texts, lengths in zip(SIDES, part.sides, part.lengths, strict=True):
            kept = texts if new.all() else texts.where(new)
            kept = kept._replace(numbers=numbers[kept.numbers])
            if split in ("train", UNPAIRED):
                self._spool.lexicon.count(kept.numbers)
            if split != UNPAIRED:
                self.counts.lengths[side].update(lengths[new].tolist())
            self._spool.write(split, side, kept)
        for is_new, (source, target) in zip(new, part.texts, strict=False):
            if is_new:
                self._tables[text_file(split)].writerow((target, source))
        return int(new.sum())


def _read(job: Job, scratch: Path, spool: Spool, advance: Advance) -> Counts:
    counts = Counts(
        [FileCounts(shown(path), job.weights.get(path, 1.0)) for path in job.files],
        {shown(path): 0 for path in job.unpaired},
    )
    with ExitStack() as stack:
        tables = _open_tables(stack, scratch)
        _read_corpora(_Keeper(job, counts, spool, tables), advance)
        _check_usable(job, counts)
        if job.unpaired:
            _read_unpaired(_Keeper(job, counts, spool, tables), advance)
    return counts


def _read_corpora(keeper: _Keeper, advance: Advance) -> None:
    job, config = keeper.job, keeper.job.config
    reader = CorpusReader(
        job.files,
        job.format,
        min_source_length=config.min_source_length,
        min_target_length=config.min_target_length,
        max_target_length=config.max_target_length,
    )
    for rows, found in _sorted_rows(Sorting(reader, config), job.workers, advance):
        keeper.counts.corpora[rows.place].pairs += keeper.keep(rows, found)


def _read_unpaired(keeper: _Keeper, advance: Advance) -> None:
    job, counts = keeper.job, keeper.counts
    rows_before, rejects = counts.rows, counts.rejects.copy()
    held_out = partial(_is_held_out, job.config)
    reader = UnpairedReader(job.unpaired, job.format, job.config, held_out)
    sorting = Sorting(reader, job.config, UNPAIRED)
    for rows, found in _sorted_rows(sorting, job.workers, advance):
        counts.unpaired[rows.file] += keeper.keep(rows, found)[UNPAIRED]
    if not any(counts.unpaired.values()):
        reasons = _reasons(counts.rows - rows_before, counts.rejects - rejects)
        raise CorpusError(f"no usable article in {_listed(job.unpaired)}: {reasons}")


def _is_held_out(config: PrepareConfig, article: str) -> bool:
    return split_of(article, config) != "train"


def _sorted_rows(
    sorting: Sorting, workers: int, advance: Advance
) -> Iterator[tuple[Rows, Sorted]]:
    """Yields rows with what came of them, and tells how far it is.

    The first rows are sorted in this process: of a small corpus they are all, and of a
    large one other processes share what they load.
    """
    under_way: deque[Rows] = deque()

    def texts() -> Iterator[Sequence[Sequence[str]]]:
        for rows in sorting.reader.read():
            under_way.append(rows)
            yield rows.texts

    position = 0
    for found in spread(sorting.sort, texts(), workers, FEW):
        rows = under_way.popleft()
        yield rows, found
        advance(rows.position - position)
        position = rows.position


def _open_tables(stack: ExitStack, scratch: Path) -> Mapping[str, Any]:
    """Opens the CSV files of the held-out splits and the rejects, by their names."""

    def opened(name: str, *header: str) -> Any:
        path = scratch / name
        stream = stack.enter_context(path.open("w", encoding="utf-8", newline=""))
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        return writer

    tables = {
        text_file(split): opened(text_file(split), "title", "content")
        for split in SPLITS[1:]
    }
    return {REJECTS: opened(REJECTS, "file", "row", "reason", "excerpt"), **tables}


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
    raise CorpusError(f"no usable pair in {_listed(job.files)}: {reasons}")


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


def _encoder(tokenizer: Tokenizer, pieces: Sequence[str], workers: int) -> Encode:
    """Returns what turns numbers of pieces into ids.

    A look-up is done sooner than handed over; to cut a text again is not.
    """
    if tokenizer.cuts_alike:
        return partial(map, PieceTable(tokenizer, pieces).encode)
    cut_again = TextTable(tokenizer, pieces).encode
    return lambda pairs: spread(cut_again, pairs, workers, FEW)


# --- the folder -------------------------------------------------------------------


@contextmanager
def _replacing_dataset(folder: Path, overwrite: bool) -> Iterator[Path]:
    """Yields a scratch folder whose files take the place of a dataset on success."""
    if folder.exists():
        _check_replaceable(folder, overwrite)
    with locked(folder):
        tidy(folder)
        with replacing_files(folder, DATA) as scratch:
            yield scratch
            new = {path.name for path in scratch.iterdir()}
        for name in DATASET - new:  # of a dataset with more splits
            (folder / name).unlink(missing_ok=True)


def _check_replaceable(folder: Path, overwrite: bool) -> None:
    if not folder.is_dir():
        raise DataError(f"{folder} is a file: choose another DATA_DIR")
    ours = (LOCK, NEXT, SCRATCH)
    names = {path.name for path in folder.iterdir() if not path.name.startswith(ours)}
    if not names and not located(folder, DATA).exists():
        return
    # Never somebody's folder of other things, whatever the options say.
    if not located(folder, DATA).exists():
        raise DataError(f"{folder} is not empty and holds no prepared corpus")
    if strange := names - DATASET:
        raise DataError(
            f"{folder} holds {min(strange)}, which is no part of a prepared corpus: "
            "choose another DATA_DIR"
        )
    if not overwrite:
        raise DataError(
            f"{folder} holds a prepared corpus: choose another DATA_DIR, "
            "or give --overwrite"
        )
