"""Parquet: any types, any row groups, nothing lost of what is not ours."""

import datetime
import io
import json
import os
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.errors import CorpusError
from headline.formats import arrow
from headline.formats.registry import Added, New
from headline.formats.tables import CorpusFormat, open_table
from tests.reading import ARTICLE, PAIR, fault, read, rejects, rows

NEW = New(["headline", "headline_score"], ["headline"], ["headline_score"])
ADDED = Added(["降准", -1.5], {"headline": "降准"})


def parquet(path: Path, table: Any, **how: Any) -> Path:
    pq.write_table(table, path, **how)
    return path


def pairs(count: int = 1, **more: Any) -> Any:
    columns = {"title": [PAIR.target] * count, "content": [PAIR.source] * count}
    return pa.table(columns | more)


def output_of(path: Path, *others: Path, new: New = NEW) -> Any:
    """The table that is written when each row gets the same headline."""
    sink = io.TextIOWrapper(io.BytesIO())
    with open_table(path, CorpusFormat()) as table:
        with table.format.writer(sink, table.layout, new, table.file) as write:
            for each in (path, *others):
                for row in rows(each):
                    write(row, ADDED)
        return pq.ParquetFile(pa.BufferReader(sink.buffer.getvalue()))


texts = st.text(st.characters(codec="utf-8"), max_size=9)

# --- reading --------------------------------------------------------------------------


@given(
    st.lists(st.tuples(texts, texts), min_size=1),
    st.integers(1, 5),
    st.data(),
)
def test_any_part_has_the_rows_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory,
    pairs: list[tuple[str, str]],
    group: int,
    data: st.DataObject,
) -> None:
    path = tmp_path_factory.getbasetemp() / "part.parquet"
    titles, articles = [[*column] for column in zip(*pairs, strict=True)]
    table = pa.table({"title": titles, "text": articles})
    parquet(path, table, row_group_size=group)
    first = data.draw(st.integers(0, len(pairs) - 1))

    with open_table(path, CorpusFormat()) as opened:
        whole = [*opened]
        places = [*opened.places()]
        part = [*opened.rows((), places[first])]
        blocks = [*opened.blocks(["text", "title"], places[first])]

    assert [(row.values["title"], row.values["text"]) for row in whole] == pairs
    assert [place.number for place in places] == [row.number for row in whole]
    assert [row[:3] for row in part] == [row[:3] for row in whole[first:]]
    columns = [[t for block in blocks for t in block.texts[at]] for at in range(2)]
    assert columns == [articles[first:], titles[first:]]
    numbers = [number for block in blocks for number in block.numbers]
    assert numbers == [*range(first + 1, len(pairs) + 1)]


def test_what_is_no_text_is_reported(tmp_path: Path) -> None:
    when = datetime.datetime(2024, 1, 2, 3, 4, 5)
    nanoseconds = pa.array([1, None], pa.timestamp("ns"))
    for number, column in enumerate(
        ([when, None], [True, None], [{"a": 1}, None], nanoseconds, [b"\xff", None])
    ):
        table = pa.table({"title": [PAIR.target] * 2, "content": column})
        path = parquet(tmp_path / f"{number}.parquet", table)

        bad, blank = rejects(read(path))
        assert bad.reason.value == "unreadable row" and "must be text" in bad.excerpt
        assert blank.reason.value == "empty article"
        with pytest.raises(CorpusError, match=r"row 1: 'content' must be.* --strict"):
            read(path, strict=True)


def test_what_can_be_read_as_text_is(tmp_path: Path) -> None:
    columns: list[Any] = [
        pa.array([ARTICLE.encode()]),  # as Impala writes text
        pa.array([ARTICLE], pa.large_string()),
        pa.array([ARTICLE]).dictionary_encode(),
        pa.array([[ARTICLE[:7], ARTICLE[7:]]]),  # tokens or sentences
        pa.array([ARTICLE], pa.string_view()),
    ]
    for number, column in enumerate(columns):
        table = pa.table({"title": [PAIR.target], "content": column})
        assert read(parquet(tmp_path / f"{number}.parquet", table)) == [PAIR]
    numbers = pa.table({"title": [2024], "content": [ARTICLE]})
    assert read(parquet(tmp_path / "n.parquet", numbers)) == [
        PAIR._replace(target="2024")
    ]


def test_bytes_that_are_not_utf8_spoil_one_row_only(tmp_path: Path) -> None:
    """The format promises UTF-8, but writers do not check it."""
    broken = pa.array([b"\xd1\xeb\xd0\xd0" * 4, ARTICLE.encode()], pa.binary())
    column = pa.StringArray.from_buffers(2, *broken.buffers()[1:])
    table = pa.table({"title": [PAIR.target] * 2, "content": column})

    bad, pair = read(parquet(tmp_path / "a.parquet", table))

    assert pair == PAIR
    assert rejects([bad])[0].reason.value == "unreadable row"


def test_a_dotted_name_reaches_into_a_struct(tmp_path: Path) -> None:
    data = [{"body": ARTICLE, "meta": {"title": PAIR.target}, "id": 7}]
    path = parquet(tmp_path / "a.parquet", pa.table({"data": data, "other": [1]}))
    names = {"source_column": "data.body", "target_column": "data.meta.title"}

    assert read(path, **names) == [PAIR]
    assert "'data.body'" in fault(path)
    assert "no column 'data.bodi'" in fault(path, source_column="data.bodi")


