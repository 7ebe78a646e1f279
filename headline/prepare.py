"""``headline prepare``: corpus files to a DATA_DIR, as a stream.

Two passes. The first reads the files, splits and cuts the texts, and counts their
tokens, with the texts in files of its own; the second turns those into ids. Articles
without headlines come after the pairs, as pseudo-pairs in a split of their own. Memory
holds the counts of tokens and lengths, and a hash of each pair.
"""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, TextIO

import numpy as np

from headline.config import PrepareConfig
from headline.corpus import CorpusReader, Pair, Reject, RowReader, shown
from headline.dataset import (
    DATA,
    REJECTS,
    SIDES,
    SPLITS,
    UNPAIRED,
    VOCAB,
    data_files,
    ids_file,
    offsets_file,
    text_file,
)
from headline.errors import CorpusError, DataError
from headline.files import sha256, write_json
from headline.folders import (
    LOCK,
    NEXT,
    SCRATCH,
    located,
    locked,
    replacing_files,
    tidy,
)
from headline.pseudo import UnpairedReader
from headline.summary import Counts, FileCounts, summarise
from headline.tables import CorpusFormat
from headline.tokenizer import SPECIAL_TOKENS, TOKENIZERS, Tokenizer, Vocab

# Between the pieces of a text in the spool; normalised texts have no such character.
PIECE_END = "\x1f"
OFFSET = Struct("=q")

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

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that the dataset gets."""
        return (*SPLITS, UNPAIRED) if self.unpaired else SPLITS


def prepare(job: Job, advance: Advance = lambda _: None) -> dict[str, Any]:
    """Writes a DATA_DIR.

    Args:
        advance: called now and then with the number of bytes that have been read.

    Returns:
        the content of data.json.

    Raises:
        CorpusError: a file cannot be read, or there is no usable pair or article.
        DataError: the folder is there already, and not to be overwritten.
        HeadlineError: the folder cannot be written.
    """
    with _replacing_dataset(job.data_dir, job.overwrite) as scratch:
        with TemporaryDirectory(dir=scratch, prefix=".spool.") as spool:
            counts = _read(job, scratch, Path(spool), advance)
            tokenizer = _make_tokenizer(job.config, counts.pieces)
            _check_vocab(job.config, tokenizer)
            for split in job.splits:
                _encode_split(tokenizer, Path(spool), scratch, split)
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
class Spool:
    """The files of the first pass."""

    pieces: Mapping[str, Mapping[str, TextIO]]  # of each split and side: line by line
    texts: Mapping[str, Any]  # CSV writers of the held-out splits
    rejects: Any  # CSV writer


class _Sorter:
    """Counts the rows and writes each to where it belongs."""

    def __init__(self, config: PrepareConfig, counts: Counts, spool: Spool) -> None:
        self.config, self.counts, self.spool = config, counts, spool
        self.split_pieces = TOKENIZERS[config.tokenizer].split

    def reject(self, reject: Reject) -> None:
        """Puts a row on the list of rejects."""
        reason = reject.reason.value
        self.counts.rejects[reason] += 1
        row = reject.file, reject.row, reason, reject.excerpt
        self.spool.rejects.writerow(row)

    def keep(self, pair: Pair, split: str) -> None:
        """Cuts the pair into the pieces of its split."""
        longest, counts = self.config.max_source_length, self.counts
        counts.cut += len(pair.source) > longest
        if split in self.spool.texts:
            self.spool.texts[split].writerow((pair.target, pair.source))
        kept = pair._replace(source=pair.source[:longest])
        for side in SIDES:
            if split != UNPAIRED:
                counts.lengths[side][len(getattr(pair, side))] += 1
            pieces = self.split_pieces(getattr(kept, side))
            if split in ("train", UNPAIRED):
                counts.pieces.update(pieces)
            # A string is its own pieces, characters, and needs no marks between them.
            line = pieces if isinstance(pieces, str) else PIECE_END.join(pieces)
            self.spool.pieces[split][side].write(line + "\n")


def _read(job: Job, scratch: Path, spool_dir: Path, advance: Advance) -> Counts:
    counts = Counts(
        [FileCounts(shown(path), job.weights.get(path, 1.0)) for path in job.files],
        {shown(path): 0 for path in job.unpaired},
    )
    with ExitStack() as stack:
        spool = _open_spool(stack, job.splits, scratch, spool_dir)
        sorter = _Sorter(job.config, counts, spool)
        _read_corpora(job, sorter, advance)
        _check_usable(job, counts)
        if job.unpaired:
            _read_unpaired(job, sorter, advance)
    return counts


def _read_corpora(job: Job, sorter: _Sorter, advance: Advance) -> None:
    config, corpora = job.config, sorter.counts.corpora
    reader = CorpusReader(
        job.files,
        job.format,
        min_source_length=config.min_source_length,
        min_target_length=config.min_target_length,
        max_target_length=config.max_target_length,
    )
    for pair in _pairs(reader, sorter, advance):
        split = split_of(pair.source, config)
        corpora[reader.place].pairs[split] += 1
        sorter.keep(pair, split)


def _read_unpaired(job: Job, sorter: _Sorter, advance: Advance) -> None:
    def held_out(article: str) -> bool:
        return split_of(article, job.config) != "train"

    counts = sorter.counts
    rows, rejects = counts.rows, counts.rejects.copy()
    reader = UnpairedReader(job.unpaired, job.format, job.config, held_out)
    for pair in _pairs(reader, sorter, advance):
        counts.unpaired[shown(job.unpaired[reader.place])] += 1
        sorter.keep(pair, UNPAIRED)
    if not any(counts.unpaired.values()):
        reasons = _reasons(counts.rows - rows, counts.rejects - rejects)
        raise CorpusError(f"no usable article in {_listed(job.unpaired)}: {reasons}")


def _pairs(reader: RowReader, sorter: _Sorter, advance: Advance) -> Iterator[Pair]:
    """Yields the pairs of the files, sorts the rejects, and tells how far it is."""
    position = 0
    for number, entry in enumerate(reader, start=1):
        sorter.counts.rows += 1
        if isinstance(entry, Reject):
            sorter.reject(entry)
        else:
            yield entry
        if number % 1000 == 0:
            advance(reader.position() - position)
            position = reader.position()
    advance(reader.position() - position)


def _open_spool(
    stack: ExitStack, splits: Sequence[str], scratch: Path, spool_dir: Path
) -> Spool:
    def opened(path: Path) -> TextIO:
        return stack.enter_context(path.open("w", encoding="utf-8", newline=""))

    def table(name: str, *header: str) -> Any:
        writer = csv.writer(opened(scratch / name), lineterminator="\n")
        writer.writerow(header)
        return writer

    pieces = {
        split: {side: opened(_spool_file(spool_dir, split, side)) for side in SIDES}
        for split in splits
    }
    texts = {split: table(text_file(split), "title", "content") for split in SPLITS[1:]}
    return Spool(pieces, texts, table(REJECTS, "file", "row", "reason", "excerpt"))


def _spool_file(spool_dir: Path, split: str, side: str) -> Path:
    return spool_dir / f"{split}.{side}.txt"


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


# --- second pass: pieces to ids ---------------------------------------------------


def _make_tokenizer(config: PrepareConfig, pieces: Counter[str]) -> Tokenizer:
    kind = TOKENIZERS[config.tokenizer]
    tokens = kind.count(pieces, config.min_count)
    return kind(Vocab.from_counts(tokens, config.vocab_size, config.min_count))


def _check_vocab(config: PrepareConfig, tokenizer: Tokenizer) -> None:
    if tokenizer.vocab.vocab_size == len(SPECIAL_TOKENS):
        raise CorpusError(
            f"no token occurs {config.min_count} times in the train split: "
            "give more pairs, or a smaller --min-count"
        )


def _encode_split(
    tokenizer: Tokenizer, spool_dir: Path, scratch: Path, split: str
) -> None:
    with ExitStack() as stack:

        def opened(side: str, kind: str) -> BinaryIO:
            path = spool_dir / f"{split}.{side}.{kind}"
            return stack.enter_context(path.open("w+b"))

        texts = [
            stack.enter_context(
                _spool_file(spool_dir, split, side).open(encoding="utf-8", newline="\n")
            )
            for side in SIDES
        ]
        ids = {side: opened(side, "ids") for side in SIDES}
        offsets = {side: opened(side, "offsets") for side in SIDES}
        highest = _encode_lines(tokenizer, zip(*texts, strict=True), ids, offsets)
        kind = np.dtype(np.uint16 if highest < 2**16 else np.uint32)
        for side in SIDES:
            _write_array(ids[side], np.int32, scratch / ids_file(split, side), kind)
            path = scratch / offsets_file(split, side)
            _write_array(offsets[side], np.int64, path, np.dtype(np.int64))


def _encode_lines(
    tokenizer: Tokenizer,
    pairs: Iterable[Sequence[str]],
    ids: Mapping[str, BinaryIO],
    offsets: Mapping[str, BinaryIO],
) -> int:
    """Writes the int32 ids and the int64 offsets of each side; returns the highest id.

    Args:
        pairs: of each pair a line of pieces for each side.
    """
    highest, ends = 0, dict.fromkeys(SIDES, 0)
    for stream in offsets.values():
        stream.write(OFFSET.pack(0))
    for lines in pairs:
        extra: Sequence[str] = ()
        for side, line in zip(SIDES, lines, strict=True):
            encoded = tokenizer.encode_pieces(line[:-1].split(PIECE_END), extra)
            extra = encoded.extra
            ids[side].write(encoded.ids.tobytes())
            ends[side] += len(encoded.ids)
            offsets[side].write(OFFSET.pack(ends[side]))
            highest = max(highest, int(encoded.ids.max()))
    return highest


def _write_array(
    raw: BinaryIO,
    raw_type: type[np.signedinteger[Any]],
    path: Path,
    kind: np.dtype[Any],
) -> None:
    """Turns raw numbers into an array file of another type, a piece at a time."""
    total, chunk = raw.tell() // np.dtype(raw_type).itemsize, 1 << 16
    header = {"descr": kind.str, "fortran_order": False, "shape": (total,)}
    raw.seek(0)
    # Not a memory map: where the disk is full, the process would die by a signal.
    with path.open("wb") as target:
        np.lib.format.write_array_header_1_0(target, header)
        for begin in range(0, total, chunk):
            numbers = np.fromfile(raw, raw_type, min(chunk, total - begin))
            target.write(numbers.astype(kind).tobytes())


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
