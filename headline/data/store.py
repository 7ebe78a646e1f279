"""DATA_DIR: what is in it, how it is written and how it is opened.

Each split has two flat arrays of ids, one behind the other, with the offset at which
each pair begins; they are read by memory map, so a corpus need not fit into memory.
Beside them lie ``data.json``, ``vocab.json``, the held-out pairs as text, and the rows
that gave no pair.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headline.data.corpus import Pair
from headline.errors import ConfigError, DataError
from headline.formats.tables import CorpusFormat, open_table
from headline.formats.writing import csv_table
from headline.settings.prepare import MOST_WEIGHT, PrepareConfig
from headline.system.files import check_sha256, read_json, sha256, write_json
from headline.system.folders import (
    LOCK,
    NEXT,
    SCRATCH,
    located,
    locked,
    read_whole,
    replacing_files,
    tidy,
)
from headline.text.ids import Ids, Ragged
from headline.text.tokenizer import Tokenizer, Vocab, load_tokenizer

FORMAT = 1
DATA = "data.json"
VOCAB = "vocab.json"
REJECTS = "rejects.csv"
SPLITS = ("train", "valid", "test")  # of the pairs
UNPAIRED = "unpaired"  # the split of pseudo-pairs, which not every dataset has
SIDES = ("source", "target")

COUNTED = 1 << 20  # ids at once, of any number

# What NumPy raises where a file is no array.
DAMAGES = OSError, ValueError, TypeError, EOFError, TokenError, SyntaxError, Warning

Offsets = NDArray[np.int64]
Places = NDArray[np.intp]
Sides = Sequence[Ragged]  # both sides of some pairs, in numbers
Append = Callable[[NDArray[Any]], object]


def ids_file(split: str, side: str) -> str:
    """Returns the name of the array of ids of one side of a split."""
    return f"{split}.{side}.npy"


def offsets_file(split: str, side: str) -> str:
    """Returns the name of the array of offsets of one side of a split."""
    return f"{split}.{side}_offsets.npy"


def text_file(split: str) -> str:
    """Returns the name of the CSV file with the pairs of a split as text."""
    return f"{split}.csv"


def data_files(splits: Iterable[str] = SPLITS) -> list[str]:
    """Returns the names of the files that data.json has checksums of."""
    names = [VOCAB, *(text_file(split) for split in SPLITS[1:])]
    for split in splits:
        for side in SIDES:
            names += [ids_file(split, side), offsets_file(split, side)]
    return names


# All files that a dataset can have.
DATASET = {DATA, REJECTS, *data_files((*SPLITS, UNPAIRED))}


# --- what is opened ---------------------------------------------------------------


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


@dataclass(frozen=True)
class Side:
    """One side of a split: the sources, or the targets."""

    ids: NDArray[np.unsignedinteger[Any]]  # of all pairs, one behind the other
    offsets: Offsets  # (pairs + 1,): where each begins, and the end
    new_ids: Ids | None = None  # the id of another vocab for each of this one's

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> Ids:
        begin, end = self.offsets[index : index + 2]
        ids = self.ids[begin:end].astype(np.int32)
        return ids if self.new_ids is None else _translate(ids, self.new_ids)

    def lengths(self) -> Offsets:
        """Returns the tokens of each pair."""
        return np.diff(self.offsets)

    def counts(self, vocab_size: int) -> NDArray[np.int64]:
        """Returns how often each id below V stands there, ``(V,)``."""
        counts = np.zeros(vocab_size + 1, np.int64)
        for begin in range(0, len(self.ids), COUNTED):
            ids = self.ids[begin : begin + COUNTED].astype(np.int32)
            if self.new_ids is not None:
                ids = _translate(ids, self.new_ids)
            known = np.minimum(ids, vocab_size)
            counts += np.bincount(known, minlength=vocab_size + 1)
        return counts[:-1]


def _translate(ids: Ids, new_ids: Ids) -> Ids:
    """Turns ids into another vocab's; an article's own come behind all tokens."""
    last = len(new_ids) - 1  # the number of tokens, and the place of the first own id
    own = np.maximum(ids - last, 0)
    return new_ids[np.minimum(ids, last)] + own


@dataclass(frozen=True)
class Split:
    """The pairs of one split."""

    source: Side
    target: Side
    # Where they come from, if an epoch does not see each of them once.
    corpora: tuple[Corpus, ...] = field(default=(), kw_only=True)

    def __len__(self) -> int:
        return len(self.source)

    def with_ids(self, new_ids: Ids) -> "Split":
        """Returns the same pairs with other ids, see ``Side.new_ids``."""
        source = replace(self.source, new_ids=new_ids)
        return replace(
            self, source=source, target=replace(self.target, new_ids=new_ids)
        )

    @property
    def epoch_pairs(self) -> int:
        """How many pairs an epoch sees, with those that it sees again."""
        if not self.corpora:
            return len(self)
        return sum(corpus.epoch_pairs for corpus in self.corpora)


@dataclass(frozen=True)
class Dataset:
    """A DATA_DIR that has been opened and checked."""

    path: Path
    config: PrepareConfig
    summary: Mapping[str, Any]  # the content of data.json
    tokenizer: Tokenizer
    splits: Mapping[str, Split]

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """What is the same for two datasets that a training reads alike."""
        weights = [corpus.weight for corpus in self.splits["train"].corpora]
        return {**self.summary["sha256"], **({"weights": weights} if weights else {})}

    @property
    def origin(self) -> dict[str, Any]:
        """What a model tells of the data that it was trained on, ready for JSON.

        Of each file it has the name alone: paths tell of people and their machines.
        """
        known = ("config", "counts", "sha256")
        pairs = [
            {
                "file": Path(one["file"]).name,
                "weight": one["weight"],
                "pairs": {split: one.get(split, 0) for split in SPLITS},
            }
            for one in self.summary.get("corpora", ())
        ]
        alone = [
            {"file": Path(file).name, "weight": 1.0, "pairs": {"pseudo-pairs": count}}
            for file, count in self.summary.get(UNPAIRED, {}).items()
        ]
        return {**{name: self.summary[name] for name in known}, "files": pairs + alone}

    def text_path(self, split: str) -> Path:
        """Returns the CSV file with the pairs of ``valid`` or ``test`` as text."""
        return located(self.path, text_file(split))

    def with_vocab(self, vocab: Vocab) -> "Dataset":
        """Returns the same pairs with the ids of another vocab, read likewise.

        An article's own characters, outside the train split, keep ids of their own even
        where the other vocab has them: which characters they are is not kept.

        Args:
            vocab: has all tokens of this dataset's, in any order.
        """
        places = {token: index for index, token in enumerate(vocab.tokens)}
        tokens = self.tokenizer.vocab.tokens
        new_ids = np.array([places[token] for token in tokens] + [len(vocab)], np.int32)
        splits = {name: split.with_ids(new_ids) for name, split in self.splits.items()}
        tokenizer = type(self.tokenizer)(vocab)
        return replace(self, tokenizer=tokenizer, splits=splits)

    def sample(self, split: str, wanted: int) -> list[Pair]:
        """Returns up to ``wanted`` pairs of ``valid`` or ``test``, evenly spread.

        Raises:
            DataError: their file is damaged.
        """
        places = set(evenly(len(self.splits[split]), wanted))
        path = self.text_path(split)
        with open_table(path, CorpusFormat(encoding="utf-8")) as table:
            if missing := {"content", "title"} - set(table.columns):
                raise DataError(f"{path} is damaged: no column {min(missing)}")
            return [
                Pair(row.values["content"], row.values["title"])
                for place, row in enumerate(table)
                if place in places
            ]


def evenly(total: int, wanted: int) -> list[int]:
    """Returns up to ``wanted`` places spread evenly over ``total``."""
    wanted = min(wanted, total)
    return [place * total // wanted for place in range(wanted)]


def open_dataset(data_dir: Path) -> Dataset:
    """Opens and checks a DATA_DIR.

    Raises:
        DataError: a file is missing, damaged or of another format version.
    """
    return read_whole(data_dir, DATA, _open_dataset)


def _open_dataset(data_dir: Path) -> Dataset:
    path = located(data_dir, DATA)
    summary, config, checksums = _read_summary(data_dir)
    names = _splits_of(summary)
    for name in data_files(names):
        check_sha256(located(data_dir, name), checksums.get(name, ""), DataError)
    tokenizer = load_tokenizer(located(data_dir, VOCAB), DataError)
    splits = {split: _open_split(data_dir, split) for split in names}
    splits["train"] = _weighted(splits["train"], path, summary)
    return Dataset(data_dir, config, summary, tokenizer, splits)


def _read_summary(
    data_dir: Path,
) -> tuple[dict[str, Any], PrepareConfig, dict[str, Any]]:
    """Returns the content of data.json, with its settings and checksums.

    Raises:
        DataError: it is missing, damaged or of another format version.
    """
    path = located(data_dir, DATA)
    if not path.is_file():
        raise DataError(
            f"{data_dir} holds no prepared corpus: run `headline prepare` first"
        )
    summary = read_json(path, DataError)
    if summary.get("format") != FORMAT:
        got = summary.get("format")
        raise DataError(
            f"{path} has format {got!r}, this version reads {FORMAT}: "
            "prepare the corpus again"
        )
    try:
        config = PrepareConfig.from_dict(summary["config"])
        return summary, config, dict(summary["sha256"])
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is damaged: {error}") from error


def _splits_of(summary: Mapping[str, Any]) -> tuple[str, ...]:
    return (*SPLITS, UNPAIRED) if UNPAIRED in summary else SPLITS


@dataclass(frozen=True)
class Outline:
    """What a DATA_DIR says of itself; its pairs were not looked at."""

    summary: Mapping[str, Any]  # the content of data.json
    config: PrepareConfig
    tokenizer: Tokenizer
    files: Sequence[Path]


def dataset_files(data_dir: Path) -> list[Path]:
    """Returns the files of a dataset that can be there."""
    return [data_dir / name for name in sorted(DATASET)]


def is_prepared(data_dir: Path) -> bool:
    """Tells whether the folder holds a dataset, even a damaged one."""
    return located(data_dir, DATA).exists()


def outline(data_dir: Path) -> Outline:
    """Reads what a DATA_DIR says of itself, however large it is.

    Raises:
        DataError: a file is missing, or one of those that tell of the others damaged.
    """
    return read_whole(data_dir, DATA, _outline)


def _outline(data_dir: Path) -> Outline:
    summary, config, checksums = _read_summary(data_dir)
    for name in data_files(_splits_of(summary)):
        if not located(data_dir, name).is_file():
            raise DataError(f"{data_dir / name} is missing")
    vocab = located(data_dir, VOCAB)
    check_sha256(vocab, checksums.get(VOCAB, ""), DataError)
    places = (located(data_dir, name) for name in sorted(DATASET))
    files = [path for path in places if path.is_file()]
    return Outline(summary, config, load_tokenizer(vocab, DataError), files)


def _open_split(data_dir: Path, split: str) -> Split:
    source, target = (_open_side(data_dir, split, side) for side in SIDES)
    if len(source) != len(target):
        name = offsets_file(split, "target")
        raise DataError(f"{data_dir / name} has another number of pairs than sources")
    return Split(source, target)


def _weighted(train: Split, path: Path, summary: Mapping[str, Any]) -> Split:
    """Adds the corpora of the pairs where an epoch does not see each pair once."""
    try:
        corpora = [
            Corpus(str(entry["file"]), float(entry["weight"]), int(entry["train"]))
            for entry in summary.get("corpora", ())  # older versions named none
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is damaged: {error!r} in its corpora") from error
    if all(corpus.weight == 1 for corpus in corpora):
        return train
    if not all(
        0 < corpus.weight <= MOST_WEIGHT and corpus.pairs >= 0 for corpus in corpora
    ):
        raise DataError(f"{path} is damaged: its corpora have impossible weights")
    if sum(corpus.pairs for corpus in corpora) != len(train):
        raise DataError(f"{path} is damaged: its corpora have other pairs than train")
    return replace(train, corpora=tuple(corpora))


def _open_side(data_dir: Path, split: str, side: str) -> Side:
    ids = _open_array(located(data_dir, ids_file(split, side)))
    path = located(data_dir, offsets_file(split, side))
    offsets = _open_array(path)
    whole = (
        offsets.dtype == np.int64
        and ids.dtype in (np.uint16, np.uint32)
        and len(offsets) > 0
        and offsets[0] == 0
        and offsets[-1] == len(ids)
        and bool((np.diff(offsets) > 0).all())
    )
    if not whole:
        raise DataError(f"{path} is damaged: its offsets do not fit the ids")
    return Side(ids, offsets)


def _open_array(path: Path) -> NDArray[Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy's, of types that nobody wrote
            array: NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
    except DAMAGES as error:
        # NumPy quotes the header, which may be anything.
        raise DataError(f"{path} is damaged: it is no array of NumPy's") from error
    if array.ndim != 1:
        raise DataError(f"{path} is damaged: it must have one axis")
    return array


# --- what is written ---------------------------------------------------------------


class Draft:
    """A dataset that is being written.

    Args:
        folder: takes its files.
        stack: closes them.
        splits: the ones that it has.
    """

    def __init__(self, folder: Path, stack: ExitStack, splits: Sequence[str]) -> None:
        self.folder, self.splits = folder, splits
        self._stack = stack
        self._reject = self._table(REJECTS, "file", "row", "reason", "excerpt")
        self._texts = {
            split: self._table(text_file(split), "title", "content")
            for split in SPLITS[1:]
        }

    def _table(self, name: str, *header: str) -> Callable[[Iterable[object]], object]:
        path = self.folder / name
        stream = path.open("w", encoding="utf-8", newline="")
        return csv_table(self._stack.enter_context(stream), header)

    def keep_text(self, split: str, pair: Pair) -> None:
        """Writes a pair of a held-out split as text."""
        self._texts[split]((pair.target, pair.source))

    def reject(self, file: str, row: int, reason: str, excerpt: str) -> None:
        """Writes down a row that gives no pair."""
        self._reject((file, row, reason, excerpt))

    def write_ids(
        self,
        split: str,
        encode: Callable[[], Iterable[Sides]],
        advance: Callable[[int], object],
    ) -> None:
        """Writes the arrays of a split; ids take two bytes where all of them fit.

        Args:
            encode: yields the ids of all pairs; called again where they do not fit.
            advance: called now and then with the number of pairs that are written.
        """

        def counted() -> Iterator[Sides]:
            for pairs in encode():
                yield pairs
                advance(len(pairs[0].lengths))
                del pairs  # while the next are worked on

        if self._write_arrays(split, counted(), np.uint16) > np.iinfo(np.uint16).max:
            self._write_arrays(split, encode(), np.uint32)

    def _write_arrays(
        self, split: str, encoded: Iterable[Sides], kind: type[np.integer[Any]]
    ) -> int:
        """Writes ids of a kind, and offsets; returns the highest id, fit or not."""
        highest = 0
        with ExitStack() as stack:

            def opened(name: str, kind: type[np.integer[Any]]) -> Append:
                path = self.folder / name
                return stack.enter_context(_growing_array(path, kind))

            ids = [opened(ids_file(split, side), kind) for side in SIDES]
            offsets = [opened(offsets_file(split, side), np.int64) for side in SIDES]
            for append in offsets:
                append(np.zeros(1, np.int64))
            ends = [0 for _ in SIDES]
            for pairs in encoded:
                for side, (numbers, lengths) in enumerate(pairs):
                    ids[side](numbers)
                    offsets[side](ends[side] + np.cumsum(lengths))
                    ends[side] += len(numbers)
                    highest = max(highest, int(numbers.max()))
                del pairs, numbers, lengths  # while the next are worked on
        return highest

    def finish(
        self, tokenizer: Tokenizer, summary: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Writes the vocab and data.json; returns the content of the latter."""
        self._stack.close()
        tokenizer.save(self.folder / VOCAB)
        names = data_files(self.splits)
        checksums = {name: sha256(self.folder / name) for name in names}
        content = {"format": FORMAT, **summary, "sha256": checksums}
        write_json(self.folder / DATA, content)
        return content


