"""A DATA_DIR that was damaged is refused, and batches hold every pair in its place."""

import csv
import json
import shutil
from collections.abc import Callable, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.data.batches import (
    SOURCE_STEP,
    TARGET_STEP,
    buckets_of,
    epoch_places,
    make_batch,
    plan_batches,
)
from headline.data.corpus import Pair
from headline.data.prepare import Job, prepare
from headline.data.store import (
    DATA,
    SIDES,
    SPLITS,
    UNPAIRED,
    VOCAB,
    Corpus,
    Dataset,
    Offsets,
    Side,
    Split,
    data_files,
    ids_file,
    offsets_file,
    open_dataset,
)
from headline.errors import DataError
from headline.formats.tables import CorpusFormat
from headline.settings.prepare import PrepareConfig
from headline.system.files import sha256
from headline.text.ids import BOS, EOS, PAD
from tests.damage import damages
from tests.scripted import char_tokenizer

HAN = "央行今日宣布下调存款准备金率新华社北京电记者"
PAIRS = [Pair(f"{number}号{HAN}", f"{HAN[number % 9 :][:9]}") for number in range(90)]


def make_data_dir(
    folder: Path, pairs: Sequence[Pair] = PAIRS, unpaired: Sequence[Pair] = ()
) -> Path:
    data_dir = folder / "data"
    job = Job(
        files=[write_csv(folder / "news.csv", pairs)],
        data_dir=data_dir,
        format=CorpusFormat(),
        config=PrepareConfig(min_count=1, valid_size=0.3, test_size=0.3),
        unpaired=[write_csv(folder / "more.csv", unpaired)] if unpaired else [],
    )
    prepare(job)
    return data_dir


def write_csv(path: Path, pairs: Sequence[Pair]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("content", "title"), *pairs])
    return path


@pytest.fixture(scope="module")
def clean_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data_dir(tmp_path_factory.mktemp("clean"))


@pytest.fixture
def data_dir(clean_dir: Path, tmp_path: Path) -> Path:
    """A DATA_DIR to do damage to."""
    return shutil.copytree(clean_dir, tmp_path / "data")


def refusal(data_dir: Path, name: str) -> str:
    """Returns the message that the folder is refused with, which names the file."""
    with pytest.raises(DataError) as caught:
        open_dataset(data_dir)
    message = str(caught.value)
    assert "\n" not in message
    assert str(data_dir / name) in message
    return message


def change_summary(data_dir: Path, **changes: Any) -> None:
    path = data_dir / DATA
    content = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps(content), encoding="utf-8")


def reseal(data_dir: Path) -> None:
    """Makes the checksums right again, as somebody who means it would."""
    change_summary(data_dir, sha256={n: sha256(data_dir / n) for n in data_files()})


# --- opening --------------------------------------------------------------------------