def test_a_column_whose_name_has_a_dot_is_meant_first(tmp_path: Path) -> None:
    table = pa.table({"a.b": [ARTICLE], "a": [{"b": "x"}], "title": [PAIR.target]})

    assert read(parquet(tmp_path / "a.parquet", table), source_column="a.b") == [PAIR]


def test_what_cannot_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    empty = parquet(tmp_path / "a.parquet", pairs(0))
    assert "has no rows" in fault(empty)
    empty.write_bytes(b"")
    assert "is not a Parquet file" in fault(empty)
    twice = pa.Table.from_arrays([pa.array(["a"])] * 2, ["text", "text"])
    assert "two columns 'text'" in fault(parquet(tmp_path / "b.parquet", twice))


def test_damage_within_is_told_in_one_line(tmp_path: Path) -> None:
    texts = [os.urandom(30).hex() for _ in range(3000)]
    table = pa.table({"title": texts, "content": [ARTICLE] * 3000})
    path = parquet(tmp_path / "a.parquet", table, row_group_size=1000)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 5000] = bytes(5000)
    path.write_bytes(content)

    assert "is damaged" in fault(path)


@pytest.mark.skipif(os.name != "posix", reason="needs a named pipe")
def test_a_pipe_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "a.parquet"
    os.mkfifo(pipe)
    threading.Thread(target=pipe.write_bytes, args=(b"PAR1",), daemon=True).start()

    assert "save it as one" in fault(pipe)


def test_progress_goes_from_the_start_to_the_end(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", pairs(10_000), row_group_size=3000)

    with open_table(path, CorpusFormat()) as table:
        found = [table.position() for _ in table.blocks(["title"])]

    size = path.stat().st_size
    assert found == sorted(found) and found[0] < size / 5
    assert found[-1] > 0.9 * size


# --- writing --------------------------------------------------------------------------


def test_types_and_metadata_stay(tmp_path: Path) -> None:
    table = pairs(
        1,
        when=pa.array([1], pa.timestamp("ns", "Asia/Shanghai")),
        price=[Decimal("1.50")],
        tags=[["a", None]],
        kind=pa.array(["x"]).dictionary_encode(),
        pairs=pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int8())),
        nothing=pa.nulls(1),
        half=pa.array([1.5], pa.float32()),
    ).replace_schema_metadata({"made by": "others"})
    path = parquet(tmp_path / "a.parquet", table, compression="zstd")

    written = output_of(path)

    found = written.read()
    assert found.drop_columns(NEW.columns).equals(pq.read_table(path))
    assert found.schema.metadata[b"made by"] == b"others"
    assert found.select(NEW.columns).to_pylist() == [
        {"headline": "降准", "headline_score": -1.5}
    ]
    assert written.metadata.row_group(0).column(0).compression == "ZSTD"


def test_a_missing_headline_is_null(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", pairs())
    new = New([*NEW.columns, "headline_2"], [], NEW.scores)

    assert output_of(path, new=new).read()["headline_2"].to_pylist() == [None]


def test_row_groups_are_written_before_they_grow_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrow, "GROUP_ROWS", 2000)
    path = parquet(tmp_path / "a.parquet", pairs(4500, id=range(4500)))

    written = output_of(path)

    sizes = [
        written.metadata.row_group(group).num_rows
        for group in range(written.num_row_groups)
    ]
    assert sizes == [2000, 2000, 500]
    assert written.read()["id"].to_pylist() == [*range(4500)]


def test_several_files_go_into_one_if_their_columns_agree(tmp_path: Path) -> None:
    one = parquet(tmp_path / "a.parquet", pairs(3))
    other = parquet(tmp_path / "b.parquet", pairs(2))

    assert output_of(one, other).metadata.num_rows == 5
    with (
        open_table(one, CorpusFormat()) as table,
        open_table(
            parquet(tmp_path / "c.parquet", pairs(2, title=[1, 2])), CorpusFormat()
        ) as differs,
    ):
        shapes = [each.format.shape(each.layout) for each in (table, differs)]
    assert shapes[0] != shapes[1]


def test_a_column_that_is_there_already_is_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", pairs(1, headline=["x"]))

    with pytest.raises(CorpusError, match="column 'headline' already"):
        output_of(path)


def test_a_failure_leaves_nothing_that_looks_complete(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", pairs(3))
    sink = io.TextIOWrapper(io.BytesIO())

    with (
        open_table(path, CorpusFormat()) as table,
        pytest.raises(KeyError),
        table.format.writer(sink, table.layout, NEW, table.file) as write,
    ):
        write(rows(path)[0], ADDED)
        raise KeyError

    content = sink.buffer.getvalue()
    assert content == b"PAR1"  # it begins so, and ends so


def test_a_stream_of_text_alone_is_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", pairs())

    with (
        open_table(path, CorpusFormat()) as table,
        pytest.raises(CorpusError, match="name a file with -o"),
        table.format.writer(io.StringIO(), table.layout, NEW, table.file),
    ):
        raise AssertionError


def test_features_of_datasets_get_the_new_columns(tmp_path: Path) -> None:
    features = {"title": {"dtype": "string", "_type": "Value"}}
    told = {"info": {"features": features | {"content": features["title"]}}}
    path = tmp_path / "a.parquet"
    parquet(path, pairs().replace_schema_metadata({"huggingface": json.dumps(told)}))

    found = output_of(path).schema_arrow.metadata[b"huggingface"]

    names = json.loads(found)["info"]["features"]
    assert [*names] == ["title", "content", *NEW.columns]
    assert names["headline_score"]["dtype"] == "float64"
