"""Cleaning gives back what the dirt was put on, and leaves clean pairs alone."""

import csv
import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headline.data.cleaning import Reason
from headline.data.corpus import Pair
from headline.data.prepare import Job, prepare, split_of
from headline.data.report import summary_table
from headline.data.store import CLEANING, DATA, REJECTS, SPLITS, UNPAIRED, open_dataset
from headline.errors import CorpusError
from headline.formats.tables import CorpusFormat
from headline.settings.clean import CleanConfig
from headline.settings.prepare import PrepareConfig
from headline.text.normalise import normalise
from tests.corpora import write_pairs
from tests.data import dirt

CONFIG = PrepareConfig(min_count=1, valid_size=0.1, test_size=0.1)
CLEAN = [Pair(*map(normalise, pair)) for pair in dirt.sample_pairs()]


def job(folder: Path, pairs: Iterable[Pair], **cleaning: Any) -> Job:
    folder.mkdir(exist_ok=True)
    titled = ((pair.target, pair.source) for pair in pairs)
    corpus = write_pairs(folder / "news.csv", titled)
    return Job(
        files=[corpus],
        data_dir=folder / "data",
        format=CorpusFormat(),
        config=CONFIG,
        cleaning=CleanConfig(**cleaning),
    )


def kept(data_dir: Path) -> dict[str, list[Pair]]:
    """Returns the pairs of each split as text; all characters are in the vocab."""
    dataset, found = open_dataset(data_dir), {}
    for split in dataset.splits:
        sides = dataset.splits[split]
        decode = dataset.tokenizer.decode
        if split in SPLITS[1:]:
            found[split] = dataset.sample(split, 10**6)
            continue
        found[split] = [
            Pair(decode(sides.source[at]), decode(sides.target[at]))
            for at in range(len(sides))
        ]
    return found


def all_kept(data_dir: Path) -> Counter[Pair]:
    return Counter(pair for pairs in kept(data_dir).values() for pair in pairs)


def rejected(data_dir: Path) -> dict[int, str]:
    """Returns the reason of each rejected row, by its index among the pairs."""
    with (data_dir / REJECTS).open(encoding="utf-8", newline="") as stream:
        return {int(row["row"]) - 2: row["reason"] for row in csv.DictReader(stream)}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def some_dirty(
    share: float, *kinds: Callable[[Pair, random.Random], Pair], seed: int = 1
) -> list[Pair]:
    """Puts each kind of dirt on a share of the sample."""
    rng, pairs = random.Random(seed), list(dirt.sample_pairs())
    for kind in kinds:
        pairs = [kind(pair, rng) if rng.random() < share else pair for pair in pairs]
    return pairs


# --- clean corpora --------------------------------------------------------------------


def test_a_clean_corpus_gives_the_dataset_that_it_gives_without_cleaning(
    tmp_path: Path,
) -> None:
    task = job(tmp_path, dirt.sample_pairs(10**6))
    other = replace(
        task, data_dir=tmp_path / "plain", cleaning=CleanConfig(clean=False)
    )
    cleaned, plain = prepare(task), prepare(other)

    found = cleaned.pop(CLEANING)
    assert cleaned == plain
    expected, files = contents(tmp_path / "plain"), contents(tmp_path / "data")
    assert {name for name in files if files[name] != expected[name]} == {DATA}
    assert found["rules"] == {"openings": [], "closings": [], "titles": False}
    assert found["affixes"] == found["repeated_headlines"] == []


def test_other_headlines_of_the_same_article_stay(tmp_path: Path) -> None:
    pairs = [
        *CLEAN[:500],
        *(Pair(pair.source, pair.source[:12]) for pair in CLEAN[:50]),
    ]
    prepare(job(tmp_path, pairs))
    assert all_kept(tmp_path / "data") == Counter(pairs)


# --- headlines and articles -----------------------------------------------------------

KINDS = {
    "affixes": (dirt.with_affix,),
    "title lines": (dirt.with_title,),
    "datelines": (dirt.with_dateline,),
    "closing lines": (dirt.with_closing,),
    "all": (dirt.with_title, dirt.with_closing, dirt.with_affix),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.1, 0.9])
