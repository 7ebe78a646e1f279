"""``headline prepare`` on real files: what is in a DATA_DIR, and what is refused."""

import csv
import gzip
import json
import random
import tracemalloc
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headline.data.corpus import CorpusReader, Pair
from headline.data.prepare import Job, prepare, split_of
from headline.data.pseudo import pseudo_pair
from headline.data.report import summary_table
from headline.data.store import (
    DATA,
    REJECTS,
    SPLITS,
    UNPAIRED,
    Dataset,
    data_files,
    open_dataset,
)
from headline.errors import CorpusError, DataError, HeadlineError
from headline.formats.tables import CorpusFormat
from headline.settings.prepare import PrepareConfig
from headline.text.normalise import normalise
from tests.reading import entries

HAN = "央行今日宣布下调存款准备金率新华社北京电记者从会议上获悉我国经济持续向好"
RAW = ("<p>", "　", "１２．５％", "&nbsp;", "，", "GDP", "\n", '"', "<pad>", "😀")


def raw_pairs(count: int, seed: int = 0) -> list[Pair]:
    """Returns pairs as the web has them, and some twice with another headline.

    Each has characters of its own, so the vocab lacks those of the held-out ones.
    """
    rng = random.Random(seed)
    pairs = []
    for number in range(count):
        words = rng.choices([HAN[i : i + 2] for i in range(len(HAN))] + [*RAW], k=30)
        both, headline_only = chr(0x5000 + number), chr(0x6000 + number)
        source = f"{number}号{both}{''.join(words)}"
        some = "".join(rng.choices(HAN, k=rng.randint(2, 9)))
        pairs.append(Pair(source, f"{headline_only}{some}{both}"))
        if rng.random() < 0.2:
            pairs.append(Pair(source, "".join(rng.choices(HAN, k=5))))
    return pairs


PAIRS = raw_pairs(150)


