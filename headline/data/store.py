"""DATA_DIR: its content, and how it is written and opened.

Each split has two flat arrays of ids, sources and targets, each with an array of the
offsets where pairs begin. The ids are memory-mapped, so a corpus need not fit into
memory. The folder also has ``data.json``, ``vocab.json``, the held-out pairs as text,
the rejected rows, and a report for people; ``headline topics`` adds the topic of each
pair.
"""

import csv
import io
import warnings
from collections import Counter
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tokenize import TokenError
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from headline.data.corpus import Pair
from headline.data.mapped import chunks, lengths_of
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
from headline.text.boilerplate import ArticleRules
from headline.text.ids import Ids, Ragged
from headline.text.tokenizer import Tokenizer, Vocab, load_tokenizer

FORMAT = 1
AGAIN = "prepare the corpus again"  # the way out in errors
DATA = "data.json"
VOCAB = "vocab.json"
REJECTS = "rejects.csv"
REPORT = "report.html"  # a page about the corpus; no other program reads it
REPORT_TITLE = "headline: report of a corpus"  # by which it is known
TOPICS = "topics.csv"  # only once ``headline topics`` has written it
TOPICS_HEADER = ("split", "pair", "topic", "probability", "headline")
UNKNOWN = "□"  # for a character that is not in the vocab and stored nowhere as text
SPLITS = ("train", "valid", "test")  # of the pairs
CLEANING = "cleaning"  # in data.json: what was removed, if anything was to be
UNPAIRED = "unpaired"  # the split of pseudo-pairs, which only some datasets have
SIDES = ("source", "target")

# Exceptions that NumPy raises if a file is not an array.
DAMAGES = OSError, ValueError, TypeError, EOFError, TokenError, SyntaxError, Warning

Offsets = NDArray[np.int64]
Places = NDArray[np.intp]
Sides = Sequence[Ragged]  # sources and targets of some pairs, as numbers
Append = Callable[[NDArray[Any]], object]


def ids_file(split: str, side: str) -> str:
    """Returns the file name of the ids of one side of a split."""
    return f"{split}.{side}.npy"


def offsets_file(split: str, side: str) -> str:
    """Returns the file name of the offsets of one side of a split."""
    return f"{split}.{side}_offsets.npy"


def text_file(split: str) -> str:
    """Returns the name of the CSV file with the pairs of a split as text."""
    return f"{split}.csv"


def data_files(splits: Iterable[str] = SPLITS) -> list[str]:
    """Returns the names of the files whose checksums are in data.json."""
    names = [VOCAB, *(text_file(split) for split in SPLITS[1:])]
    for split in splits:
        for side in SIDES:
            names += [ids_file(split, side), offsets_file(split, side)]
    return names


# All files that a dataset can have.
DATASET = {DATA, REJECTS, REPORT, TOPICS, *data_files((*SPLITS, UNPAIRED))}


# --- reading ----------------------------------------------------------------------


@dataclass(frozen=True)
class Corpus:
    """The train pairs of one file; they are consecutive in the split."""

    file: str
    weight: float  # average number of times that an epoch uses a pair
    pairs: int

    @property
    def epoch_pairs(self) -> int:
        """How many pairs an epoch sees, with those that it sees again."""
        return round(self.weight * self.pairs)


@dataclass(frozen=True)
class Side:
    """One side of a split: the sources, or the targets."""

    ids: NDArray[np.unsignedinteger[Any]]  # of all pairs, concatenated
    offsets: Offsets  # (pairs + 1,): the begin of each pair, and the end
    new_ids: Ids | None = None  # maps each id to the id in another vocab

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> Ids:
        begin, end = self.offsets[index : index + 2]
        ids = self.ids[begin:end].astype(np.int32)
        return ids if self.new_ids is None else _translate(ids, self.new_ids)

    def lengths(self) -> Offsets:
        """Returns the number of tokens of each pair."""
        return np.diff(self.offsets)

    def counts(self, vocab_size: int) -> NDArray[np.int64]:
        """Returns the number of occurrences of each id below V, shape ``(V,)``."""
        counts = np.zeros(vocab_size + 1, np.int64)
        for chunk in chunks(self.ids):
            ids = chunk.astype(np.int32)
            if self.new_ids is not None:
                ids = _translate(ids, self.new_ids)
            known = np.minimum(ids, vocab_size)
            counts += np.bincount(known, minlength=vocab_size + 1)
        return counts[:-1]