def test_folder_without_a_corpus_says_what_to_do(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(DataError, match="headline prepare") as caught:
            open_dataset(folder)
        assert str(folder) in str(caught.value)


@pytest.mark.parametrize("name", data_files())
def test_flipped_missing_or_cut_file_is_refused(data_dir: Path, name: str) -> None:
    for is_there in damages(data_dir / name):
        said = refusal(data_dir, name)
        assert "damaged" in said or not is_there
    open_dataset(data_dir)


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_other_format_is_refused(data_dir: Path, version: Any) -> None:
    change_summary(data_dir, format=version)

    assert f"format {version!r}" in refusal(data_dir, DATA)


CONFIGS: list[Any] = [None, [], "x", {"width": 1}, {"vocab_size": 1}, {"seed": None}]
CHECKSUMS: list[Any] = [None, "x", 3, [1]]


@pytest.mark.parametrize(
    "changes",
    [{"config": raw} for raw in CONFIGS] + [{"sha256": raw} for raw in CHECKSUMS],
)
def test_damaged_summary_is_refused(data_dir: Path, changes: dict[str, Any]) -> None:
    change_summary(data_dir, **changes)

    refusal(data_dir, DATA)


def test_summary_that_is_cut_or_lacks_an_entry_is_refused(data_dir: Path) -> None:
    path = data_dir / DATA
    content = json.loads(path.read_text(encoding="utf-8"))
    for name in ("format", "config", "sha256"):
        rest = {key: value for key, value in content.items() if key != name}
        path.write_text(json.dumps(rest))
        refusal(data_dir, DATA)
    path.write_text(json.dumps(content)[:-9])
    assert "not valid JSON" in refusal(data_dir, DATA)


def test_file_without_a_checksum_is_refused(data_dir: Path) -> None:
    content = json.loads((data_dir / DATA).read_text(encoding="utf-8"))
    change_summary(data_dir, sha256=content["sha256"] | {VOCAB: ""})

    refusal(data_dir, VOCAB)


Damage = Callable[[Offsets], Any]


@pytest.mark.parametrize(
    "damage",
    [
        lambda offsets: offsets[:-1],
        lambda offsets: offsets[:0],
        lambda offsets: offsets[1:],
        lambda offsets: offsets - 1,
        lambda offsets: np.append(offsets, offsets[-1] + 1),
        lambda offsets: np.append(offsets, offsets[-1]),
        lambda offsets: np.concatenate([offsets[:1], offsets[2:0:-1], offsets[3:]]),
        lambda offsets: offsets.astype(np.int32),
        lambda offsets: offsets.astype(np.float64),
        lambda offsets: offsets[None, :],
        lambda offsets: offsets[-1],
    ],
)
def test_offsets_that_do_not_fit_are_refused(data_dir: Path, damage: Damage) -> None:
    name = offsets_file("train", "source")
    np.save(data_dir / name, damage(np.load(data_dir / name)))
    reseal(data_dir)

    assert "damaged" in refusal(data_dir, name)


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float32, np.str_])
def test_ids_of_another_type_are_refused(data_dir: Path, dtype: Any) -> None:
    path = data_dir / ids_file("valid", "target")
    np.save(path, np.load(path).astype(dtype))
    reseal(data_dir)

    refusal(data_dir, offsets_file("valid", "target"))


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00", b"PK\x03\x04", b"{}"])
def test_file_that_is_no_array_is_refused(data_dir: Path, content: bytes) -> None:
    name = ids_file("train", "target")
    (data_dir / name).write_bytes(content)
    reseal(data_dir)

    assert "damaged" in refusal(data_dir, name)


def test_pickled_objects_are_never_loaded(data_dir: Path) -> None:
    name = ids_file("train", "target")
    np.save(data_dir / name, np.array([{}], dtype=object), allow_pickle=True)
    reseal(data_dir)

    assert "damaged" in refusal(data_dir, name)


def test_other_number_of_headlines_than_articles_is_refused(data_dir: Path) -> None:
    name = offsets_file("test", "target")
    offsets = np.load(data_dir / name)
    np.save(data_dir / name, np.delete(offsets, 1))
    reseal(data_dir)

    said = refusal(data_dir, name)
    assert "is damaged: there are" in said and "headlines for" in said


def test_open_dataset_maps_the_arrays(clean_dir: Path) -> None:
    train = open_dataset(clean_dir).splits["train"]

    for side in (train.source, train.target):
        assert isinstance(side.ids, np.memmap)
        assert side.lengths().tolist() == [len(side[i]) for i in range(len(side))]
        assert sum(side.lengths()) == len(side.ids)


def test_empty_split_can_be_opened(tmp_path: Path) -> None:
    dataset = open_dataset(make_data_dir(tmp_path, [PAIRS[0], *PAIRS[30:32]]))

    assert min(len(split) for split in dataset.splits.values()) == 0
    assert dataset.sample("valid", 3) == []


# --- corpora with weights -------------------------------------------------------------


def weighted(data_dir: Path, weight: Any, pairs: int = 0) -> None:
    train = len(open_dataset(data_dir).splits["train"]) + pairs
    change_summary(data_dir, corpora=[{"file": "a", "weight": weight, "train": train}])