def write_csv(path: Path, pairs: Iterable[tuple[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["title", "content"])
        writer.writerows((target, source) for source, target in pairs)
    return path


def job(corpus: Path, data_dir: Path, overwrite: bool = False, **settings: Any) -> Job:
    settings = {"min_count": 1, "valid_size": 0.2, "test_size": 0.2} | settings
    return Job(
        files=[corpus],
        data_dir=data_dir,
        format=CorpusFormat(),
        config=PrepareConfig(**settings),
        overwrite=overwrite,
    )


def prepared(folder: Path, pairs: Sequence[Pair] = PAIRS, **settings: Any) -> Dataset:
    """Prepares the pairs in a folder of their own and opens the result."""
    folder.mkdir()
    corpus = write_csv(folder / "news.csv", pairs)
    prepare(job(corpus, folder / "data", **settings))
    return open_dataset(folder / "data")


def usable(dataset: Dataset) -> list[Pair]:
    """Returns the normalised pairs that prepare was to keep, in their order."""
    config = dataset.config
    reader = CorpusReader(
        [dataset.path.parent / "news.csv"],
        CorpusFormat(),
        min_source_length=config.min_source_length,
        min_target_length=config.min_target_length,
        max_target_length=config.max_target_length,
    )
    return [entry for entry in entries(reader) if isinstance(entry, Pair)]


def decoded(dataset: Dataset, split: str, texts: Sequence[Pair]) -> list[Pair]:
    """Turns the arrays of a split into text again; ``texts`` gives the extras."""
    tokenizer, arrays = dataset.tokenizer, dataset.splits[split]
    pairs = []
    for index, text in enumerate(texts):
        extra: Sequence[str] = ()
        for side in (text.source[: dataset.config.max_source_length], text.target):
            extra = tokenizer.encode(side, extra).extra
        source = tokenizer.decode(arrays.source[index], extra)
        pairs.append(Pair(source, tokenizer.decode(arrays.target[index], extra)))
    return pairs


def assert_encoded(dataset: Dataset, split: str, texts: Sequence[Pair]) -> None:
    """Checks that the ids are those that ``generate`` gives an article."""
    tokenizer, arrays = dataset.tokenizer, dataset.splits[split]
    for index, text in enumerate(texts):
        source = tokenizer.encode(text.source[: dataset.config.max_source_length])
        target = tokenizer.encode(text.target, source.extra)
        assert arrays.source[index].tolist() == source.ids.tolist()
        assert arrays.target[index].tolist() == target.ids.tolist()


def in_split(dataset: Dataset, split: str) -> list[Pair]:
    return [p for p in usable(dataset) if split_of(p.source, dataset.config) == split]


def train_texts(dataset: Dataset, side: str, split: str = "train") -> list[str]:
    """Returns the texts of a split that has no unknown characters."""
    rows = getattr(dataset.splits[split], side)
    return [dataset.tokenizer.decode(rows[index]) for index in range(len(rows))]


def articles(dataset: Dataset) -> dict[str, str]:
    """Returns the split of each article, as the arrays and CSV files have it."""
    found = dict.fromkeys(train_texts(dataset, "source"), "train")
    for split in SPLITS[1:]:
        with dataset.text_path(split).open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                assert found.setdefault(row["content"], split) == split
    return found


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# --- what is written ------------------------------------------------------------------


@pytest.mark.parametrize("tokenizer", ["char", "word"])
@pytest.mark.parametrize("min_count", [1, 20])
def test_arrays_decode_to_the_normalised_pairs(
    tmp_path: Path, tokenizer: str, min_count: int
) -> None:
    dataset = prepared(
        tmp_path / "a", tokenizer=tokenizer, min_count=min_count, max_source_length=40
    )

    for split in SPLITS:
        expected = in_split(dataset, split)
        assert len(expected) == len(dataset.splits[split]) > 0
        assert_encoded(dataset, split, expected)
        assert decoded(dataset, split, expected) == [
            Pair(pair.source[:40], pair.target) for pair in expected
        ]


def test_headline_longer_than_articles_are_cut_to_stays_whole(tmp_path: Path) -> None:
    pairs = [Pair(f"{number}号{HAN}", HAN[:20]) for number in range(30)]

    dataset = prepared(tmp_path / "a", pairs, max_source_length=10)

    assert set(train_texts(dataset, "target")) == {HAN[:20]}
    assert set(dataset.splits["train"].source.lengths()) == {10}


def test_held_out_texts_are_the_whole_normalised_pairs(tmp_path: Path) -> None:
    dataset = prepared(tmp_path / "a", max_source_length=20)

    for split in SPLITS[1:]:
        assert dataset.sample(split, 10**6) == in_split(dataset, split)


@pytest.mark.parametrize("tokenizer", ["char", "word"])
def test_vocab_counts_the_train_split_alone(tmp_path: Path, tokenizer: str) -> None:
    pairs = [Pair(f"{number}号{HAN}", "央行降息") for number in range(40)]
    first = prepared(tmp_path / "a", pairs, tokenizer=tokenizer)
    held_out = [p for p in pairs if split_of(p.source, first.config) != "train"]
    longer = [Pair(p.source, "罕见" * 9) for p in held_out]

    second = prepared(tmp_path / "b", pairs + longer, tokenizer=tokenizer)

    assert len(second.splits["test"]) > len(first.splits["test"])
    assert second.tokenizer.vocab.tokens == first.tokenizer.vocab.tokens
    assert set("罕见").isdisjoint(first.tokenizer.vocab.tokens)


def test_limits_of_the_vocab_are_kept(tmp_path: Path) -> None:
    dataset = prepared(tmp_path / "a", vocab_size=12)
    assert dataset.tokenizer.vocab.vocab_size == 12

    dataset = prepared(tmp_path / "b", min_count=100)
    vocab = dataset.tokenizer.vocab
    text = "".join("".join(pair) for pair in in_split(dataset, "train"))
    frequent = {character for character in text if text.count(character) >= 100}
    assert set(vocab.tokens[4 : vocab.vocab_size]) == frequent
    assert set(vocab.tokens[4:]) == set(text)


def test_split_of_an_article_does_not_move_with_other_rows(tmp_path: Path) -> None:
    before = articles(prepared(tmp_path / "a", PAIRS))
    others = PAIRS[::-1] + raw_pairs(200, seed=1)

    after = articles(prepared(tmp_path / "b", others))

    assert set(before.values()) == set(SPLITS)
    assert before.items() < after.items()


def test_article_with_two_headlines_is_on_one_side(tmp_path: Path) -> None:
    dataset = prepared(tmp_path / "a")
    sources = [normalise(source) for source, _ in PAIRS]
    twice = {source for source in sources if sources.count(source) == 2}

    places = articles(dataset)  # which fails where one stands on two sides

    assert {places[source] for source in twice} == set(SPLITS)


def test_shares_of_the_splits_are_as_asked_for() -> None:
    config = PrepareConfig(valid_size=0.1, test_size=0.3)
    names = [split_of(f"{number}号", config) for number in range(4000)]

    assert abs(names.count("test") / 4000 - 0.3) < 0.03
    assert abs(names.count("valid") / 4000 - 0.1) < 0.03


def test_article_stays_out_of_train_when_the_shares_grow() -> None:
    small, large = (PrepareConfig(valid_size=s, test_size=s) for s in (0.1, 0.2))

    for number in range(300):
        if split_of(f"{number}号", small) == "test":
            assert split_of(f"{number}号", large) == "test"
        if split_of(f"{number}号", large) == "train":
            assert split_of(f"{number}号", small) == "train"


def test_counts_add_up(tmp_path: Path) -> None:
    bad = [Pair("短", "太短的正文"), Pair(HAN, "短"), Pair("", "空"), Pair(HAN, HAN)]
    dataset = prepared(tmp_path / "a", [*PAIRS, *bad, *PAIRS[:2]], max_source_length=50)
    summary, pairs = dataset.summary, usable(dataset)
    counts = summary["counts"]

    assert counts["rows"] == len(PAIRS) + 6
    assert counts["rejected"] == sum(summary["rejects"].values())
    assert counts["rejected"] == counts["rows"] - len(pairs)
    assert summary["rejects"]["duplicate"] == 2
    for split in SPLITS:
        assert counts[split] == len(dataset.splits[split])
    assert sum(counts[split] for split in SPLITS) == len(pairs)
    assert counts["articles_cut"] == sum(len(pair.source) > 50 for pair in pairs) > 0
    assert counts["tokens"] == len(dataset.tokenizer.vocab)
    assert counts["generable"] == dataset.tokenizer.vocab.vocab_size


def test_percentiles_are_those_of_all_pairs_before_they_are_cut(tmp_path: Path) -> None:
    dataset = prepared(tmp_path / "a", max_source_length=20)

    for side in ("source", "target"):
        lengths = sorted(len(getattr(pair, side)) for pair in usable(dataset))
        found = dataset.summary["lengths"][side]
        assert found["p100"] == lengths[-1]
        below = sum(length < found["p50"] for length in lengths)
        assert below <= len(lengths) / 2 <= below + lengths.count(found["p50"])


def test_rejects_say_where_and_why(tmp_path: Path) -> None:
    rows = [*PAIRS[:60], Pair("正文不够长", "标题一"), PAIRS[3], Pair(HAN, "")]
    dataset = prepared(tmp_path / "a", rows)

    with (dataset.path / REJECTS).open(encoding="utf-8", newline="") as stream:
        table = list(csv.DictReader(stream))

    assert [(row["row"], row["reason"]) for row in table] == [
        ("62", "article too short"),  # a spreadsheet's row: the header is the first
        ("63", "duplicate"),
        ("64", "empty headline"),
    ]
    assert {row["file"] for row in table} == {str(tmp_path / "a" / "news.csv")}
    assert table[0]["excerpt"] == "标题一 | 正文不够长"


@pytest.mark.parametrize(("characters", "dtype"), [(60_000, "u2"), (70_000, "u4")])
def test_ids_take_two_bytes_where_they_fit(
    tmp_path: Path, characters: int, dtype: str
) -> None:
    points = [*range(0x4E00, 0x9FFF), *range(0x20000, 0x32000)][:characters]
    text = "".join(map(chr, points))
    pieces = [text[begin : begin + 400] for begin in range(0, len(text), 400)]
    pairs = [Pair(piece, piece[:9]) for piece in pieces]

    dataset = prepared(tmp_path / "a", pairs, valid_size=0, test_size=0)

    train = dataset.splits["train"]
    assert train.source.ids.dtype == np.dtype(dtype)
    assert decoded(dataset, "train", pairs) == pairs


@pytest.mark.parametrize("tokenizer", ["char", "word"])
def test_same_input_gives_the_same_bytes(tmp_path: Path, tokenizer: str) -> None:
    corpus = write_csv(tmp_path / "news.csv", PAIRS)
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        prepare(job(corpus, folder, tokenizer=tokenizer))

    one, two = map(files, folders)
    assert one == two
    assert one.keys() == {DATA, REJECTS, *data_files()}


def test_summary_is_what_the_file_holds_and_the_table_shows_it(tmp_path: Path) -> None:
    corpus = write_csv(tmp_path / "news.csv", [*PAIRS, PAIRS[0]])

    summary = prepare(job(corpus, tmp_path / "data"))

    assert open_dataset(tmp_path / "data").summary == summary
    words = summary_table(summary).split()
    for name in ("rows", "rejected", "duplicate", "train", "valid", "test"):
        numbers = summary["counts"] | summary["rejects"]
        assert words[words.index(name) + 1] == str(numbers[name])


def test_progress_adds_up_to_the_bytes_of_the_files(tmp_path: Path) -> None:
    corpus = write_csv(tmp_path / "news.csv", raw_pairs(1500))
    steps: list[int] = []
    written: list[int] = []

    summary = prepare(job(corpus, tmp_path / "data"), steps.append, written.append)

    assert sum(written) == sum(summary["counts"][split] for split in SPLITS)
    assert sum(steps) == corpus.stat().st_size
    assert len(steps) > 1
    assert min(steps) >= 0


def test_memory_does_not_grow_with_the_texts(tmp_path: Path) -> None:
    length = 1000

    def memory(count: int) -> tuple[int, int]:
        """Returns the bytes held after the first rows, and the most at any time."""
        body = (HAN * length)[:length]
        pairs = (Pair(f"{number}号{body}", HAN[:9]) for number in range(count))
        corpus = write_csv(tmp_path / f"{count}.csv", pairs)
        task = job(corpus, tmp_path / "data", overwrite=True, max_source_length=length)
        held: list[int] = []
        tracemalloc.start()
        prepare(task, lambda _: held.append(tracemalloc.get_traced_memory()[0]))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return held[0], peak

    few, many = memory(400), memory(1300)  # rows are read some at a time

    text_bytes = 900 * length * 2
    assert many[0] - few[0] < text_bytes / 5
    assert many[1] - few[1] < text_bytes / 5


# --- several corpora ------------------------------------------------------------------


def two_corpora(folder: Path) -> Job:
    first = write_csv(folder / "a.csv", PAIRS[:50])
    second = write_csv(folder / "b.csv", [*PAIRS[50:], PAIRS[0]])
    return replace(job(first, folder / "data"), files=[first, second])


def test_counts_tell_which_train_pairs_are_of_which_file(tmp_path: Path) -> None:
    summary = prepare(two_corpora(tmp_path))
    dataset = open_dataset(tmp_path / "data")

    counts = [corpus["train"] for corpus in summary["corpora"]]
    assert [corpus["file"] for corpus in summary["corpora"]] == [
        str(tmp_path / name) for name in ("a.csv", "b.csv")
    ]
    for split in SPLITS:
        total = sum(corpus[split] for corpus in summary["corpora"])
        assert total == summary["counts"][split] == len(dataset.splits[split])
    ours = {normalise(source) for source, _ in PAIRS[:50]}
    in_order = [source in ours for source in train_texts(dataset, "source")]
    assert in_order == [True] * counts[0] + [False] * counts[1]


def test_weights_change_nothing_but_how_often_train_pairs_are_seen(
    tmp_path: Path,
) -> None:
    both = two_corpora(tmp_path)
    prepare(both)
    plain = files(tmp_path / "data")

    weights = {tmp_path / "b.csv": 0.3}
    summary = prepare(replace(both, overwrite=True, weights=weights))

    weighted = files(tmp_path / "data")
    assert [corpus["weight"] for corpus in summary["corpora"]] == [1, 0.3]
    assert {name for name in plain if plain[name] != weighted[name]} == {DATA}
    of_a, of_b = (corpus["train"] for corpus in summary["corpora"])
    train = open_dataset(tmp_path / "data").splits["train"]
    assert train.epoch_pairs == of_a + round(0.3 * of_b)


def test_table_names_the_corpora_where_there_are_several(tmp_path: Path) -> None:
    both = replace(two_corpora(tmp_path), weights={tmp_path / "b.csv": 0.3})
    summary = prepare(both)

    *_, first, second = summary_table(summary).splitlines()
    for line, corpus in zip((first, second), summary["corpora"], strict=True):
        counts = (f"{corpus[split]:,}" for split in SPLITS)
        assert line.split() == [f"{corpus['weight']:g}", *counts, corpus["file"]]
    alone = prepare(job(tmp_path / "a.csv", tmp_path / "alone"))
    assert "a.csv" not in summary_table(alone)


# --- several processes ----------------------------------------------------------------


def mixed_job(folder: Path, tokenizer: str) -> Job:
    """Corpora of several kinds, with rows of every fault, and some twice."""
    odd = [Pair(HAN, ""), Pair("短", "太短"), Pair(HAN * 4, "长文章")]
    pairs = [*PAIRS[:60], *odd, *PAIRS[:5]]
    first = write_csv(folder / "a.csv", pairs)
    with first.open("ab") as stream:
        stream.write("题目,正文,三\n坏,\ufffd\n".encode().replace(b"\xef\xbf", b"\xff"))
    with gzip.open(folder / "b.jsonl.gz", "wt", encoding="utf-8") as lines:
        for source, target in [*PAIRS[55:110], *PAIRS[50:52]]:
            lines.write(json.dumps({"title": target, "text": source}) + "\n")
        lines.write('{"title": [], "text": "a"}\nno\n')
    with (folder / "c.tsv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t")
        writer.writerows([("title", "content"), *((t, s) for s, t in PAIRS[100:])])
    articles = [*ARTICLES, *ARTICLES[:9], "短", HAN, *(pair.source for pair in PAIRS)]
    more = folder / "more.csv"
    more.write_text("text\n" + "\n".join(articles[:69]) + "\n", "utf-8")
    last = folder / "last.jsonl"
    last.write_text("\n".join(json.dumps({"text": t}) for t in articles[60:]), "utf-8")
    return replace(
        job(first, folder / "1", tokenizer=tokenizer, max_source_length=90),
        files=[first, folder / "b.jsonl.gz", folder / "c.tsv"],
        weights={first: 2.5},
        unpaired=[more, last],
    )


@pytest.mark.forks
@pytest.mark.parametrize("tokenizer", ["char", "word"])
def test_number_of_workers_changes_no_byte(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    started: list[str],
    tokenizer: str,
) -> None:
    mixed = mixed_job(tmp_path, tokenizer)
    summary = prepare(mixed)  # all rows of a file at once
    expected = files(tmp_path / "1")
    monkeypatch.setattr("headline.formats.lines.Lines.BLOCK", 300)  # characters
    monkeypatch.setattr(
        "headline.data.pieces.PIECES", 300
    )  # so both passes have many parts

    for workers in (1, 2, 3):
        data_dir = tmp_path / f"{workers} processes"
        prepare(replace(mixed, data_dir=data_dir, workers=workers))
        assert files(data_dir) == expected
        assert len(started) % workers == 0 and bool(started) == (workers > 1)
        started.clear()

    assert min(summary["rejects"].values()) >= 1 and len(summary["rejects"]) >= 6
    assert summary["rejects"]["duplicate"] > 20
    assert all(corpus["train"] for corpus in summary["corpora"])
    assert all(summary[UNPAIRED].values())


@pytest.mark.forks
def test_only_a_large_corpus_starts_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[str]
) -> None:
    corpus = write_csv(tmp_path / "a.csv", PAIRS)
    small = replace(job(corpus, tmp_path / "data", overwrite=True), workers=2)
    prepare(small)
    assert not started

    monkeypatch.setattr("headline.formats.lines.Lines.BLOCK", 300)
    prepare(replace(small, workers=1))
    assert not started
    prepare(small)
    assert started and set(started) == {"fork"}


# --- articles without headlines -------------------------------------------------------

# Of two sentences; PAIRS too are long enough to give pseudo-pairs.
ARTICLES = [f"{chr(0x7000 + at)}罕见{HAN}。{at}号{HAN}。" for at in range(60)]


def unpaired_job(
    folder: Path, articles: Iterable[str] = ARTICLES, **settings: Any
) -> Job:
    folder.mkdir(exist_ok=True)
    corpus = write_csv(folder / "news.csv", PAIRS)
    more = folder / "more.csv"
    with more.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("text",), *((text,) for text in articles)])
    return replace(job(corpus, folder / "data", **settings), unpaired=[more])


