"""Tables: every kind, every kind of damage."""

import csv
import gzip
import json
import os
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from headline.data.cleaning import EXCERPT_LENGTH
from headline.errors import CorpusError
from headline.formats.columns import SOURCE_COLUMNS, TARGET_COLUMNS
from headline.formats.layout import LONGEST_ROW
from headline.formats.records import Row
from headline.formats.tables import (
    CorpusFormat,
    find_column,
    open_table,
    total_bytes,
)
from headline.text.normalise import normalise
from tests.reading import (
    LINE,
    PAIR,
    fault,
    read,
    rejects,
    rows,
    to_csv,
    write,
)

# --- kinds of table -------------------------------------------------------------------


@pytest.mark.parametrize("gz", ["", ".gz"])
@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".csv", f"title,content\n{LINE}"),
        (".CSV", f"title,content\r\n{LINE}"),
        (".tsv", f"content\ttitle\n{PAIR.source}\t{PAIR.target}\n"),
        (".jsonl", json.dumps({"title": PAIR.target, "content": PAIR.source})),
        (".ndjson", json.dumps({"标题": PAIR.target, "正文": PAIR.source}) + "\r\n"),
        (".json", json.dumps({"Headline": PAIR.target, "body": PAIR.source}) + "\n"),
    ],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_every_kind_gives_the_same_pair(
    tmp_path: Path, suffix: str, content: str, gz: str, mark: str
) -> None:
    path = write(tmp_path / f"news{suffix}{gz}", mark + content)

    assert read(path) == [PAIR]


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-16-le", "utf-8-sig"])
@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_encoding_is_an_option(tmp_path: Path, encoding: str, suffix: str) -> None:
    path = write(tmp_path / f"a{suffix}", f"标题,正文\n{LINE}", encoding)

    assert read(path, encoding=encoding) == [PAIR]


any_text = st.text(st.characters(codec="utf-8"))
records = st.lists(st.tuples(any_text, any_text), min_size=1, max_size=5)


@given(records, st.sampled_from([",", "\t"]), st.sampled_from(["\n", "\r\n", "\r"]))
@example([("a\rb\r\nc\nd", '"'), ("\x00\x1a,", '""\t"')], ",", "\n")
def test_written_texts_come_back(
    tmp_path_factory: pytest.TempPathFactory,
    texts: list[tuple[str, str]],
    delimiter: str,
    line_end: str,
) -> None:
    # A file with a line feed anywhere is no file of bare CR line ends.
    assume(line_end != "\r" or "\n" not in "".join(map("".join, texts)))
    suffix = {",": ".csv", "\t": ".tsv"}[delimiter]
    path = tmp_path_factory.getbasetemp() / f"round_trip{suffix}"
    dialect = {"delimiter": delimiter, "lineterminator": line_end}
    quoted = to_csv(texts, **dialect, quoting=csv.QUOTE_ALL)
    write(path, f"title{delimiter}content{line_end}{quoted}")

    found = rows(path)

    assert [row.problem for row in found] == [None] * len(texts)
    # Line ends inside a text may turn into others, and no further.
    assert [[normalise(text) for text in row.values.values()] for row in found] == [
        [normalise(text) for text in record] for record in texts
    ]


