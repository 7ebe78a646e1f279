"""Pairs: every reason to reject, duplicates, progress."""

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

from headline.data.cleaning import EXCERPT_LENGTH, Reason, Reject
from headline.data.corpus import CorpusReader, Pair
from headline.data.duplicates import digest_of
from headline.formats.tables import (
    CorpusFormat,
    open_table,
    total_bytes,
)
from tests.reading import ARTICLE, LINE, PAIR, entries, read, rejects, to_csv, write


@pytest.mark.parametrize(
    ("target", "source", "reason"),
    [
        ("央行降准", " <br> ", Reason.EMPTY_SOURCE),
        ("", "", Reason.EMPTY_SOURCE),
        ("\u200b", ARTICLE, Reason.EMPTY_TARGET),
        ("降准", "央行今日宣布下调准", Reason.SHORT_SOURCE),
        ("降", ARTICLE, Reason.SHORT_TARGET),
        ("降" * 21, ARTICLE * 2, Reason.LONG_TARGET),
        (ARTICLE, ARTICLE, Reason.NOT_SHORTER),
        (f"{ARTICLE[:-1]} 。", ARTICLE, Reason.NOT_SHORTER),
        (f" <b>{PAIR.target}</b>", f"{ARTICLE}\n", Reason.DUPLICATE),
    ],
)
def test_reasons(tmp_path: Path, target: str, source: str, reason: Reason) -> None:
    record = to_csv([(target, source)])
    path = write(tmp_path / "a.csv", f"title,content\n{LINE}{record}")

    first, second = read(path)

    assert first == PAIR
    assert isinstance(second, Reject)
    assert (second.file, second.row, second.reason) == (str(path), 3, reason)


def test_lengths_at_the_limits_are_enough(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f"title,content\n{LINE}")
    limits = {"min_source_length": len(ARTICLE), "min_target_length": 4}

    assert read(path, **limits, max_target_length=4) == [PAIR]
    assert read(path, **limits, max_target_length=None) == [PAIR]


def test_duplicates_are_found_across_files_and_anew_each_time(tmp_path: Path) -> None:
    other = f"降准了,{ARTICLE}\n"  # another headline makes another pair
    first = write(tmp_path / "a.csv", f"title,content\n{LINE}{other}")
    second = write(tmp_path / "b.csv.gz", f"title,content\n{LINE}")
    reader = CorpusReader(
        [first, second], CorpusFormat(), min_source_length=1, min_target_length=1
    )

    for _ in range(2):
        *pairs, last = entries(reader)
        assert pairs == [PAIR, Pair(ARTICLE, "降准了")]
        assert isinstance(last, Reject)
        assert (last.file, last.reason) == (str(second), Reason.DUPLICATE)


def test_digest_is_the_same_in_every_run_and_for_no_other_pair() -> None:
    digest = (6888081726617775527).to_bytes(8, "little")
    assert digest_of(Pair("a", "b")) == digest
    assert digest_of(Pair("ab", "")) != digest_of(Pair("a", "b"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("12345678901", Pair("12345678901", "降准")),
        (12345678901, Pair("12345678901", "降准")),
        (12345678.25, Pair("12345678.25", "降准")),
        (None, Reason.EMPTY_SOURCE),
        ([ARTICLE], Pair(ARTICLE, "降准")),
        ([["央行今日，"], ["宣布", "降准。"]], Pair("央行今日，宣布降准。", "降准")),
        ([], Reason.EMPTY_SOURCE),
        ([ARTICLE, 1], Reason.UNREADABLE),
        ([{}], Reason.UNREADABLE),
        (math.nan, Reason.EMPTY_SOURCE),
        (-math.inf, Reason.EMPTY_SOURCE),
        ("nan", Reason.SHORT_SOURCE),
        ({"a": ARTICLE}, Reason.UNREADABLE),
        (True, Reason.UNREADABLE),
    ],
)
def test_values_of_json(tmp_path: Path, value: Any, expected: Pair | Reason) -> None:
    line = json.dumps({"title": "降准", "content": value})
    path = write(tmp_path / "a.jsonl", line)

    (entry,) = read(path)

    assert (entry.reason if isinstance(entry, Reject) else entry) == expected


def test_a_missing_key_is_an_empty_value(tmp_path: Path) -> None:
    first = json.dumps({"title": PAIR.target, "content": PAIR.source})
    path = write(tmp_path / "a.jsonl", f'{first}\n{{"content": "{ARTICLE}"}}\n')

    assert [entry.reason for entry in rejects(read(path))] == [Reason.EMPTY_TARGET]


def test_an_excerpt_is_one_short_printable_line(tmp_path: Path) -> None:
    source = "\x1b[31m红\n\u202e色\r" + "长" * 500
    bad = f"降准,{ARTICLE},三\n".encode() + b"\xff,\n"
    content = f"title,content\n{LINE}{to_csv([('题', source)])}".encode() + bad
    path = write(tmp_path / "a.csv", content)

    raw, columns, bytes_ = rejects(read(path))

    assert raw.excerpt.startswith("题 | [31m红 色 长长")
    assert len(raw.excerpt) == EXCERPT_LENGTH
    assert columns.reason == Reason.UNREADABLE
    assert columns.excerpt == f"(3 instead of 2 columns) | 降准 | {ARTICLE}"
    assert bytes_.excerpt == "(not valid utf-8) | |"


def test_a_file_name_that_is_no_text_can_be_reported(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xb1\xea.csv")
    write(path, f"title,content\n{LINE}{LINE}")

    _, entry = read(path)

    assert isinstance(entry, Reject)
    entry.file.encode()


def test_position_goes_up_to_the_total(tmp_path: Path) -> None:
    lines = "".join(f"降准{i},{ARTICLE}{os.urandom(9).hex()}\n" for i in range(9_999))
    files = [
        write(tmp_path / "a.csv", f"title,content\n{lines}"),
        write(tmp_path / "b.csv.gz", f"title,content\n{lines}"),
    ]
    reader = CorpusReader(
        files, CorpusFormat(), min_source_length=1, min_target_length=1
    )

    next(reader.read())  # an abandoned reading counts no more
    positions = [rows.position for rows in reader.read()]

    assert positions == sorted(positions)
    assert len(set(positions)) > 5
    assert positions[len(positions) // 4] < files[0].stat().st_size < positions[-1]
    assert positions[-1] == total_bytes(files)


def test_a_closed_table_has_no_position(tmp_path: Path) -> None:
    with open_table(write(tmp_path / "a.csv", "a,b\n"), CorpusFormat()) as table:
        pass

    assert table.position() == 0