def test_pseudo_pairs_are_a_split_of_their_own(tmp_path: Path) -> None:
    plain = prepared(tmp_path / "a")
    summary = prepare(unpaired_job(tmp_path / "b"))
    dataset = open_dataset(tmp_path / "b" / "data")

    free = [text for text in ARTICLES if split_of(text, dataset.config) == "train"]
    found = [pseudo_pair(text, dataset.config) for text in free]
    expected = [pair for pair in found if pair is not None]
    assert 10 < len(expected) == len(free) < len(ARTICLES)
    assert decoded(dataset, UNPAIRED, expected) == expected
    assert summary["counts"][UNPAIRED] == len(dataset.splits[UNPAIRED]) == len(expected)
    assert summary[UNPAIRED] == {str(tmp_path / "b" / "more.csv"): len(expected)}
    for split in SPLITS:
        assert summary["counts"][split] == plain.summary["counts"][split]
        assert decoded(dataset, split, in_split(dataset, split))
    assert summary["lengths"] == plain.summary["lengths"]
    assert files(dataset.path).keys() == {DATA, REJECTS, *data_files(dataset.splits)}
    assert f"{len(expected)} pseudo-pairs  {tmp_path}" in summary_table(summary)


@pytest.mark.parametrize("tokenizer", ["char", "word"])
def test_vocab_counts_the_pseudo_pairs_too(tmp_path: Path, tokenizer: str) -> None:
    assert set("罕见").isdisjoint("".join("".join(pair) for pair in PAIRS))

    prepare(unpaired_job(tmp_path, tokenizer=tokenizer, min_count=20))

    vocab = open_dataset(tmp_path / "data").tokenizer.vocab
    assert set("罕见") <= set("".join(vocab.tokens[4 : vocab.vocab_size]))