@given(st.lists(st.tuples(any_text, any_text), min_size=1, max_size=5))
def test_written_objects_come_back(
    tmp_path_factory: pytest.TempPathFactory, texts: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "round_trip.jsonl"
    objects = [{"title": title, "content": content} for title, content in texts]
    write(path, "\n".join(json.dumps(entry, ensure_ascii=False) for entry in objects))

    assert [row.values for row in rows(path)] == objects


@given(
    st.sampled_from([".csv", ".tsv", ".jsonl", ".json", ".csv.gz", ".jsonl.gz"]),
    st.sampled_from(
        [
            "",
            "title,content\n",
            "title\tcontent\n",
            '{"title":"","text":0}',
            '[{"title":"","text":0}, ',
        ]
    ),
    st.binary(max_size=200) | any_text.map(str.encode),
    st.sampled_from(["utf-8", "gb18030", "utf-16", "utf-7", "big5"]),
    st.booleans(),
)
def test_any_bytes_give_rows_or_one_line(
    tmp_path_factory: pytest.TempPathFactory,
    suffix: str,
    start: str,
    content: bytes,
    encoding: str,
    compress: bool,
) -> None:
    path = tmp_path_factory.getbasetemp() / f"bytes{suffix}"
    content = start.encode() + content
    path.write_bytes(gzip.compress(content) if compress else content)

    try:
        found = read(path, encoding=encoding)
    except CorpusError as error:
        assert "\n" not in str(error)
    else:
        assert all(len(entry.excerpt) <= EXCERPT_LENGTH for entry in rejects(found))


# --- rows -----------------------------------------------------------------------------


def test_rows_are_numbered_as_in_a_spreadsheet(tmp_path: Path) -> None:
    content = '\ntitle,content\n\na,"x\n\ny"\nb,c,d\ne\n'
    path = write(tmp_path / "a.csv", content + "f,g\n\n\r\n\n")

    with open_table(path, CorpusFormat()) as table:
        found = [row[:3] for row in table.rows(("title", "content"))]

    assert found == [
        (4, {"title": "a", "content": "x\n\ny"}, None),
        (5, {"title": "b", "content": "c"}, "3 instead of 2 columns"),
        (6, {"title": "e"}, "1 instead of 2 columns"),
        (7, {"title": "f", "content": "g"}, None),
    ]


def test_lines_of_json_are_numbered_as_in_an_editor(tmp_path: Path) -> None:
    lines = ["[1]", "", '{"a": "x\ty", "b": 1}', "{", '{"a": null}', "[" * 100_000]
    path = write(tmp_path / "a.jsonl", "\n".join(lines) + "\n\n")

    with open_table(path, CorpusFormat()) as table:
        assert table.columns == ("a", "b")
        found = list(table)

    assert [(row.number, row.problem) for row in found] == [
        (1, "not a JSON object"),
        (3, None),
        (4, "not valid JSON"),
        (5, None),
        (6, "not valid JSON"),
    ]
    assert found[0].values == {"": "[1]\n"}
    assert found[1].values == {"a": "x\ty", "b": 1}


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_an_empty_value_in_a_single_column_is_a_row(
    tmp_path: Path, suffix: str
) -> None:
    path = write(tmp_path / f"a{suffix}", 'content\nx\n""\n \n')

    assert [row.values["content"] for row in rows(path)] == ["x", "", " "]


def test_a_bare_cr_is_text_unless_it_is_the_only_line_end(tmp_path: Path) -> None:
    mixed = write(tmp_path / "mixed.csv", "a,b\n1\r2,3\r4\r\n5,6\r\n")
    bare = write(tmp_path / "bare.csv", 'a,b\r1,"2\r3"\r4,5')
    late = write(tmp_path / "late.csv", "a,b\r" + "1,2\r" * 20_000 + "3\n4,5\r")

    assert [[*row.values.values()] for row in rows(mixed)] == [
        ["1 2", "3 4"],
        ["5", "6"],
    ]
    assert [[*row.values.values()] for row in rows(bare)] == [["1", "2\n3"], ["4", "5"]]
    assert rows(late)[-1][:3] == (20_002, {"a": "3 4", "b": "5"}, None)


def test_odd_characters_do_not_cut_rows(tmp_path: Path) -> None:
    odd = "x\u2028\u2029\x85\x0b\x0c\x1c\x00\x1ay"
    table = write(tmp_path / "a.csv", f"a,b\n{odd},1\n")
    objects = write(tmp_path / "a.jsonl", json.dumps({"a": odd}, ensure_ascii=False))

    assert [row[:3] for row in rows(table)] == [(2, {"a": odd, "b": "1"}, None)]
    assert rows(objects) == [Row(1, {"a": odd}, None)]


def test_a_field_may_be_long(tmp_path: Path) -> None:
    long = "长" * 1_000_000
    path = write(tmp_path / "a.csv", f"a,b\n{long},1\n")

    assert rows(path)[0].values["a"] == long


def test_an_undecodable_row_is_told_and_reading_goes_on(tmp_path: Path) -> None:
    good = LINE.encode()
    table = b"title,content\n" + b"\xff\n,x\n" + good + b'"\xb1\n\xea",x\n' + good
    objects = b'{"title": "a"}\n{"title": "\xe4\xb8"}\n{"title": "\\ud800"}\n'

    found = rows(write(tmp_path / "a.csv", table))
    in_json = rows(write(tmp_path / "a.jsonl", objects))

    problem = "not valid utf-8"
    assert [row.problem for row in found] == [problem, None, None, problem, None]
    assert [row.problem for row in in_json] == [None, problem, None]


def test_an_open_quote_costs_its_own_row_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f'a,b\n1,2\n3,"4\n{LINE}5,6\n')

    found = rows(path)

    assert [row.fields for row in found] == [
        ["1", "2"],
        ["3", '"4'],
        [PAIR.target, PAIR.source],
        ["5", "6"],
    ]
    problem = "a quote is not closed before the end"
    assert [row.problem for row in found] == [None, problem, None, None]
    assert [row.number for row in found] == [2, 3, 4, 5]


