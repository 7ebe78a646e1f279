"""The report's data: a sample that depends on the pairs alone, and true counts."""

import csv
import json
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headline.data.corpus import Pair
from headline.data.prepare import Job, prepare
from headline.data.profile import (
    SAMPLED,
    Drawn,
    PairSample,
    Profile,
    characters_of,
    found_share,
    rare_of,
)
from headline.data.store import DATA, REJECTS, REPORT, REPORT_TITLE, Sides, open_dataset
from headline.errors import DataError
from headline.formats.tables import CorpusFormat
from headline.settings.clean import CleanConfig
from headline.settings.prepare import PrepareConfig
from headline.text.ids import Ragged
from headline.text.tokenizer import Vocab
from tests.corpora import write_pairs
from tests.data import dirt

PAIRS = [*dirt.sample_pairs(600), Pair("短", "标题"), dirt.sample_pairs(1)[0]]


class Kept:
    """A page that keeps its data."""

    def __init__(self) -> None:
        self.profiles: list[Profile] = []

    def __call__(self, profile: Profile) -> str:
        self.profiles.append(profile)
        return REPORT_TITLE


def job(folder: Path, pairs: Sequence[Pair] = PAIRS, **more: Any) -> Job:
    folder.mkdir(exist_ok=True)
    titled = ((pair.target, pair.source) for pair in pairs)
    corpus = write_pairs(folder / "news.csv", titled)
    given = Job(
        files=[corpus],
        data_dir=folder / "data",
        format=CorpusFormat(),
        config=PrepareConfig(min_count=5, valid_size=0.1, test_size=0.1),
        cleaning=CleanConfig(),
    )
    return replace(given, **more)


def profile_of(given: Job) -> Profile:
    page = Kept()
    prepare(replace(given, page=page))
    return page.profiles[0]


def blocks(texts: Sequence[str], size: int) -> list[Sides]:
    """Pairs of a text and its first character, in blocks, as code points."""

    def ragged(some: Sequence[str]) -> Ragged:
        numbers = np.array([*map(ord, "".join(some))], np.uint32)
        return Ragged(numbers, np.array([*map(len, some)], np.int64))

    parts = [texts[at : at + size] for at in range(0, len(texts), size)]
    return [(ragged(part), ragged([text[0] for text in part])) for part in parts]