def test_held_out_articles_never_become_pseudo_pairs(tmp_path: Path) -> None:
    config = job(tmp_path, tmp_path).config
    both = unpaired_job(tmp_path, [pair.source for pair in PAIRS])

    summary = prepare(both)

    sources = {normalise(source) for source, _ in PAIRS}
    held_out = [text for text in sources if split_of(text, config) != "train"]
    assert (
        summary["rejects"]["article of the valid or test split"] >= len(held_out) > 20
    )
    dataset = open_dataset(tmp_path / "data")
    assert len(dataset.splits[UNPAIRED]) <= len(sources) - len(held_out)
    own = {chr(0x5000 + number) for number in range(150)}  # a character of each
    known = {character for text in held_out for character in text} & own
    seen = set("".join(train_texts(dataset, "source", UNPAIRED)))
    assert len(known) == len(held_out) and not known & seen and own & seen


def test_articles_that_give_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"more\.csv: of 2 rows 1 .*1 .*too short"):
        prepare(unpaired_job(tmp_path, [HAN * 3, "短"]))
    assert not (tmp_path / "data").exists()


def test_folder_with_pseudo_pairs_is_replaced_by_one_without(tmp_path: Path) -> None:
    both = replace(unpaired_job(tmp_path), overwrite=True)
    prepare(both)
    prepare(replace(both, unpaired=()))

    assert UNPAIRED not in open_dataset(tmp_path / "data").splits
    assert files(tmp_path / "data").keys() == {DATA, REJECTS, *data_files()}