def test_an_open_quote_does_not_swallow_a_long_file(tmp_path: Path) -> None:
    limit = LONGEST_ROW
    path = write(tmp_path / "a.csv", 'a,b\n1,"2\n' + "3,4\n" * (limit + 1))

    broken, *after = rows(path)

    assert broken.problem == f"a quote is not closed within {limit} lines"
    assert broken.number == 2 and broken.fields == ["1", '"2']
    assert [row.number for row in after] == [*range(3, limit + 4)]
    assert all(row.values == {"a": "3", "b": "4"} for row in after)


def test_a_long_tsv_that_is_quoted_throughout_is_read_with_quotes(
    tmp_path: Path,
) -> None:
    row = '"央行""降准""\n今日宣布"\t"标题"\n'
    path = write(tmp_path / "c.tsv", "content\ttitle\n" + row * LONGEST_ROW)

    found = rows(path)
    assert len(found) == LONGEST_ROW
    assert found[-1].values == {"content": '央行"降准"\n今日宣布', "title": "标题"}


def test_odd_rows_are_told_of_in_the_look_at_the_first_rows(tmp_path: Path) -> None:
    """Which goes as far as the first that can be read."""
    notes: list[str] = []
    path = tmp_path / "a.csv"
    path.write_bytes(b'a,b\n\xff,1\n2,"3\n4,5"\n')

    with open_table(path, CorpusFormat(note=notes.append)) as table:
        assert len(notes) == 1 and "row 3: a quoted field spans 2 lines" in notes[0]
        assert [row.problem for row in table] == ["not valid utf-8", None]

    assert set(notes) == {notes[0]}


def test_reading_holds_no_more_than_a_row(tmp_path: Path) -> None:
    content = "a,b\n" + "1,2\n" * 100_000
    path = write(tmp_path / "a.csv", content)

    with open_table(path, CorpusFormat()) as table:
        next(iter(table))
        assert 0 < table.position() < len(content) / 2


# --- files that cannot be read --------------------------------------------------------


@pytest.mark.parametrize("name", ["a.txt", "csv", "a.csv.zip", "a.gz", "a.xls"])
def test_unknown_suffix_names_the_known_ones(tmp_path: Path, name: str) -> None:
    message = fault(write(tmp_path / name, "title,content\n"))

    for suffix in (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".gz"):
        assert suffix in message


def test_missing_file_and_directory(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()

    assert "No such file" in fault(tmp_path / "none.csv")
    assert "is a folder without .txt files" in fault(tmp_path / "folder.csv")
    with pytest.raises(CorpusError, match=r"none\.csv"):
        total_bytes([tmp_path / "none.csv"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_forbidden_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "title,content\n")
    path.chmod(0)

    assert "Permission denied" in fault(path)


def test_damaged_gz(tmp_path: Path) -> None:
    whole = gzip.compress(os.urandom(5_000).hex().encode())
    flipped = bytes([*whole[:200], whole[200] ^ 255, *whole[201:]])

    for number, data in enumerate([whole[:-1000], flipped]):
        path = tmp_path / f"{number}.csv.gz"
        path.write_bytes(data)
        assert "is damaged" in fault(path)


def test_gz_that_breaks_off_gives_the_rows_before(tmp_path: Path) -> None:
    content = "a,b\n" + "".join(f"{i},{os.urandom(9).hex()}\n" for i in range(9_999))
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(content.encode())[:-50])

    with open_table(path, CorpusFormat()) as table:
        iterator = iter(table)
        assert next(iterator).values["a"] == "0"
        with pytest.raises(CorpusError, match="damaged"):
            list(iterator)


@pytest.mark.parametrize("content", ["", "\ufeff", "title,content\n\n", "\n\n", "{}"])
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".csv.gz"])
def test_no_rows(tmp_path: Path, content: str, suffix: str) -> None:
    if suffix == ".jsonl":
        content = content.replace("title,content", "")
    path = write(tmp_path / f"a{suffix}", content)

    with pytest.raises(CorpusError, match=r"no rows|no header|no source column"):
        read(path)


