"""Parts of files: the rows of a range of bytes are those that the whole has there."""

import gzip
import os
import threading
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from headline.errors import CorpusError
from headline.formats.files import InputFile
from headline.formats.records import Row
from headline.formats.registered.text import PLAIN_TEXT, text_lines
from headline.formats.tables import CorpusFormat, Table, open_table
from tests.reading import rows, write

PARTS = [b"a", b",", b"b", b"\n", b"\n", b"\r\n", b"\r", b'"', b'""', b" ", b"c,d\n"]
PARTS += ["天".encode(), b"\xff", b'"e\nf",g\n', b'{"a": "x"}\n', b'{"a": 1}\n', b"[\n"]
STARTS = {".csv": ["a,b\nx,y\n", "sep=,\na,b\nx,y\n"], ".jsonl": ['{"a": "b"}\n']}


def part(path: Path, table: Table, first: int, last: int | None) -> list[Row]:
    """The rows from one place to before another, from a stream of their bytes alone."""
    places = list(table.places())
    end = None if last is None else places[last].offset
    with closing(InputFile(path)) as file:
        stream = file.reader(places[first].offset, end)
        return list(table.format.rows(stream, table.layout, places[first]))


@given(
    st.sampled_from(sorted(STARTS)),
    st.integers(0, 1),
    st.booleans(),
    st.lists(st.sampled_from(PARTS), max_size=40),
    st.data(),
)
def test_a_part_has_the_rows_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory,
    suffix: str,
    start: int,
    mark: bool,
    parts: list[bytes],
    data: st.DataObject,
) -> None:
    path = tmp_path_factory.getbasetemp() / f"part{suffix}"
    head = STARTS[suffix][start % len(STARTS[suffix])].encode()
    path.write_bytes(b"\xef\xbb\xbf" * mark + head + b"".join(parts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("headline.formats.lines.LONGEST_ROW", 5)
        try:
            whole = rows(path)
        except CorpusError:  # no header, or a bare CR as its only line end
            assume(False)
        with open_table(path, CorpusFormat()) as table:
            places = list(table.places())
            assume(table.layout.newline == "\n")
            assert [place.number for place in places] == [row.number for row in whole]
            first = data.draw(st.integers(0, len(whole) - 1))
            last = data.draw(st.integers(first, len(whole)))

            found = part(path, table, first, None if last == len(whole) else last)
            going_on = list(islice(table.rows((), places[first]), last - first))

    assert going_on == whole[first:last]
    # Where the part ends, a quote is open at the end; in the whole, for many lines.
    assert [row.fields for row in found] == [row.fields for row in whole[first:last]]
    assert [row.problem is None for row in found] == [
        row.problem is None for row in whole[first:last]
    ]
    if all("quote" not in (row.problem or "") for row in found):
        assert found == whole[first:last]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "big5"])
def test_places_are_those_of_the_bytes(tmp_path: Path, encoding: str) -> None:
    lines = ["標題,正文\n", "降準,央行今日\n", "\n", '"一\n二",三\n', "甲,乙\n"]
    path = write(tmp_path / "a.csv", "".join(lines), encoding)
    content = path.read_bytes()

    with open_table(path, CorpusFormat(encoding=encoding)) as table:
        found = [(content[at:].decode(encoding)[:2], n) for at, n, _ in table.places()]

    assert found == [("降準", 2), ('"一', 4), ("甲,", 5)]


def test_a_part_of_a_table_is_read_in_blocks_too(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "a,b\n" + "".join(f"{n},x\n" for n in range(99)))

    with open_table(path, CorpusFormat()) as table:
        place = [*table.places()][90]
        (block,) = table.blocks(["a"], place)

    assert list(block.texts[0]) == [str(n) for n in range(90, 99)]
    assert list(block.numbers) == [*range(92, 101)]


@pytest.mark.parametrize("content", [b"a,b\r1,2\r", "a,b\n1,2\n".encode("utf-16")])
def test_where_bytes_do_not_tell_lines_there_are_no_places(
    tmp_path: Path, content: bytes
) -> None:
    plain, packed = tmp_path / "a.csv", tmp_path / "b.csv.gz"
    plain.write_bytes(content)
    packed.write_bytes(gzip.compress(b"a,b\n1,2\n"))

    for path in (plain, packed):
        with open_table(path, CorpusFormat()) as table:
            assert len([*table]) == 1
            assert [*table.places()] == []


def test_a_known_layout_is_not_found_out_again(tmp_path: Path) -> None:
    """So a part is read as the whole, whatever stands in it."""
    lines = ["a\tb\n", '1\t"x\n', "2\ty\n", '3\t"z"\n']
    path = write(tmp_path / "a.tsv", "".join(lines))
    with open_table(path, CorpusFormat()) as table:
        place, layout = [*table.places()][2], table.layout
    assert layout.dialect is not None and not layout.dialect.quotes

    (tmp_path / "a.tsv").write_text("".join(lines[:1] + lines[3:]))
    with open_table(path, CorpusFormat(), layout) as table:
        assert [row.fields for row in table] == [["3", '"z"']]
    assert place.number == 4


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_lines_of_text_come_from_any_part(tmp_path: Path, encoding: str) -> None:
    lines = [*(f"line {n}\n" for n in range(9_000)), "央行今日宣布\n", "\n", "降准"]
    path = write(tmp_path / "a.txt", "".join(lines), encoding)
    with path.open("rb") as stream:
        expected = [*text_lines(stream, CorpusFormat(), "stream")]

    with closing(InputFile(path)) as file:
        layout = PLAIN_TEXT.layout(file, CorpusFormat())
        whole = [*PLAIN_TEXT.rows(file.reader(), layout)]
        places = [*PLAIN_TEXT.places(file.reader(), layout)]
        assert [row.values["text"] for row in whole] == expected
        if encoding == "utf-16":
            assert places == []
            return
        stream = file.reader(places[9_000].offset, places[9_002].offset)
        found = [*PLAIN_TEXT.rows(stream, layout, places[9_000])]
    assert found == whole[9_000:9_002]
    assert "".join(expected) == "".join(lines)


# --- what can be read once ------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="needs a named pipe")
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".jsonl"])
def test_a_pipe_gives_its_rows_once(tmp_path: Path, suffix: str) -> None:
    delimiter = "\t" if suffix == ".tsv" else ","
    more = [f"5,{'6' * 99}"] * 5_000  # more than a pipe holds
    lines = ["a,b", "1,2", '3,"4"', *more]
    text = "\n".join(lines).replace(",", delimiter) + "\n"
    if suffix == ".jsonl":
        text = '{"a": 1}\n' * 50_000
    data = gzip.compress(text.encode()) if suffix == ".csv.gz" else text.encode()
    plain, pipe = tmp_path / f"plain{suffix}", tmp_path / f"pipe{suffix}"
    plain.write_bytes(data)
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(data,), daemon=True)
    writer.start()

    with open_table(pipe, CorpusFormat()) as table:
        found = list(table)
        assert table.position() == 0
        with pytest.raises(CorpusError, match="read only once"):
            table.rows(())
    writer.join()
    expected = rows(plain)
    if suffix == ".tsv":  # whether quotes fit cannot be looked at
        assert found.pop(1).values == {"a": "3", "b": '"4"'}
        assert expected.pop(1).values == {"a": "3", "b": "4"}
    assert found == expected