# --- the folder -----------------------------------------------------------------------


def test_prepared_folder_is_replaced_only_when_told_to(tmp_path: Path) -> None:
    corpus = write_csv(tmp_path / "news.csv", PAIRS)
    folder = tmp_path / "deep" / "data"
    prepare(job(corpus, folder))
    before = files(folder)

    with pytest.raises(DataError, match="--overwrite"):
        prepare(job(corpus, folder, vocab_size=9))
    assert files(folder) == before
    prepare(job(corpus, folder, vocab_size=9, overwrite=True))

    assert open_dataset(folder).config.vocab_size == 9
    assert list(folder.parent.iterdir()) == [folder]


def test_empty_folder_is_used(tmp_path: Path) -> None:
    corpus = write_csv(tmp_path / "news.csv", PAIRS)
    (tmp_path / "data").mkdir()

    prepare(job(corpus, tmp_path / "data"))

    assert len(open_dataset(tmp_path / "data").splits["train"])


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("names", [["notes.txt"], [DATA, "notes.txt"], ["vocab.json"]])
def test_folder_of_other_things_is_never_touched(
    tmp_path: Path, names: list[str], overwrite: bool
) -> None:
    corpus = write_csv(tmp_path / "news.csv", PAIRS)
    folder = tmp_path / "data"
    folder.mkdir()
    for name in names:
        (folder / name).write_text("{}")

    with pytest.raises(DataError) as caught:
        prepare(job(corpus, folder, overwrite))

    assert str(folder) in str(caught.value)
    assert files(folder) == dict.fromkeys(names, b"{}")