def test_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "title,content\n")

    assert rows(path) == []
    assert "has no rows" in fault(path)


@pytest.mark.parametrize("encoding", ["x", "", "hex", "undefined", "idna", "a\0b"])
def test_unknown_encoding(encoding: str) -> None:
    with pytest.raises(CorpusError, match="encoding"):
        CorpusFormat(encoding=encoding)


@pytest.mark.parametrize("header", ["标题,正文", "title,content"])
@pytest.mark.parametrize("count", [1, 500])
def test_another_encoding_than_the_named_one_is_told(
    tmp_path: Path, header: str, count: int
) -> None:
    content = f"{header}\n{LINE * count}"

    message = fault(write(tmp_path / "a.csv", content, "gb18030"), encoding="utf-8")

    assert "not valid utf-8" in message
    assert "leave out --encoding" in message


def test_utf8_named_gb18030_is_told(tmp_path: Path) -> None:
    message = fault(write(tmp_path / "a.csv", "标\n"), encoding="gb18030")

    assert "leave out --encoding" in message


def test_json_of_another_form_is_told_what_is_wanted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", json.dumps({"data": [{"title": "a"}]}, indent=1))

    assert "one JSON object a line, or an array of objects" in fault(path)


# --- blocks ---------------------------------------------------------------------------


def one_by_one(path: Path) -> list[Row]:
    """Returns the rows as iterating gives them."""
    with open_table(path, CorpusFormat()) as table:
        return list(table.rows(table.columns))


def by_blocks(path: Path) -> list[Row]:
    """Returns the rows of the blocks, with all columns, in order."""
    found: list[Row] = []
    with open_table(path, CorpusFormat()) as table:
        for block in table.blocks(table.columns):
            values = zip(*block.texts, strict=True)
            several = [
                Row(number, dict(zip(table.columns, row, strict=True)), None)
                for number, row in zip(block.numbers, values, strict=True)
            ]
            several += block.others
            found += sorted(several, key=lambda row: row.number)
    return found


PARTS = [b"a", b",", b"b", b"\n", b"\n", b"\r\n", b"\r", b'"', b'"', b'""', b" ", b"\0"]
PARTS += ["天".encode(), b"\xff", b"c,d\n", b'"e\nf",g\n', b"\xe2\x80\xa8"]


