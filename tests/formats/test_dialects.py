"""What separates the columns of a table, and when a quote is one."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from headline.errors import ConfigError
from headline.formats.dialects import (
    delimiter_of,
    detect_delimiter,
    holds_rows,
    quotes_fit,
    separator_of,
    suspicion,
)
from tests.reading import LINE, PAIR, read, rows, to_csv, write

NAMES = ["title", "content"]
# Nothing that ends a line for str.splitlines or would be taken for a mark.
cells = st.text(st.sampled_from('天地"，,;| a\t'), min_size=1, max_size=8)


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_in_the_header(
    tmp_path: Path, delimiter: str, suffix: str
) -> None:
    content = to_csv([["编号", *NAMES], [1, *PAIR[::-1]]], delimiter=delimiter)

    assert read(write(tmp_path / f"a{suffix}", content)) == [PAIR]
    assert read(write(tmp_path / f"b{suffix}", content), delimiter=delimiter) == [PAIR]


def test_unknown_names_leave_the_usual_delimiter_unless_it_separates_nothing() -> None:
    assert detect_delimiter("a,b;c;d\n", ",", []) == ","
    assert detect_delimiter("a;b\n", ",", []) == ";"
    assert detect_delimiter("a,b;文\n", ",", ["文"]) == ";"
    assert detect_delimiter("a\n", "\t", []) == "\t"


@pytest.mark.parametrize(
    ("written", "delimiter"), [("tab", "\t"), ("\\t", "\t"), (";", ";"), ("Pipe", "|")]
)
def test_a_delimiter_may_be_named(written: str, delimiter: str) -> None:
    assert delimiter_of(written) == delimiter


@pytest.mark.parametrize("written", ["", '"', "\n", ";;", "tabs"])
def test_what_is_no_delimiter_is_refused(written: str) -> None:
    with pytest.raises(ConfigError, match="one character"):
        delimiter_of(written)


@pytest.mark.parametrize("line", ["sep=;\n", "SEP=;\n", '"sep=;"\n', "sep=;"])
def test_excel_names_the_delimiter_in_a_line_of_its_own(
    tmp_path: Path, line: str
) -> None:
    assert separator_of(line) == ";"
    content = f"\ufeff{line.strip()}\r\ntitle;content\r\n{LINE.replace(',', ';')}"

    (row,) = rows(write(tmp_path / "a.csv", content))

    assert row.number == 2  # as Excel shows it
    assert row.values == {"title": PAIR.target, "content": PAIR.source}


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=6))
def test_a_tsv_file_without_quoting_keeps_each_row(
    tmp_path_factory: pytest.TempPathFactory, records: list[tuple[str, str]]
) -> None:
    records = [(a.replace("\t", " "), b.replace("\t", " ")) for a, b in records]
    records.append(('"天', "地"))  # which no quoting allows
    path = tmp_path_factory.getbasetemp() / "plain.tsv"
    lines = ["\t".join(record) for record in (NAMES, *records)]
    path.write_text("\n".join(lines) + "\n", "utf-8")

    assert [tuple(row.fields) for row in rows(path)] == records


@given(
    st.lists(st.tuples(cells, cells), min_size=1, max_size=6),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_a_quoted_tsv_file_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[tuple[str, str]],
    quoting: int,
) -> None:
    records = [*records, ("天\n地", "玄\t黄")]  # not to be written without quotes
    path = tmp_path_factory.getbasetemp() / "quoted.tsv"
    content = to_csv([NAMES, *records], delimiter="\t", quoting=quoting)
    path.write_text(content, "utf-8")
    assume(not any(holds_rows(record, 2, "\t") for record in records))

    assert [tuple(row.fields) for row in rows(path)] == records


def test_quotes_that_swallow_rows_fit_no_table() -> None:
    swallowing = 'a\tb\n1\t"x\n2\ty\n3\tz"\n'
    broken = 'a\tb\n1\t"x" y\n'
    unclosed = 'a\tb\n1\t"x\n'
    fine = 'a\tb\n1\t"x\ny""z"\n2\t3\n'

    found = [
        quotes_fit(io.StringIO(text), "\t", lambda: None)
        for text in (swallowing, broken, unclosed, fine)
    ]

    assert found == [False, False, False, True]


def test_a_csv_field_that_seems_to_hold_rows_is_told_and_kept(tmp_path: Path) -> None:
    told: list[str] = []
    content = f'title,content\n{LINE}甲,"引语\n{LINE}乙,丙"\n{LINE}'
    path = write(tmp_path / "a.csv", content)

    for reading in (rows, read):
        told.clear()
        reading(path, note=told.append)
        assert len(told) == 1
        assert "a.csv, row 3: a quoted field spans 3 lines that look like" in told[0]


def test_paragraphs_in_a_field_are_nothing_odd() -> None:
    assert suspicion(["甲", "一段\n二段, 有逗号\n三段"], 2, ",") is None
    assert suspicion(["甲", "段\n" * 150], 2, ",") == "a quoted field spans 151 lines"
    assert suspicion(["一\n二\n三"], 1, ",") is None


def test_open_quotes_all_over_a_file_cost_a_row_each(tmp_path: Path) -> None:
    lines = [
        f'{number},"天地"玄' if number % 2 else f'{number},"天' for number in range(41)
    ]
    path = write(tmp_path / "a.csv", "a,b\n" + "\n".join(lines) + "\n")

    found = rows(path)

    text = "".join("".join(row.fields) for row in found)
    assert all(f"{number}" in text for number in range(41))