@pytest.fixture(autouse=True)
def _all_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps the texts of all pairs, to compare them."""
    monkeypatch.setattr("headline.data.profile.SHOWN", 10**6)


def sampled(splits: dict[str, list[str]], size: int) -> list[Drawn]:
    sizes = {split: len(texts) for split, texts in splits.items()}
    sample = PairSample(sizes, [*map(chr, range(0x10000))])
    for _ in range(2):  # as if the ids had not fitted into two bytes
        for split, texts in splits.items():
            found = [*sample.watch(split, blocks(texts, size))]
            assert sum(len(sides[0].lengths) for sides in found) == len(texts)
    drawn = sample.pairs()
    assert [one.found for one in sample.measures()] == [*map(found_share, drawn)]
    return drawn


def test_only_the_first_pairs_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    splits = {"train": [f"{number}号文" for number in range(3000)]}
    whole = sampled(splits, 100)
    monkeypatch.setattr("headline.data.profile.SHOWN", 20)
    sample = PairSample({"train": 3000}, [*map(chr, range(0x10000))])
    deque(sample.watch("train", blocks(splits["train"], 100)), maxlen=0)
    assert sample.pairs() == whole[:20]
    assert len(sample.measures()) == SAMPLED


def test_the_sample_does_not_depend_on_how_pairs_come_in_blocks() -> None:
    splits = {
        "train": [f"{number}号文" for number in range(4000)],
        "test": [f"{number}test" for number in range(1000)],
    }
    found = sampled(splits, 7)
    assert found == sampled(splits, 1000)
    assert len(set(found)) == SAMPLED
    assert all(pair.target == pair.source[0] for pair in found)
    assert all((pair.split == "test") == ("test" in pair.source) for pair in found)
    share = sum(pair.split == "test" for pair in found) / len(found)
    assert 0.15 < share < 0.25


def test_a_small_corpus_is_sampled_whole(tmp_path: Path) -> None:
    given = job(tmp_path)
    profile = profile_of(given)
    dataset = open_dataset(given.data_dir)
    for split in ("valid", "test"):
        texts = dataset.sample(split, 10**6)
        longest = dataset.config.max_source_length
        expected = Counter((pair.source[:longest], pair.target) for pair in texts)
        found = [pair for pair in profile.sample if pair.split == split]
        assert Counter((pair.source, pair.target) for pair in found) == expected
    counts = profile.summary["counts"]
    assert Counter(pair.split for pair in profile.sample)["train"] == counts["train"]


def test_characters_are_those_of_the_train_split(tmp_path: Path) -> None:
    given = job(tmp_path)
    profile = profile_of(given)
    dataset = open_dataset(given.data_dir)
    train = [pair for pair in profile.sample if pair.split == "train"]
    expected = Counter("".join(pair.source + pair.target for pair in train))
    assert profile.characters == expected
    assert [*profile.characters.values()] == sorted(expected.values(), reverse=True)
    generable = dataset.tokenizer.vocab.tokens[: dataset.tokenizer.vocab.vocab_size]
    assert profile.rare == {c: n for c, n in expected.items() if c not in generable}
    assert profile.rare and max(profile.rare.values()) < 5


def test_characters_of_words_are_counted() -> None:
    characters = characters_of({"北京": 3, "东京": 2, "a": 9})
    assert [*characters.items()] == [("a", 9), ("京", 5), ("北", 3), ("东", 2)]
    vocab = Vocab(("<pad>", "<unk>", "<bos>", "<eos>", "a", "北京", "北"), 6)
    assert rare_of(characters, vocab) == {"京": 5, "北": 3, "东": 2}


@pytest.mark.parametrize("clean", [True, False])
def test_rejects_of_every_reason_have_examples(tmp_path: Path, clean: bool) -> None:
    given = job(tmp_path, cleaning=CleanConfig(clean=clean))
    profile = profile_of(given)
    with (given.data_dir / REJECTS).open(encoding="utf-8", newline="") as stream:
        rows = [(row["reason"], int(row["row"])) for row in csv.DictReader(stream)]
    shown = [(str(o.reason), o.row) for some in profile.rejects.values() for o in some]
    assert {"article too short", "duplicate"} <= {reason for reason, _ in shown}
    assert set(shown) <= set(rows)
    assert {reason for reason, _ in shown} == {reason for reason, _ in rows}


# --- the dry run ----------------------------------------------------------------------


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("clean", [True, False])
def test_a_dry_run_writes_only_the_report_and_tells_the_same(
    tmp_path: Path, clean: bool
) -> None:
    given = job(tmp_path, cleaning=CleanConfig(clean=clean))
    page, dry = Kept(), Kept()
    told = prepare(replace(given, page=dry, dry_run=True))
    assert files(given.data_dir) == {REPORT: REPORT_TITLE.encode()}

    prepare(replace(given, page=page))  # needs no --overwrite

    assert DATA in files(given.data_dir)
    assert replace(dry.profiles[0], dry_run=False) == page.profiles[0]
    written = json.loads((given.data_dir / DATA).read_text("utf-8"))
    assert {**written, **json.loads(json.dumps(told))} == written
    assert "sha256" not in told


def test_a_dry_run_replaces_its_own_page_but_no_dataset(tmp_path: Path) -> None:
    given = job(tmp_path)
    trying = replace(given, page=Kept(), dry_run=True)
    prepare(trying)
    prepare(trying)
    prepare(given)
    before = files(given.data_dir)
    for overwrite in (False, True):
        with pytest.raises(DataError, match="--dry-run does not replace"):
            prepare(replace(trying, overwrite=overwrite))
    assert files(given.data_dir) == before


@pytest.mark.parametrize("others", [{REPORT: "mine"}, {REPORT: "\ud800", "a": ""}])
def test_a_page_of_somebody_else_is_not_replaced(
    tmp_path: Path, others: dict[str, str]
) -> None:
    given = job(tmp_path)
    given.data_dir.mkdir()
    for name, text in others.items():
        (given.data_dir / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    before = files(given.data_dir)
    for dry_run in (False, True):
        with pytest.raises(DataError, match="not empty"):
            prepare(replace(given, page=Kept(), dry_run=dry_run, overwrite=not dry_run))
    assert files(given.data_dir) == before


def test_a_dry_run_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def broken(profile: Profile) -> str:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        prepare(replace(job(tmp_path), page=broken, dry_run=True))
    assert [path.name for path in tmp_path.iterdir()] == ["news.csv"]


def test_a_dataset_without_a_page_removes_that_of_the_old_one(tmp_path: Path) -> None:
    given = job(tmp_path)
    prepare(replace(given, page=Kept()))
    assert REPORT in files(given.data_dir)
    prepare(replace(given, overwrite=True))
    assert REPORT not in files(given.data_dir)
    open_dataset(given.data_dir)
