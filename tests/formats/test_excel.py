"""Excel workbooks: the right sheet and header; nothing of the workbook gets lost."""

import datetime
import io
import os
import threading
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.styles import Font

from headline.errors import CorpusError
from headline.formats.registry import Added, New
from headline.formats.tables import CorpusFormat, open_table
from tests.reading import ARTICLE, PAIR, fault, read, rejects, rows

NEW = New(["headline", "headline_score"], [], ["headline_score"])


def workbook(*sheets: list[Any]) -> Any:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, lines in enumerate(sheets, 1):
        sheet = book.create_sheet(f"sheet {number}")
        for line in lines:
            sheet.append(line)
    return book


def saved(path: Path, *sheets: list[Any]) -> Path:
    workbook(*sheets).save(path)
    return path


def output_of(path: Path, *others: Path, text: str = "降准") -> Any:
    """The workbook that is written when each row gets the same headline."""
    sink = io.TextIOWrapper(io.BytesIO())
    with (
        open_table(path, CorpusFormat()) as table,
        table.format.writer(sink, table.layout, NEW, table.file) as write,
    ):
        for each in (path, *others):
            for row in rows(each):
                write(row, Added([text, -1.5], {}))
    content = io.BytesIO(sink.buffer.getvalue())
    return openpyxl.load_workbook(content)


def values(sheet: Any) -> list[list[Any]]:
    return [[*line] for line in sheet.values]


def test_rows_have_the_numbers_of_excel(tmp_path: Path) -> None:
    lines = [["新闻列表"], [], ["标题", "正文"], ["甲", "乙"], [None], ["丙", "丁"]]

    found = rows(saved(tmp_path / "a.xlsx", lines))

    assert [(row.number, row.values) for row in found] == [
        (4, {"标题": "甲", "正文": "乙"}),
        (6, {"标题": "丙", "正文": "丁"}),
    ]


def test_the_sheet_with_the_known_names_is_read(tmp_path: Path) -> None:
    told: list[str] = []
    other, news = [["编号", "备注"], [1, "x"]], [["title", "text"], [*PAIR[::-1]]]
    path = saved(tmp_path / "a.xlsx", other, news)

    assert read(path, note=told.append) == [PAIR]
    assert told == [f"{path}: reading the sheet 'sheet 2'"]
    names = {"source_column": "备注", "target_column": "编号"}
    assert [reject.row for reject in rejects(read(path, **names))] == [2]


def test_what_is_no_text_is_reported(tmp_path: Path) -> None:
    lines: list[list[Any]] = [["title", "text"], ["甲乙", datetime.date(2024, 1, 2)]]
    lines += [["丙丁", "#N/A"], [2024, ARTICLE + "_x000D_\n。"]]
    path = saved(tmp_path / "a.xlsx", lines)

    bad, error, pair = read(path)

    assert "got datetime" in rejects([bad])[0].excerpt
    assert rejects([error])[0].reason.value == "empty article"
    assert pair == (ARTICLE + " 。", "2024")
    with pytest.raises(CorpusError, match=r"row 2: 'text' must be text"):
        read(path, strict=True)


def test_other_sheets_formulas_and_looks_stay(tmp_path: Path) -> None:
    book = workbook(
        [["title", "text", "length"], ["甲", "乙", "=LEN(B2)"], [], ["丙", "丁", None]],
        [["notes"], [datetime.datetime(2024, 1, 2)]],
    )
    book["sheet 1"]["A1"].font = book["sheet 1"]["C1"].font = Font(bold=True)
    book["sheet 1"].column_dimensions["C"].width = 33
    book["sheet 1"]["A2"].font = Font(italic=True)
    book.save(tmp_path / "a.xlsx")

    found = output_of(tmp_path / "a.xlsx")

    first, second = found.worksheets
    assert values(first) == [
        ["title", "text", "length", *NEW.columns],
        ["甲", "乙", "=LEN(B2)", "降准", -1.5],
        [None] * 5,
        ["丙", "丁", None, "降准", -1.5],
    ]
    assert values(second) == [["notes"], [datetime.datetime(2024, 1, 2)]]
    assert first["A2"].font.i and first["D1"].font.b and not first["D2"].font.b
    assert first.column_dimensions["D"].width == 33


def test_new_columns_cover_nothing(tmp_path: Path) -> None:
    lines = [["title", "text"], ["甲", "乙", None, "没有标题的一列"]]
    book = workbook(lines)
    book["sheet 1"].merge_cells("E2:F2")
    book.save(tmp_path / "a.xlsx")

    found = values(output_of(tmp_path / "a.xlsx").worksheets[0])

    assert found[0] == ["title", "text", None, None, None, None, *NEW.columns]
    assert found[1][3] == "没有标题的一列" and found[1][-2:] == ["降准", -1.5]


@pytest.mark.parametrize("text", ["=1+1", "#N/A", "-1", "+86", "@x"])
def test_a_headline_is_text(tmp_path: Path, text: str) -> None:
    """Whatever Excel would make of it."""
    path = saved(tmp_path / "a.xlsx", [["title", "text"], ["甲", "乙"]])

    cell = output_of(path, text=text).worksheets[0]["C2"]

    assert (cell.value, cell.data_type) == (text, "s")


def test_several_workbooks_go_into_one(tmp_path: Path) -> None:
    header = ["title", "text"]
    one = saved(tmp_path / "a.xlsx", [header, ["甲", "乙"]])
    other = saved(tmp_path / "b.xlsx", [header, ["丙", "丁"], ["戊", "己"]])

    assert values(output_of(one, other).worksheets[0]) == [
        [*header, *NEW.columns],
        ["甲", "乙", "降准", -1.5],
        ["丙", "丁", "降准", -1.5],
        ["戊", "己", "降准", -1.5],
    ]


def test_a_column_that_is_there_already_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.xlsx", [["text", "headline"], ["甲", "乙"]])

    with pytest.raises(CorpusError, match="column 'headline' already"):
        output_of(path)


def test_what_cannot_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    assert "has no rows" in fault(saved(tmp_path / "a.xlsx", []))
    assert "has no rows" in fault(saved(tmp_path / "b.xlsx", [["title", "text"]]))
    old = tmp_path / "c.xlsx"
    old.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(999))
    assert "is not an .xlsx file" in fault(old)
    with zipfile.ZipFile(old, "w") as archive:
        archive.writestr("word/document.xml", "x")
    assert "is damaged" in fault(old)


def test_any_damage_is_told_in_one_line(tmp_path: Path) -> None:
    lines = [["title", "text"], *([str(n), ARTICLE + str(n)] for n in range(50))]
    whole = saved(tmp_path / "a.xlsx", lines).read_bytes()

    for place in range(0, len(whole), 97):
        content = bytearray(whole)
        content[place] ^= 0x55
        path = tmp_path / "b.xlsx"
        path.write_bytes(content)
        try:
            read(path)
        except CorpusError as error:
            assert "\n" not in str(error) and "b.xlsx" in str(error)


@pytest.mark.skipif(os.name != "posix", reason="needs a named pipe")
def test_a_pipe_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "a.xlsx"
    os.mkfifo(pipe)
    threading.Thread(target=pipe.write_bytes, args=(b"PK\3\4",), daemon=True).start()

    assert "save it as one" in fault(pipe)