def test_file_in_the_place_of_the_folder_is_never_touched(tmp_path: Path) -> None:
    corpus = write_csv(tmp_path / "news.csv", PAIRS)
    before = corpus.read_bytes()

    with pytest.raises(DataError, match="is a file"):
        prepare(job(corpus, corpus, overwrite=True))
    with pytest.raises(HeadlineError, match="cannot write"):
        prepare(job(corpus, corpus / "data"))

    assert corpus.read_bytes() == before


def test_failure_leaves_the_old_folder_and_no_litter(tmp_path: Path) -> None:
    corpus = write_csv(tmp_path / "news.csv", PAIRS)
    folder = tmp_path / "data"
    prepare(job(corpus, folder))
    before = files(folder)

    with pytest.raises(CorpusError):
        prepare(job(corpus, folder, overwrite=True, min_count=10**6))

    assert files(folder) == before
    assert {path.name for path in tmp_path.iterdir()} == {"news.csv", "data"}


# --- corpora that give no dataset -----------------------------------------------------


def refusal(corpus: Path, **settings: Any) -> str:
    """Returns the message that the corpus is refused with."""
    with pytest.raises(CorpusError) as caught:
        prepare(job(corpus, corpus.parent / "data", **settings))
    assert not (corpus.parent / "data").exists()
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_no_usable_pair_is_refused_with_the_reasons(tmp_path: Path) -> None:
    corpus = write_csv(tmp_path / "a.csv", [Pair("短", "标题"), Pair("短", "标题二")])

    message = refusal(corpus)

    assert str(corpus) in message
    assert "2 rows" in message
    assert "2 article too short" in message