def test_older_folder_without_corpora_is_read_as_one_without_weights(
    data_dir: Path,
) -> None:
    new = open_dataset(data_dir)
    content = json.loads((data_dir / DATA).read_text(encoding="utf-8"))
    del content["corpora"]
    (data_dir / DATA).write_text(json.dumps(content), encoding="utf-8")

    old = open_dataset(data_dir)

    assert old.splits["train"].corpora == new.splits["train"].corpora == ()
    assert old.fingerprint == new.fingerprint == new.summary["sha256"]
    assert old.splits["train"].epoch_pairs == len(old.splits["train"])


def test_weights_belong_to_train_and_to_the_fingerprint(data_dir: Path) -> None:
    plain = open_dataset(data_dir)
    weighted(data_dir, 0.3)

    dataset = open_dataset(data_dir)

    train = dataset.splits["train"]
    assert train.corpora == (Corpus("a", 0.3, len(train)),)
    assert train.epoch_pairs == round(0.3 * len(train))
    assert dataset.splits["valid"].corpora == dataset.splits["test"].corpora == ()
    assert dataset.fingerprint != plain.fingerprint
    weighted(data_dir, 0.4)
    assert open_dataset(data_dir).fingerprint != dataset.fingerprint


@pytest.mark.parametrize("weight", [0, -1, float("inf"), float("nan"), "x", None, []])
def test_impossible_weights_are_refused(data_dir: Path, weight: Any) -> None:
    weighted(data_dir, weight)

    assert "corpora" in refusal(data_dir, DATA)


@pytest.mark.parametrize("corpora", [3, None, [3], [{}], [{"file": "a", "weight": 2}]])
def test_damaged_corpora_are_refused(data_dir: Path, corpora: Any) -> None:
    change_summary(data_dir, corpora=corpora)

    assert "corpora" in refusal(data_dir, DATA)


@pytest.mark.parametrize("pairs", [-1, 1])
def test_corpora_of_other_pairs_than_there_are_are_refused(
    data_dir: Path, pairs: int
) -> None:
    weighted(data_dir, 0.3, pairs)

    said = refusal(data_dir, DATA)
    assert "its corpora have" in said and "train pairs together" in said


# --- pseudo-pairs ---------------------------------------------------------------------


@pytest.fixture
def unpaired_dir(tmp_path: Path) -> Path:
    articles = [Pair(f"{pair.source}。{pair.source[2:]}。", "") for pair in PAIRS]
    return make_data_dir(tmp_path, unpaired=articles)


def test_pseudo_pairs_are_opened_where_there_are_any(
    unpaired_dir: Path, clean_dir: Path
) -> None:
    assert open_dataset(clean_dir).splits.keys() == set(SPLITS)
    splits = open_dataset(unpaired_dir).splits
    assert splits.keys() == {*SPLITS, UNPAIRED}
    assert splits[UNPAIRED].epoch_pairs == len(splits[UNPAIRED]) > 0


@pytest.mark.parametrize("side", SIDES)
def test_damaged_pseudo_pairs_are_refused(unpaired_dir: Path, side: str) -> None:
    for name in (ids_file(UNPAIRED, side), offsets_file(UNPAIRED, side)):
        path = unpaired_dir / name
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert "damaged" in refusal(unpaired_dir, name)
        path.write_bytes(content)


# --- samples --------------------------------------------------------------------------


def held_out(dataset: Dataset) -> list[Pair]:
    with dataset.text_path("test").open(encoding="utf-8", newline="") as stream:
        return [Pair(row["content"], row["title"]) for row in csv.DictReader(stream)]


@pytest.mark.parametrize("wanted", [0, 1, 2, 5, 7, 10**6])
def test_sample_is_evenly_spread(clean_dir: Path, wanted: int) -> None:
    dataset = open_dataset(clean_dir)
    pairs = held_out(dataset)

    sample = dataset.sample("test", wanted)

    assert len(sample) == min(wanted, len(pairs))
    places = [pairs.index(pair) for pair in sample]
    gaps = np.diff([*places, len(pairs)])
    assert not places or places[0] == 0
    assert not places or gaps.max() - gaps.min() <= 1


def test_sample_holds_articles_of_any_length(tmp_path: Path) -> None:
    pairs = [Pair(f"{number}{HAN * 7000}", HAN[:9]) for number in range(6)]
    dataset = open_dataset(make_data_dir(tmp_path, pairs))
    before = csv.field_size_limit(131_072)  # as in a process that read no corpus

    found = dataset.sample("valid", 9) + dataset.sample("test", 9)

    csv.field_size_limit(before)
    assert found
    assert set(found) <= set(pairs)


