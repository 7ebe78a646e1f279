"""The text form of LCSTS, and what is told from it."""

import io
from pathlib import Path

import pytest

from headline.errors import CorpusError
from headline.formats.registry import Added, New
from headline.formats.tables import CorpusFormat, open_table
from tests.reading import ARTICLE, PAIR, fault, read, rejects, rows, write

DOCUMENT = f"""<doc id=0>
    <human_label>5</human_label>
    <summary>
        {PAIR.target}
    </summary>
    <short_text>
        {ARTICLE}
    </short_text>
</doc>
"""
OTHER = DOCUMENT.replace("id=0", "id=1").replace(
    "    <human_label>5</human_label>\n", ""
)
NEW = New(["headline", "headline_score"], [], ["headline_score"])


def output_of(path: Path) -> str:
    output = io.StringIO()
    with (
        open_table(path, CorpusFormat()) as table,
        table.format.writer(output, table.layout, NEW, table.file) as write_row,
    ):
        for row in table:
            write_row(row, Added(["新", -1.5], {}))
    return output.getvalue()


def test_a_document_is_a_row_numbered_by_its_line(tmp_path: Path) -> None:
    for text in (DOCUMENT + OTHER, DOCUMENT + "\n\n" + OTHER.rstrip()):
        first, second = rows(write(tmp_path / "PART_I.txt", text))

        assert first.number == 1 and second.number == 10 + text.count("\n\n\n") * 2
        assert first.values == {
            "id": "0",
            "human_label": "5",
            "summary": PAIR.target,
            "short_text": ARTICLE,
        }
        assert second.values["id"] == "1" and "human_label" not in second.values


def test_other_ways_to_write_it_are_read(tmp_path: Path) -> None:
    flat = f"<summary>{PAIR.target}</summary><short_text>{ARTICLE}</short_text>"
    for number, (text, encoding) in enumerate(
        [
            (DOCUMENT.replace("\n", "\r\n"), "utf-8-sig"),
            (DOCUMENT.replace("id=0", 'id="0"'), "gb18030"),
            (f"<doc>{flat}</doc>", "utf-8"),
            (f"<doc id=0>\n{flat}\n</doc>\n<doc id=1>{flat}</doc>", "utf-8"),
        ]
    ):
        path = write(tmp_path / f"{number}.txt", text, encoding)
        assert read(path)[0] == PAIR


def test_a_broken_document_costs_that_document_only(tmp_path: Path) -> None:
    open_one = DOCUMENT.replace("</doc>\n", "")
    no_text = DOCUMENT.replace("short_text", "text")
    path = write(tmp_path / "a.txt", DOCUMENT + open_one + no_text + "关于\n" + OTHER)

    found = rows(path)

    assert [row.problem for row in found] == [
        None,
        "a <doc> is not closed",
        "a <doc> without <short_text>",
        "text outside of <doc>",
        None,
    ]
    assert [row.number for row in found] == [1, 10, 18, 27, 28]
    assert len(rejects(read(path))) == 4  # one is a duplicate
    with pytest.raises(CorpusError, match="row 10: a <doc> is not closed"):
        read(path, strict=True)


def test_a_tag_is_added_and_nothing_else_changes(tmp_path: Path) -> None:
    broken = "<doc id=2>\n  <summary>题</summary>\n"
    text = DOCUMENT + "\n" + OTHER + broken
    path = write(tmp_path / "a.txt", text)

    found = output_of(path)

    tags = "    <headline>新</headline>\n    <headline_score>-1.5000</headline_score>\n"
    assert found == text.replace("</doc>", tags + "</doc>")
    assert len(rows(write(tmp_path / "b.txt", found))) == 3


@pytest.mark.parametrize("end", ["\n", ""])
def test_any_part_can_be_read(tmp_path: Path, end: str) -> None:
    path = write(tmp_path / "a.txt", DOCUMENT + "\n" + OTHER + DOCUMENT.rstrip() + end)

    with open_table(path, CorpusFormat()) as table:
        places = [*table.places()]
        whole = [*table]
        assert [place.number for place in places] == [row.number for row in whole]
        for number, place in enumerate(places):
            assert [*table.rows((), place)] == whole[number:]


def test_other_text_is_no_table(tmp_path: Path) -> None:
    for number, text in enumerate((ARTICLE, "<doc>\n<url>x</url>\n", "<doc id=0>")):
        path = write(tmp_path / f"{number}.txt", text)
        assert "`headline generate` reads .txt too" in fault(path)