def test_cleaning_gives_back_the_clean_pairs(
    tmp_path: Path, kind: str, share: float
) -> None:
    pairs = some_dirty(share, *KINDS[kind])
    dirty = sum(
        pair != one for pair, one in zip(pairs, dirt.sample_pairs(), strict=True)
    )

    found = prepare(job(tmp_path, pairs))[CLEANING]

    assert all_kept(tmp_path / "data") == Counter(CLEAN)
    lists = [found[name] for name in ("affixes", "openings", "closings")]
    removed = sum(one["pairs"] for rules in lists for one in rules)
    assert removed + found["titles"]["pairs"] >= dirty > 130


def test_what_was_removed_is_told_with_examples(tmp_path: Path) -> None:
    summary = prepare(job(tmp_path, some_dirty(0.5, *KINDS["all"])))
    found = summary[CLEANING]

    affixes = {one["text"] for one in found["affixes"]}
    assert affixes >= {"_云岭在线", "（图）", "【云岭在线】", "云岭日报："}
    for one in found["affixes"]:
        for before, after in one["examples"]:
            assert one["text"] in before and before.replace(one["text"], "") == after
    for before, after in found["titles"]["examples"]:
        assert len(before) >= len(after) > 0 and before != after
    assert 700 < found["titles"]["pairs"] < 1300
    assert "affixes of headlines" in summary_table(summary)


def test_tags_that_articles_are_about_stay(tmp_path: Path) -> None:
    rng, pairs = random.Random(2), []
    for source, target in dirt.sample_pairs():
        if rng.random() < 0.05:
            target, source = f"（云岭博览会）{target}", f"云岭博览会上，{source}"
        elif rng.random() < 0.05:
            target = f"快讯：{target}"
        pairs.append(Pair(source, target))

    found = prepare(job(tmp_path, pairs))[CLEANING]

    assert found["affixes"] == []
    kept_texts = {one["text"]: one["why"] for one in found["kept_affixes"]}
    assert kept_texts["（云岭博览会）"] == "topic of its articles"
    assert kept_texts["快讯："] == "speaker or style"
    assert all_kept(tmp_path / "data") == Counter(pairs)


def test_users_decide_on_affixes(tmp_path: Path) -> None:
    rng = random.Random(3)
    pairs = [
        Pair(source, f"{rng.choice(['快讯：', '【云岭在线】', ''])}{target}")
        for source, target in CLEAN
    ]
    prepare(job(tmp_path, pairs, strip_affix=("快讯：",), keep_affix=("云岭在线",)))

    expected = (Pair(one.source, one.target.removeprefix("快讯：")) for one in pairs)
    assert all_kept(tmp_path / "data") == Counter(expected)


@pytest.mark.parametrize("words", ["今天（{n}日）", "记者今日获悉：", "【独家】"])
def test_words_that_articles_also_use_elsewhere_are_no_dateline(
    tmp_path: Path, words: str
) -> None:
    pairs = []
    for at, (source, target) in enumerate(CLEAN):
        first, second = words.format(n=at % 28 + 1), words.format(n=at % 9 + 1)
        pairs.append(Pair(f"{first}{source[:20]}{second}{source[20:]}", target))
    prepare(job(tmp_path, pairs))
    assert all_kept(tmp_path / "data") == Counter(pairs)


# --- headlines that belong to no article ----------------------------------------------


def with_site_names(number: int) -> tuple[list[Pair], set[int]]:
    """Puts the name of a site in place of some headlines."""
    rng, pairs = random.Random(4), list(CLEAN)
    places = set(rng.sample(range(len(pairs)), number))
    for place in places:
        pairs[place] = Pair(pairs[place].source, "云岭晨报多媒体数字报刊平台")
    return pairs, places


def test_headlines_of_too_many_articles_are_rejected(tmp_path: Path) -> None:
    pairs, places = with_site_names(40)
    summary = prepare(job(tmp_path, pairs, min_overlap=0))

    assert rejected(tmp_path / "data") == dict.fromkeys(places, str(Reason.REPEATED))
    repeated = {"headline": "云岭晨报多媒体数字报刊平台", "articles": 40}
    assert summary[CLEANING]["repeated_headlines"] == [repeated]
    counts = summary["counts"]
    assert counts["rejected"] == summary["rejects"][Reason.REPEATED] == 40
    assert counts["rows"] - 40 == sum(counts[split] for split in SPLITS)
    assert sum(summary["corpora"][0][split] for split in SPLITS) == len(pairs) - 40