def test_corpus_that_is_all_held_out_is_refused(tmp_path: Path) -> None:
    half = PrepareConfig(valid_size=0.5, test_size=0.5)
    held_out = (p for p in PAIRS if split_of(normalise(p.source), half) != "train")
    corpus = write_csv(tmp_path / "a.csv", list(islice(held_out, 3)))

    message = refusal(corpus, valid_size=0.5, test_size=0.5)

    assert "all 3 usable pairs" in message
    assert "--valid-size" in message


def test_weights_that_leave_no_pair_are_refused(tmp_path: Path) -> None:
    corpus = write_csv(tmp_path / "a.csv", PAIRS)
    tiny = replace(job(corpus, tmp_path / "data"), weights={corpus: 1e-4})

    with pytest.raises(CorpusError, match=r"no epoch would see a pair.*--weight"):
        prepare(tiny)


@pytest.mark.parametrize("tokenizer", ["char", "word"])
def test_corpus_without_a_frequent_token_is_refused(
    tmp_path: Path, tokenizer: str
) -> None:
    corpus = write_csv(tmp_path / "a.csv", PAIRS)

    message = refusal(corpus, min_count=10**6, tokenizer=tokenizer)

    assert "1000000 times" in message
    assert "--min-count" in message


def test_missing_file_is_refused(tmp_path: Path) -> None:
    assert str(tmp_path / "none.csv") in refusal(tmp_path / "none.csv")