@contextmanager
def _growing_array(path: Path, kind: type[np.integer[Any]]) -> Iterator[Append]:
    """Yields what puts numbers at the end of an array file.

    Not a memory map: where the disk is full, the process would die by a signal.
    """
    size, dtype = 0, np.dtype(kind)
    with path.open("wb") as stream:

        def write_header() -> None:
            header = {"descr": dtype.str, "fortran_order": False, "shape": (size,)}
            np.lib.format.write_array_header_1_0(stream, header)

        def write(numbers: NDArray[Any]) -> None:
            nonlocal size
            size += len(numbers)
            stream.write(np.ascontiguousarray(numbers, dtype).data)

        write_header()
        yield write
        stream.seek(0)
        write_header()  # as long as the first one: NumPy leaves room for it to grow


@contextmanager
def replacing_dataset(
    folder: Path, splits: Sequence[str], overwrite: bool
) -> Iterator[Draft]:
    """Yields a draft whose files take the place of a dataset on success.

    Raises:
        DataError: the folder is there already, and not to be overwritten.
        HeadlineError: it cannot be written.
    """
    if folder.exists():
        _check_replaceable(folder, overwrite)
    with locked(folder):
        tidy(folder)
        with replacing_files(folder, DATA) as scratch:
            with ExitStack() as stack:
                yield Draft(scratch, stack, splits)
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