def _translate(ids: Ids, new_ids: Ids) -> Ids:
    """Translates ids into another vocab; an article's own ids come after all tokens."""
    last = len(new_ids) - 1  # the number of tokens, and the first own id
    own = np.maximum(ids - last, 0)
    return new_ids[np.minimum(ids, last)] + own


@dataclass(frozen=True)
class Split:
    """The pairs of one split."""

    source: Side
    target: Side
    # The files of the pairs, if any has a weight other than 1.
    corpora: tuple[Corpus, ...] = field(default=(), kw_only=True)

    def __len__(self) -> int:
        return len(self.source)

    def with_ids(self, new_ids: Ids) -> "Split":
        """Returns the same pairs with other ids; see ``Side.new_ids``."""
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
        """Checksums and weights; equal if two datasets are the same to a training."""
        weights = [corpus.weight for corpus in self.splits["train"].corpora]
        return {**self.summary["sha256"], **({"weights": weights} if weights else {})}

    @property
    def rules(self) -> ArticleRules:
        """What was removed from the articles, so that a model can do the same."""
        return _rules_of(self.summary)

    @property
    def origin(self) -> dict[str, Any]:
        """The description of the data that a trained model stores, ready for JSON.

        It has the names of the files without folders, because paths may reveal private
        details.
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
        """Returns the same pairs with the ids of another vocab, also memory-mapped.

        Characters outside this dataset's vocab keep ids of their own even if the other
        vocab has them, because the dataset does not store which characters they are.

        Args:
            vocab: contains all tokens of this dataset, in any order.
        """
        places = {token: index for index, token in enumerate(vocab.tokens)}
        tokens = self.tokenizer.vocab.tokens
        new_ids = np.array([places[token] for token in tokens] + [len(vocab)], np.int32)
        splits = {name: split.with_ids(new_ids) for name, split in self.splits.items()}
        tokenizer = type(self.tokenizer)(vocab)
        return replace(self, tokenizer=tokenizer, splits=splits)

    def sample(self, split: str, wanted: int) -> list[Pair]:
        """Returns up to ``wanted`` evenly spaced pairs of ``valid`` or ``test``.

        Raises:
            DataError: the CSV file of the split is damaged.
        """
        places = set(evenly(len(self.splits[split]), wanted))
        return [
            pair for place, pair in enumerate(self._texts(split)) if place in places
        ]

    def _texts(self, split: str) -> Iterator[Pair]:
        """Yields the pairs of ``valid`` or ``test`` as text, in the order of ids."""
        path = self.text_path(split)
        with open_table(path, CorpusFormat(encoding="utf-8")) as table:
            if missing := {"content", "title"} - set(table.columns):
                raise DataError(f"{path} is damaged: no column {min(missing)}")
            for row in table:
                yield Pair(row.values["content"], row.values["title"])

    def headlines(self, split: str) -> Iterator[str]:
        """Yields the headlines of a split, in the order of its pairs.

        Those of the train split are made from ids; see ``decoded``.

        Raises:
            DataError: the CSV file of the split is damaged.
        """
        target = self.splits[split].target
        if split not in SPLITS[1:]:
            yield from (self.decoded(target[place]) for place in range(len(target)))
            return
        texts = [pair.target for pair in self._texts(split)]
        if len(texts) != len(target):
            raise DataError(f"{self.text_path(split)} has another number of pairs")
        yield from texts

    def decoded(self, ids: Ids) -> str:
        """Returns the text of ids, with UNKNOWN for characters outside the vocab."""
        known = len(self.tokenizer.vocab)
        return self.tokenizer.decode(np.minimum(ids, known).tolist(), (UNKNOWN,))


def evenly(total: int, wanted: int) -> list[int]:
    """Returns up to ``wanted`` evenly spaced indices below ``total``."""
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
            f"{path} has format {got!r}, this version reads {FORMAT}: {AGAIN}"
        )
    try:
        config = PrepareConfig.from_dict(summary["config"])
        _rules_of(summary)
        return summary, config, dict(summary["sha256"])
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is damaged: {error}") from error


def _rules_of(summary: Mapping[str, Any]) -> ArticleRules:
    """Returns the rules by which articles were cleaned; none without cleaning."""
    cleaning = summary.get(CLEANING, {"rules": {}})
    if not isinstance(cleaning, dict):
        raise TypeError("its cleaning is no object")
    return ArticleRules.from_dict(cleaning["rules"])


def _splits_of(summary: Mapping[str, Any]) -> tuple[str, ...]:
    return (*SPLITS, UNPAIRED) if UNPAIRED in summary else SPLITS


@dataclass(frozen=True)
class Outline:
    """A description of a DATA_DIR, made without reading its pairs."""

    summary: Mapping[str, Any]  # the content of data.json
    config: PrepareConfig
    tokenizer: Tokenizer
    files: Sequence[Path]


def dataset_files(data_dir: Path) -> list[Path]:
    """Returns all files that a dataset can have in the folder."""
    return [data_dir / name for name in sorted(DATASET)]


def is_prepared(data_dir: Path) -> bool:
    """Tells whether the folder holds a dataset, even a damaged one."""
    return located(data_dir, DATA).exists()


def outline(data_dir: Path) -> Outline:
    """Reads the description of a DATA_DIR, fast even if it is large.

    Raises:
        DataError: a file is missing, or data.json or vocab.json is damaged.
    """
    return read_whole(data_dir, DATA, _outline)


def _outline(data_dir: Path) -> Outline:
    summary, config, checksums = _read_summary(data_dir)
    for name in data_files(_splits_of(summary)):
        if not located(data_dir, name).is_file():
            raise DataError(f"{data_dir / name} is missing: {AGAIN}")
    vocab = located(data_dir, VOCAB)
    check_sha256(vocab, checksums.get(VOCAB, ""), DataError)
    places = (located(data_dir, name) for name in sorted(DATASET))
    files = [path for path in places if path.is_file()]
    return Outline(summary, config, load_tokenizer(vocab, DataError), files)


def _open_split(data_dir: Path, split: str) -> Split:
    source, target = (_open_side(data_dir, split, side) for side in SIDES)
    if len(source) != len(target):
        name = offsets_file(split, "target")
        raise DataError(
            f"{data_dir / name} is damaged: there are {len(target):,} headlines for "
            f"{len(source):,} articles; {AGAIN}"
        )
    return Split(source, target)


def _weighted(train: Split, path: Path, summary: Mapping[str, Any]) -> Split:
    """Adds the corpora to the train split, if any has a weight other than 1."""
    try:
        corpora = [
            Corpus(str(entry["file"]), float(entry["weight"]), int(entry["train"]))
            for entry in summary.get("corpora", ())  # older versions have none
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is damaged: {error!r} in its corpora") from error
    if all(corpus.weight == 1 for corpus in corpora):
        return train
    if not all(
        0 < corpus.weight <= MOST_WEIGHT and corpus.pairs >= 0 for corpus in corpora
    ):
        raise DataError(f"{path} is damaged: its corpora have impossible weights")
    if (pairs := sum(corpus.pairs for corpus in corpora)) != len(train):
        raise DataError(
            f"{path} is damaged: its corpora have {pairs:,} train pairs together, but "
            f"the train split has {len(train):,}; {AGAIN}"
        )
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
        and all((lengths > 0).all() for lengths in lengths_of(offsets))
    )
    if not whole:
        raise DataError(f"{path} is damaged: its offsets do not fit the ids")
    return Side(ids, offsets)


def _open_array(path: Path) -> NDArray[Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy warns of unknown types
            array: NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
    except DAMAGES as error:
        # Not NumPy's own message: it quotes the header, which may be anything.
        raise DataError(f"{path} is damaged: it is no array of NumPy's") from error
    if array.ndim != 1:
        raise DataError(f"{path} is damaged: it must have one axis")
    return array


# --- topics ------------------------------------------------------------------------


def count_topics(data_dir: Path) -> Counter[int]:
    """Returns the number of pairs of each topic; empty before ``headline topics``.

    Raises:
        DataError: the file is damaged.
    """
    path = located(data_dir, TOPICS)
    if not path.is_file():
        return Counter()
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return Counter(int(row["topic"]) for row in csv.DictReader(stream))
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise DataError(
            f"{path} is damaged: `headline topics --overwrite` writes it again"
        ) from error


@dataclass(frozen=True)
class TopicsDraft:
    """Topics that are being written.

    Attributes:
        folder: the folder for the files.
        write_row: writes a row of topics.csv; see TOPICS_HEADER.
    """

    folder: Path
    write_row: Callable[[Iterable[object]], object]

    def write_report(self, page: str) -> None:
        """Writes the report of the corpus, which shows the topics."""
        _write_report(self.folder, page)


def _write_report(folder: Path, page: str) -> None:
    (folder / REPORT).write_text(page, encoding="utf-8", newline="\n")


def read_report(data_dir: Path) -> str | None:
    """Returns the report of the corpus; None if there is none, or it is damaged.

    Older versions wrote none.
    """
    try:
        return located(data_dir, REPORT).read_text("utf-8")
    except (OSError, UnicodeError):
        return None


@contextmanager
def replacing_topics(data_dir: Path, overwrite: bool) -> Iterator[TopicsDraft]:
    """Yields a draft of the topics of a dataset.

    Its files appear together once the body succeeds. No other process can prepare the
    dataset again meanwhile.

    Raises:
        DataError: there is no dataset, or it has topics that must not be overwritten.
        HeadlineError: the folder cannot be written.
    """
    _read_summary(data_dir)  # refuses a folder without a dataset
    if located(data_dir, TOPICS).exists() and not overwrite:
        raise DataError(
            f"{data_dir / TOPICS} exists: give --overwrite to find the topics again"
        )
    with locked(data_dir):
        tidy(data_dir)
        with (
            replacing_files(data_dir, DATA) as scratch,
            (scratch / TOPICS).open("w", encoding="utf-8", newline="") as stream,
        ):
            yield TopicsDraft(scratch, csv_table(stream, TOPICS_HEADER))


# --- writing -----------------------------------------------------------------------


def rows_as_csv(rows: Iterable[Iterable[object]]) -> NDArray[np.uint8]:
    """Returns rows as the tables of a dataset have them, as bytes without a header."""
    stream = io.StringIO(newline="")
    write = csv_table(stream, ())
    begin = stream.tell()  # after an empty header
    for row in rows:
        write(row)
    stream.seek(begin)
    return np.frombuffer(stream.read().encode(), np.uint8)


class Draft:
    """A dataset that is being written.

    Args:
        folder: the folder for its files.
        stack: closes the files.
        splits: the splits of the dataset.
    """

    def __init__(self, folder: Path, stack: ExitStack, splits: Sequence[str]) -> None:
        self.folder, self.splits = folder, splits
        self._stack = stack
        self._streams: dict[str, TextIO] = {}
        self._reject = self._table(REJECTS, "file", "row", "reason", "excerpt")
        self._texts = {
            split: self._table(text_file(split), "title", "content")
            for split in SPLITS[1:]
        }

    def _table(self, name: str, *header: str) -> Callable[[Iterable[object]], object]:
        path = self.folder / name
        stream = path.open("w", encoding="utf-8", newline="")
        self._streams[name] = self._stack.enter_context(stream)
        return csv_table(stream, header)

    def append_rows(self, name: str, rows: bytes) -> None:
        """Appends rows that ``rows_as_csv`` made to a table of text.

        Args:
            name: the name of the file.
        """
        self._streams[name].write(rows.decode())

    def keep_text(self, split: str, pair: Pair) -> None:
        """Writes a pair of a held-out split as text."""
        self._texts[split]((pair.target, pair.source))

    def reject(self, file: str, row: int, reason: str, excerpt: str) -> None:
        """Writes a rejected row."""
        self._reject((file, row, reason, excerpt))

    def write_report(self, page: str) -> None:
        """Writes the report of the corpus."""
        _write_report(self.folder, page)

    def write_ids(
        self,
        split: str,
        encode: Callable[[], Iterable[Sides]],
        advance: Callable[[int], object],
    ) -> None:
        """Writes the arrays of a split; ids take two bytes if all of them fit.

        Args:
            encode: yields the ids of all pairs; called again if they do not fit.
            advance: called with the number of pairs written since the last call.
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
        """Writes ids as ``kind``, and offsets; returns the highest id, fit or not."""
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
        """Writes vocab.json and data.json; returns the content of data.json."""
        self._stack.close()
        tokenizer.save(self.folder / VOCAB)
        names = data_files(self.splits)
        checksums = {name: sha256(self.folder / name) for name in names}
        content = {"format": FORMAT, **summary, "sha256": checksums}
        write_json(self.folder / DATA, content)
        return content