@pytest.mark.parametrize("most", [0, 3, 4])
def test_limit_of_articles_that_share_a_headline(tmp_path: Path, most: int) -> None:
    pairs, _ = with_site_names(4)
    prepare(job(tmp_path, pairs, min_overlap=0, max_repeats=most))
    assert len(rejected(tmp_path / "data")) == (4 if most == 3 else 0)


def test_headlines_unlike_their_articles_are_rejected(tmp_path: Path) -> None:
    pairs = list(CLEAN)
    for place in range(0, 300, 3):
        pairs[place] = Pair(
            pairs[place].source, "".join(map(chr, range(0x9F00, 0x9F0A)))
        )
    prepare(job(tmp_path / "a", pairs, max_repeats=0))
    prepare(job(tmp_path / "b", pairs, max_repeats=0, min_overlap=0))

    reasons = dict.fromkeys(range(0, 300, 3), str(Reason.UNRELATED))
    assert rejected(tmp_path / "a/data") == reasons
    assert rejected(tmp_path / "b/data") == {}


# --- near-duplicates ------------------------------------------------------------------


def with_reprints(number: int) -> tuple[list[Pair], list[tuple[int, int]]]:
    """Adds reprints; returns the places of each original and its reprint."""
    rng = random.Random(5)
    originals = rng.sample(range(len(CLEAN)), number)
    reprints = [dirt.reprinted(CLEAN[place], rng) for place in originals]
    pairs = [*CLEAN, *(Pair(*map(normalise, pair)) for pair in reprints)]
    return pairs, [(one, len(CLEAN) + at) for at, one in enumerate(originals)]


def test_reprints_are_dropped_and_never_on_two_sides(tmp_path: Path) -> None:
    pairs, twins = with_reprints(400)
    summary = prepare(job(tmp_path, pairs))

    gone = rejected(tmp_path / "data")
    assert set(gone.values()) == {"near-duplicate"}
    found = 0
    for places in twins:
        left = [place for place in places if place not in gone]
        splits = [split_of(pairs[place].source, CONFIG) for place in places]
        found += len(left) == 1
        if len(left) == 1 and "train" in splits:  # that of train stays
            assert splits[places.index(left[0])] == "train"
    assert found >= 0.97 * len(twins)
    assert gone.keys() <= {place for places in twins for place in places}
    near = summary[CLEANING]["near_duplicates"]
    assert sum(near[split] for split in SPLITS) == len(gone)
    assert near["test"] + near["valid"] > 20
    for example in near["examples"]:
        assert example["kept"][0] == example["dropped"][0]  # the headlines
    assert sum(all_kept(tmp_path / "data").values()) == len(pairs) - len(gone)


def test_near_duplicates_of_train_stay_when_asked_for(tmp_path: Path) -> None:
    pairs, twins = with_reprints(300)
    prepare(job(tmp_path, pairs, keep_near_duplicates=True))

    gone, crossing = rejected(tmp_path / "data"), 0
    for places in twins:
        splits = {place: split_of(pairs[place].source, CONFIG) for place in places}
        if len(set(splits.values())) == 1:
            assert not gone.keys() & splits.keys()
        else:
            crossing += 1
            left = [split for place, split in splits.items() if place not in gone]
            assert left == ["train"] or "train" not in splits.values()
    assert len(gone) == crossing > 20


def test_vocab_and_lengths_forget_what_is_dropped(tmp_path: Path) -> None:
    extra = [
        Pair(f"{pair.source[:-1]}鑫。", pair.target)
        for pair in CLEAN
        if split_of(pair.source, CONFIG) == "train"
    ]
    assert not any("鑫" in pair.source for pair in CLEAN)
    expected = prepare(job(tmp_path / "a", CLEAN))
    summary = prepare(job(tmp_path / "b", [*CLEAN, *extra[:200]]))

    assert summary["rejects"]["near-duplicate"] == 200
    for name in ("lengths", "corpora"):
        ours, theirs = summary[name], expected[name]
        assert json.dumps(ours).replace("/b/", "/a/") == json.dumps(theirs)
    vocab = [open_dataset(tmp_path / name / "data").tokenizer.vocab for name in "ab"]
    assert vocab[0].tokens == vocab[1].tokens


