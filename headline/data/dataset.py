"""DATA_DIR: ids of all pairs in flat arrays, and the plan of batches by bucket.

Each split has two flat arrays of ids, one behind the other, with the offset at which
each pair begins; they are read by memory map, so a corpus need not fit into memory.
"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headline.data.corpus import Pair
from headline.data.mixture import Corpus, Places, epoch_places
from headline.errors import ConfigError, DataError
from headline.formats.tables import CorpusFormat, open_table
from headline.settings.prepare import MOST_WEIGHT, PrepareConfig
from headline.system.files import check_sha256, read_json
from headline.system.folders import located, read_whole
from headline.text.ids import BOS, EOS, PAD, Ids, pad
from headline.text.tokenizer import Tokenizer, Vocab, load_tokenizer

FORMAT = 1
DATA = "data.json"
VOCAB = "vocab.json"
REJECTS = "rejects.csv"
SPLITS = ("train", "valid", "test")  # of the pairs
UNPAIRED = "unpaired"  # the split of pseudo-pairs, which not every dataset has
SIDES = ("source", "target")

# Lengths are padded to multiples of these, so that there are few shapes to compile.
SOURCE_STEP = 16
TARGET_STEP = 4

COUNTED = 1 << 20  # ids at once, of any number

# What NumPy raises where a file is no array.
DAMAGES = OSError, ValueError, TypeError, EOFError, TokenError, SyntaxError, Warning

Offsets = NDArray[np.int64]


def ids_file(split: str, side: str) -> str:
    """Returns the name of the array of ids of one side of a split."""
    return f"{split}.{side}.npy"


def offsets_file(split: str, side: str) -> str:
    """Returns the name of the array of offsets of one side of a split."""
    return f"{split}.{side}_offsets.npy"


def text_file(split: str) -> str:
    """Returns the name of the CSV file with the pairs of a split as text."""
    return f"{split}.csv"


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

    def buckets(self) -> Places:
        """Returns the number of each pair's bucket.

        The pairs of a bucket are padded to the same widths. Neighbours differ little:
        after the longest targets of a source width come the longest of the next.
        """
        source = (self.source.lengths() - 1) // SOURCE_STEP
        target = self.target.lengths() // TARGET_STEP  # with EOS it is one longer
        most = int(target.max(initial=0))
        turned: Places = np.where(source % 2, most - target, target)
        return source * (most + 1) + turned

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
        places = set(spread(len(self.splits[split]), wanted))
        path = self.text_path(split)
        with open_table(path, CorpusFormat(encoding="utf-8")) as table:
            if missing := {"content", "title"} - set(table.columns):
                raise DataError(f"{path} is damaged: no column {min(missing)}")
            return [
                Pair(row.values["content"], row.values["title"])
                for place, row in enumerate(table)
                if place in places
            ]


def spread(total: int, wanted: int) -> list[int]:
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
        checksums = dict(summary["sha256"])
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is damaged: {error}") from error
    names = (*SPLITS, UNPAIRED) if UNPAIRED in summary else SPLITS
    for name in data_files(names):
        check_sha256(located(data_dir, name), checksums.get(name, ""), DataError)
    tokenizer = load_tokenizer(located(data_dir, VOCAB), DataError)
    splits = {split: _open_split(data_dir, split) for split in names}
    splits["train"] = _weighted(splits["train"], path, summary)
    return Dataset(data_dir, config, summary, tokenizer, splits)


def data_files(splits: Iterable[str] = SPLITS) -> list[str]:
    """Returns the names of the files that data.json has checksums of."""
    names = [VOCAB, *(text_file(split) for split in SPLITS[1:])]
    for split in splits:
        for side in SIDES:
            names += [ids_file(split, side), offsets_file(split, side)]
    return names


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


# --- batches -------------------------------------------------------------------------


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
        buckets: of each pair, from ``Split.buckets``.
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