@contextmanager
def _growing_array(path: Path, kind: type[np.integer[Any]]) -> Iterator[Append]:
    """Yields a function that appends numbers to an array file.

    Not a memory map: on a full disk, a signal would kill the process.
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
        write_header()  # same size as before: NumPy leaves room to grow


@contextmanager
def replacing_dataset(
    folder: Path, splits: Sequence[str], overwrite: bool
) -> Iterator[Draft]:
    """Yields a draft whose files replace the dataset in the folder on success.

    Raises:
        DataError: the folder exists and must not be overwritten.
        HeadlineError: the folder cannot be written.
    """
    if folder.exists():
        _check_replaceable(folder, overwrite)
    with locked(folder):
        tidy(folder)
        with replacing_files(folder, DATA) as scratch:
            with ExitStack() as stack:
                yield Draft(scratch, stack, splits)
            new = {path.name for path in scratch.iterdir()}
        for name in DATASET - new:  # left by a dataset with more splits
            (folder / name).unlink(missing_ok=True)


@contextmanager
def replacing_report(folder: Path, splits: Sequence[str]) -> Iterator[Draft]:
    """Yields a draft of which only the report is kept.

    Raises:
        DataError: the folder holds a dataset, or files of others.
        HeadlineError: the folder cannot be written.
    """
    if is_prepared(folder):
        raise DataError(
            f"{folder} holds a prepared corpus, which --dry-run does not replace: "
            "choose another DATA_DIR"
        )
    if folder.exists():
        _check_replaceable(folder, overwrite=False)
    with locked(folder):
        tidy(folder)
        with replacing_files(folder, REPORT) as scratch:
            with ExitStack() as stack:
                yield Draft(scratch, stack, splits)
            for path in scratch.iterdir():
                if path.name != REPORT:
                    path.unlink()


def _check_replaceable(folder: Path, overwrite: bool) -> None:
    if not folder.is_dir():
        raise DataError(f"{folder} is a file: choose another DATA_DIR")
    ours = (LOCK, NEXT, SCRATCH)
    names = {path.name for path in folder.iterdir() if not path.name.startswith(ours)}
    if not is_prepared(folder) and (not names or _is_of_dry_run(folder, names)):
        return
    # Never replace a folder with other files, whatever the options say.
    if not located(folder, DATA).exists():
        raise DataError(
            f"{folder} is not empty and holds no prepared corpus: "
            "choose another DATA_DIR"
        )
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


def _is_of_dry_run(folder: Path, names: Collection[str]) -> bool:
    """Tells whether the folder has only a report that ``prepare --dry-run`` wrote."""
    if names != {REPORT}:
        return False
    try:
        with (folder / REPORT).open(encoding="utf-8") as stream:
            return REPORT_TITLE in stream.read(1000)
    except (OSError, ValueError):
        return False