def test_unpaired_twins_of_held_out_articles_are_left_out(tmp_path: Path) -> None:
    rng = random.Random(6)
    articles = [normalise(dirt.reprinted(pair, rng).source) for pair in CLEAN[:1500]]
    alone = tmp_path / "more.csv"
    alone.write_text("text\n" + "\n".join(f'"{one}"' for one in articles), "utf-8")
    both = replace(job(tmp_path / "a", CLEAN), unpaired=[alone])
    summary = prepare(both)

    gone = summary[CLEANING]["near_duplicates"][UNPAIRED]
    held_out = [
        article
        for article, pair in zip(articles, CLEAN, strict=False)
        if split_of(pair.source, CONFIG) != "train"
        and split_of(article, CONFIG) == "train"
    ]
    assert gone == len(held_out) > 100
    assert summary["counts"][UNPAIRED] == len(
        open_dataset(both.data_dir).splits[UNPAIRED]
    )
    assert summary[UNPAIRED][str(alone)] == summary["counts"][UNPAIRED]
    assert all(summary["counts"][split] for split in SPLITS)


# --- processes and memory -------------------------------------------------------------


def mixed(folder: Path) -> Job:
    """Every kind of dirt, pairs twice, and articles without headlines."""
    pairs = some_dirty(0.3, *KINDS["all"], dirt.with_dateline)[:700]
    site = [Pair(pair.source, "云岭晨报数字报") for pair in CLEAN[700:720]]
    rng = random.Random(7)
    reprints = [dirt.reprinted(pair, rng) for pair in pairs[::9]]
    faults = [Pair("短", "太短"), Pair(CLEAN[0].source, "")]
    first = job(folder, [*pairs, *site, *faults, *reprints, *pairs[:9]])
    alone = folder / "more.csv"
    lines = (pair.source.replace("\n", " ") for pair in (*pairs[:50], *CLEAN[800:900]))
    alone.write_text("text\n" + "\n".join(f'"{line}"' for line in lines), "utf-8")
    return replace(first, unpaired=[alone], overwrite=True)


@pytest.mark.forks
def test_number_of_workers_and_of_blocks_changes_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[str]
) -> None:
    task = mixed(tmp_path)
    summary = prepare(task)
    expected = contents(task.data_dir)
    reasons = {str(reason) for reason in Reason}
    assert len(reasons & summary["rejects"].keys()) >= 6

    monkeypatch.setattr("headline.formats.lines.Lines.BLOCK", 3000)
    monkeypatch.setattr("headline.data.pieces.PIECES", 3000)
    monkeypatch.setattr("headline.data.selection.CHUNK", 7)
    for workers in (1, 2, 3):
        prepare(replace(task, workers=workers))
        assert contents(task.data_dir) == expected
        assert bool(started) == (workers > 1)


def test_pairs_in_memory_are_cleaned_as_those_of_a_file(tmp_path: Path) -> None:
    pairs = some_dirty(0.3, *KINDS["all"])
    from_file = job(tmp_path, pairs)
    prepare(from_file)
    in_memory = replace(
        from_file, files=(), pairs=iter(pairs), data_dir=tmp_path / "other"
    )
    prepare(in_memory)

    assert kept(tmp_path / "other") == kept(tmp_path / "data")


def test_rejects_are_in_the_order_of_the_rows(tmp_path: Path) -> None:
    task = mixed(tmp_path)
    prepare(task)
    with (task.data_dir / REJECTS).open(encoding="utf-8", newline="") as stream:
        rows = [(row["file"], int(row["row"])) for row in csv.DictReader(stream)]
    files = [str(task.files[0]), str(task.unpaired[0])]
    assert rows == sorted(rows, key=lambda row: (files.index(row[0]), row[1]))
    assert len(rows) == len(set(rows)) > 100


def test_progress_is_that_of_the_bytes_read(tmp_path: Path) -> None:
    steps: list[int] = []
    task = job(tmp_path, dirt.sample_pairs())
    prepare(task, steps.append)
    assert sum(steps) == task.files[0].stat().st_size and min(steps) >= 0


def test_everything_rejected_is_told_with_the_reasons(tmp_path: Path) -> None:
    pairs: Sequence[Pair] = [Pair(pair.source, "云岭晨报数字报") for pair in CLEAN[:50]]
    with pytest.raises(CorpusError, match="of 50 rows 50 headline of many articles"):
        prepare(job(tmp_path, pairs, min_overlap=0))
    assert not (tmp_path / "data").exists()