@given(
    st.lists(st.sampled_from(PARTS), max_size=60),
    st.integers(1, 40),
    st.sampled_from([3, 10_000]),
    st.sampled_from(["a,b\n", "a,a\n", "a\n", "a,b\r"]),
)
@example([b'"e\nf",g\n'] * 20, 7, 10_000, "a,b\n")  # cut within a row
@example([b"c,d\n", b'"', b"\n" * 9, b'"', b"c,d\n"], 9, 3, "a,b\n")
@example([b"c,d\n", b'"'], 9, 3, "a,b\n")
def test_blocks_hold_the_rows_that_iterating_gives(
    tmp_path_factory: pytest.TempPathFactory,
    parts: list[bytes],
    characters: int,
    longest_row: int,
    header: str,
) -> None:
    path = tmp_path_factory.getbasetemp() / "blocks.csv"
    path.write_bytes(header.encode() + b"x,y\n" + b"".join(parts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("headline.formats.lines.Lines.BLOCK", characters)
        patch.setattr("headline.formats.lines.LONGEST_ROW", longest_row)
        try:
            expected = one_by_one(path)
        except CorpusError:  # none of the first rows can be read
            assume(False)

        assert [row[:3] for row in by_blocks(path)] == [row[:3] for row in expected]


def test_rows_without_a_problem_come_as_columns(tmp_path: Path) -> None:
    lines = ["降准,央行\n", "\n", "一,二,三\n", '"a\nb",c\n'] * 50
    path = write(tmp_path / "a.csv", "title,content\n" + "".join(lines))

    with open_table(path, CorpusFormat()) as table:
        (block,) = table.blocks(["content"])

    assert list(block.numbers)[:4] == [2, 5, 6, 9]
    assert list(block.texts[0])[:4] == ["央行", "c", "央行", "c"]
    assert {row.problem for row in block.others} == {"3 instead of 2 columns"}


def test_objects_come_in_blocks_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headline.formats.lines.Lines.BLOCK", 10)
    lines = [json.dumps({"a": "一" * 4, "b": number}) for number in range(9)]
    path = write(tmp_path / "a.jsonl", "\n".join([*lines, "no"]))

    with open_table(path, CorpusFormat()) as table:
        sizes = [len(block) for block in table.blocks(["a"])]

    assert sizes == [3, 3, 3, 1] or sizes == [2, 2, 2, 2, 2]
    expected = one_by_one(path)
    assert expected.pop().problem == by_blocks(path)[-1].problem == "not valid JSON"
    assert [row.values for row in by_blocks(path)[:-1]] == [
        {name: str(value) for name, value in row.values.items()} for row in expected
    ]


# --- columns --------------------------------------------------------------------------


def source_column(path: Path, wanted: str | None = None) -> str:
    with open_table(path, CorpusFormat()) as table:
        return find_column(table, wanted, SOURCE_COLUMNS, "source")


def test_a_column_is_found_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id, Text ,BODY,body2,CONTENT,x\n1,2,3,4,5,6\n")

    assert source_column(path) == "CONTENT"  # the first candidate, not the first column
    assert source_column(path, "text") == " Text "
    assert source_column(path, "X") == "x"


def test_an_exact_name_comes_before_one_of_other_case(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,Text\n1,2\n")

    assert source_column(path, "Text") == "Text"
    with pytest.raises(CorpusError, match="more than one column"):
        source_column(path)


@pytest.mark.parametrize("wanted", [None, "tekst"])
def test_a_column_that_is_not_there(tmp_path: Path, wanted: str | None) -> None:
    path = write(tmp_path / "a.csv", f"a,b\n{LINE}")

    with pytest.raises(CorpusError) as caught:
        source_column(path, wanted)

    for part in (str(path), "'a', 'b'", "--source-column", wanted or "source"):
        assert part in str(caught.value)


def test_a_twice_named_column(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "title,content,content\na,b,c\n")

    assert "more than one column" in fault(path)


def test_one_column_cannot_be_both(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f"title,content\n{LINE}")

    assert "cannot both be in column" in fault(path, source_column="title")


def test_candidates_share_no_name() -> None:
    assert not set(SOURCE_COLUMNS) & set(TARGET_COLUMNS)


# --- rows that cannot be read ---------------------------------------------------------


def test_a_bad_row_is_told_with_its_file_and_number_or_ends_a_strict_reading(
    tmp_path: Path,
) -> None:
    path = tmp_path / "news.csv"
    path.write_bytes(b"title,content\na,b\nc,\xff\nd,e\n")
    told: list[str] = []
    with open_table(path, CorpusFormat(tell=told.append)) as table:
        assert [row.values["title"] for row in table] == ["a", "c", "d"]
    assert len(told) == 1 and told[0].startswith(f"{path}, row 3: ")

    with (
        open_table(path, CorpusFormat(strict=True)) as table,
        pytest.raises(CorpusError, match=r"row 3: .*without --strict"),
    ):
        list(table)


def test_columns_without_a_name_hold_no_part_of_an_article(tmp_path: Path) -> None:
    lines = [
        "title,content,,",
        f"{PAIR.target},{PAIR.source},,",
        "甲,央行今日宣布,降准,",
    ]
    path = write(tmp_path / "a.csv", "\n".join(lines * 2) + "\n")

    found = read(path)

    assert found[0] == PAIR
    assert [entry.row for entry in rejects(found) if "4 instead" in entry.excerpt] == [
        3,
        6,
    ]


def test_a_number_of_many_digits_is_kept(tmp_path: Path) -> None:
    digits = "9" * 6000
    path = write(tmp_path / "a.jsonl", f'{{"text": "{PAIR.source}", "id": {digits}}}')

    (row,) = rows(path)

    assert row.problem is None and row.values["id"] == digits