# --- the plan of batches --------------------------------------------------------------

many_lengths = st.lists(st.integers(1, 120), min_size=1, max_size=60).map(np.array)
batch_sizes = st.integers(1, 9)


@given(many_lengths, batch_sizes, st.integers(0, 2**31 - 1), st.integers(0, 50))
def test_epoch_holds_every_pair_once_in_full_batches(
    lengths: Offsets, batch_size: int, seed: int, epoch: int
) -> None:
    batches = plan_batches(lengths // SOURCE_STEP, batch_size, seed, epoch)

    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    sizes = sorted((len(batch) for batch in batches), reverse=True)
    assert sizes[:-1] == [batch_size] * (len(sizes) - 1)
    assert 0 < sizes[-1] <= batch_size


@given(many_lengths, batch_sizes, st.integers(0, 9))
def test_batches_do_not_overlap_in_length(
    lengths: Offsets, batch_size: int, epoch: int
) -> None:
    batches = plan_batches(lengths // SOURCE_STEP, batch_size, 1, epoch)

    spans = sorted(
        (min(buckets), max(buckets))
        for buckets in (lengths[batch] // SOURCE_STEP for batch in batches)
    )
    for (_, longest), (shortest, _) in pairwise(spans):
        assert longest <= shortest


LENGTHS = np.random.default_rng(5).integers(10, 400, 500)
BUCKETS = LENGTHS // SOURCE_STEP


def flat(seed: int, epoch: int) -> list[int]:
    return [int(n) for n in np.concatenate(plan_batches(BUCKETS, 16, seed, epoch))]


def members(seed: int, epoch: int) -> set[frozenset[int]]:
    return {
        frozenset(batch.tolist()) for batch in plan_batches(BUCKETS, 16, seed, epoch)
    }


def test_same_seed_and_epoch_give_the_same_plan() -> None:
    assert flat(3, 7) == flat(3, 7)


def test_other_epochs_and_seeds_give_other_batches_in_another_order() -> None:
    plans = [(seed, epoch) for seed in range(3) for epoch in range(3)]

    assert len({tuple(flat(*plan)) for plan in plans}) == len(plans)
    for plan in plans[1:]:
        assert len(members(*plan) & members(*plans[0])) < len(members(*plan)) / 4


def test_order_of_the_batches_does_not_follow_their_length() -> None:
    longest = [LENGTHS[batch].max() for batch in plan_batches(BUCKETS, 16, 1, 1)]

    assert abs(np.corrcoef(longest, range(len(longest)))[0, 1]) < 0.5


def padding(batches: Sequence[Any]) -> int:
    return sum(int((LENGTHS[b].max() - LENGTHS[b]).sum()) for b in batches)


def test_little_is_padding() -> None:
    shuffled = np.random.default_rng(1).permutation(len(LENGTHS))
    at_random = np.split(shuffled, range(16, len(LENGTHS), 16))

    assert padding(plan_batches(BUCKETS, 16, 1, 1)) < padding(at_random) / 5


def plan_of_each_once(lengths: Offsets, seed: int, epoch: int) -> list[list[int]]:
    """The plan as it was before corpora had weights."""
    generator = np.random.default_rng((seed, epoch))
    shuffled = generator.permutation(len(lengths))
    ordered = shuffled[np.argsort(lengths[shuffled] // SOURCE_STEP, kind="stable")]
    batches = [ordered[at : at + 16].tolist() for at in range(0, len(ordered), 16)]
    return [batches[index] for index in generator.permutation(len(batches))]


@pytest.mark.parametrize("corpora", [[], [Corpus("a", 1, 200), Corpus("b", 1.0, 300)]])
def test_without_weights_the_plan_is_as_it_was(corpora: list[Corpus]) -> None:
    for seed, epoch in [(1, 0), (1, 1), (7, 30)]:
        batches = plan_batches(BUCKETS, 16, seed, epoch, corpora)

        expected = plan_of_each_once(LENGTHS, seed, epoch)
        assert [batch.tolist() for batch in batches] == expected


def test_weights_fill_as_many_full_batches_each_epoch() -> None:
    corpora = [Corpus("a", 0.3, 200), Corpus("b", 2.5, 300)]
    for epoch in range(4):
        batches = plan_batches(BUCKETS, 16, 1, epoch, corpora)

        places = np.concatenate(batches)
        assert sorted(map(len, batches)) == [10, *[16] * 50]  # 60 + 750 pairs
        assert sorted(places) == sorted(epoch_places(corpora, 1, epoch))
        assert padding(batches) < len(places) * SOURCE_STEP


def test_buckets_leave_little_padding_on_either_side() -> None:
    random = np.random.default_rng(1)
    lengths = random.integers(1, 200, 3000), random.integers(1, 40, 3000)
    rows = [[np.ones(n, np.int32).tolist() for n in side] for side in lengths]
    split = split_of_rows(list(zip(*rows, strict=True)))

    widths = [
        [batch[name].size for name in ("source_ids", "labels")]
        for batch in (
            make_batch(split, pairs, TOKENIZER)
            for pairs in plan_batches(buckets_of(split), 16, 1, 0)
        )
    ]

    source, target = np.sum(widths, axis=0)
    assert source / lengths[0].sum() < 1.2  # a step of 16 adds 8 to 100
    assert target / (lengths[1] + 1).sum() < 1.25  # one of 4 adds 1.5 to 21


def test_plan_of_no_pairs_is_empty() -> None:
    assert not len(plan_batches(np.zeros(0, np.int64), 4, 1, 1))


# --- batches --------------------------------------------------------------------------

TOKENIZER = char_tokenizer("甲甲乙乙丙丁", vocab_size=6)  # ids 4 to 7; 6, 7 copy-only
rows_of_ids = st.lists(
    st.tuples(*[st.lists(st.integers(4, 9), min_size=1, max_size=40)] * 2),
    min_size=1,
    max_size=6,
)


def split_of_rows(pairs: Sequence[tuple[list[int], list[int]]]) -> Split:
    return Split(*(side_of_rows(rows) for rows in zip(*pairs, strict=True)))


def side_of_rows(rows: Sequence[list[int]]) -> Side:
    ids = np.array(list(chain(*rows)), dtype=np.uint16)
    return Side(ids, np.cumsum([0, *map(len, rows)]))


@given(rows_of_ids, st.randoms())
def test_batch_is_the_pairs_with_the_target_shifted_by_one(
    pairs: list[tuple[list[int], list[int]]], random: Any
) -> None:
    places = random.choices(range(len(pairs)), k=4)

    batch = make_batch(split_of_rows(pairs), places, TOKENIZER)

    assert all(array.dtype == np.int32 for array in batch.values())
    for row, place in enumerate(places):
        source, target = pairs[place]
        at_row = {name: array[row].tolist() for name, array in batch.items()}
        assert unpadded(at_row["copy_ids"]) == source
        assert unpadded(at_row["source_ids"]) == embeddable(source)
        assert unpadded(at_row["labels"]) == [*target, EOS]
        assert unpadded(at_row["decoder_input"]) == [BOS, *embeddable(target)]


def unpadded(row: list[int]) -> list[int]:
    length = row.index(PAD) if PAD in row else len(row)
    assert set(row[length:]) <= {PAD}
    return row[:length]


def embeddable(ids: list[int]) -> list[int]:
    return [token if token < 6 else 1 for token in ids]


@given(rows_of_ids)
def test_few_shapes_come_up(pairs: list[tuple[list[int], list[int]]]) -> None:
    split = split_of_rows(pairs)

    batch = make_batch(split, range(len(pairs)), TOKENIZER)

    for side, names, step, more in (
        (split.source, ("source_ids", "copy_ids"), SOURCE_STEP, 0),
        (split.target, ("decoder_input", "labels"), TARGET_STEP, 1),
    ):
        longest = int(side.lengths().max()) + more
        for name in names:
            assert batch[name].shape[0] == len(pairs)
            assert batch[name].shape[1] % step == 0
            assert longest <= batch[name].shape[1] < longest + step
