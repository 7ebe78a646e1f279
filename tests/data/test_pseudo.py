"""The sentence that becomes a headline is whole, and the one most like the rest."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.data.cleaning import Reason, Reject
from headline.data.corpus import Pair
from headline.data.pseudo import UnpairedReader, pseudo_pair
from headline.errors import CorpusError
from headline.evaluation.metrics import rouge
from headline.formats.tables import CorpusFormat
from headline.settings.prepare import PrepareConfig
from tests.reading import entries

CONFIG = PrepareConfig(min_source_length=4, max_target_length=9, max_source_length=100)
TAIL = "央行今日宣布下调利率。"  # too long for a headline under CONFIG, and one clause

texts_of_pieces = st.text("央行降息今日 a", min_size=1, max_size=12)
ends_of_pieces = st.sampled_from(["。", "；；；"])
pieces_of_any_kind = st.lists(st.tuples(texts_of_pieces, ends_of_pieces), max_size=7)
any_text = st.text("央行降息今日12a,，。！？；…“”（）?! ", max_size=130)


@given(pieces_of_any_kind)
def test_sentence_is_the_one_with_the_best_rouge_1(
    pieces: list[tuple[str, str]],
) -> None:
    pieces = [(" ".join(text.split()), end) for text, end in pieces if text.strip()]
    texts, whole = [text for text, _ in pieces], ["".join(piece) for piece in pieces]
    rests = ["".join(whole[:place] + whole[place + 1 :]) for place in range(len(whole))]
    scores = {
        place: rouge(text, rest).rouge_1
        for place, (text, rest) in enumerate(zip(texts, rests, strict=True))
        if 2 <= len(text) <= 9 and len(rest.replace(" ", "")) >= max(4, len(text) + 1)
    }

    pair = pseudo_pair("".join(whole), CONFIG)

    if not scores:
        assert pair is None
        return
    best = max(scores, key=lambda place: scores[place])  # the first of equals
    assert pair == Pair(rests[best], texts[best])


@given(any_text.map(lambda text: " ".join(text.split())))
def test_headline_is_taken_out_of_the_article_and_within_limits(article: str) -> None:
    pair = pseudo_pair(article, CONFIG)

    if pair is None:
        return
    assert CONFIG.min_target_length <= len(pair.target) <= CONFIG.max_target_length
    assert len(pair.source) >= CONFIG.min_source_length
    assert len(pair.target) < len(pair.source)
    assert " ".join(pair.source.split()) == pair.source
    for one, other in ("“”", "（）"):
        assert pair.target.count(one) == pair.target.count(other)
    whole, rest, target = ("".join(text.split()) for text in (article, *pair))
    assert target in {gone.strip("，,。；;…") for gone in removals(whole, rest)}


def removals(whole: str, rest: str) -> set[str]:
    """Returns each run of characters that ``whole`` loses to become ``rest``."""
    length = len(whole) - len(rest)
    return {
        whole[begin : begin + length]
        for begin in range(len(rest) + 1)
        if whole[:begin] + whole[begin + length :] == rest
    }


@pytest.mark.parametrize(
    ("article", "target"),
    [
        ("今日降息。", "今日降息"),
        ("今日降息！", "今日降息！"),
        ("为何降息？", "为何降息？"),
        ("今日降息；", "今日降息"),
        ("今日降息……", "今日降息"),
        ("今日,降息!", "今日,降息!"),
        ("见a.cn?b=1。", "见a.cn?b=1"),
        ("降“今日。”", "降“今日。”"),
        ("（今日降息。）", "（今日降息。）"),
        ("央行今日宣布降息并行，央行降息。", "央行降息"),
        ("央行今日宣布降息并行,央行降息。", "央行降息"),
        ("降息1,234亿元，央行今日宣布降息并行。", "降息1,234亿元"),
        ("“央行降息，今日下调利率。”", None),  # each clause has half of the quotes
        ("今。", None),  # too short
    ],
)
def test_pieces_are_whole_sentences_or_clauses(
    article: str, target: str | None
) -> None:
    pair = pseudo_pair(article + TAIL, CONFIG)

    assert (pair and pair.target) == target


def test_only_what_the_model_reads_can_become_a_headline() -> None:
    article = f"今日下调。{TAIL}央行下调今日。{TAIL}"
    assert pseudo_pair(article, CONFIG) == Pair(
        f"今日下调。{TAIL}{TAIL}", "央行下调今日"
    )

    for length, target in [(22, "今日下调"), (19, "今日下调")]:  # whole, and cut off
        config = PrepareConfig(
            min_source_length=4, max_target_length=9, max_source_length=length
        )
        pair = pseudo_pair(article, config)
        assert pair == Pair(f"{TAIL}央行下调今日。{TAIL}", target)


# --- files ----------------------------------------------------------------------------


def read(*paths: Path, held_out: Sequence[str] = ()) -> list[Pair | Reject]:
    reader = UnpairedReader(paths, CorpusFormat(), CONFIG, held_out.__contains__)
    return entries(reader)


def test_reader_needs_articles_alone_and_tells_why_a_row_gives_none(
    tmp_path: Path,
) -> None:
    good = f"今日降息。{TAIL}"
    rows = [good, "", "短", TAIL, f"央行{good}", good, f" <b>{good}</b>"]
    titled, plain = tmp_path / "titled.csv", tmp_path / "plain.jsonl"
    with titled.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("content", "title"), *((r, "题") for r in rows)])
    values: list[Any] = [good, {}]
    lines = [json.dumps({"text": value}) for value in values]
    plain.write_text("\n".join(lines), "utf-8")

    found = read(titled, plain, held_out=[f"央行{good}"])

    assert found[0] == Pair(TAIL, "今日降息")
    rejects = [entry for entry in found if isinstance(entry, Reject)]
    assert [(Path(r.file).name, r.row, r.reason) for r in rejects] == [
        ("titled.csv", 3, Reason.EMPTY_SOURCE),
        ("titled.csv", 4, Reason.SHORT_SOURCE),
        ("titled.csv", 5, Reason.NO_SENTENCE),
        ("titled.csv", 6, Reason.HELD_OUT),
        ("titled.csv", 7, Reason.DUPLICATE),
        ("titled.csv", 8, Reason.DUPLICATE),
        ("plain.jsonl", 1, Reason.DUPLICATE),
        ("plain.jsonl", 2, Reason.UNREADABLE),
    ]


def test_file_without_articles_names_the_option(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("title,b\n1,2\n", "utf-8")

    with pytest.raises(CorpusError, match=r"a\.csv: no source column.*--source-column"):
        read(path)
