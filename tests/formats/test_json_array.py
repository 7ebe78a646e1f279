"""JSON arrays: the items are those that Python's parser finds, whole or broken."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.formats.registered import json_array
from headline.formats.registry import Added, New
from headline.formats.tables import CorpusFormat, open_table
from tests.reading import ARTICLE, PAIR, fault, read, rejects, rows, write

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=9)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner)
    ),
    max_leaves=6,
)
objects = st.dictionaries(st.text(max_size=5), values, max_size=4)


@given(
    st.lists(objects, min_size=1),
    st.lists(objects | values, max_size=3),
    st.sampled_from([None, 0, 2]),
    st.booleans(),
    st.integers(1, 40),
)
def test_items_are_those_of_the_array(
    tmp_path_factory: pytest.TempPathFactory,
    some: list[dict[str, Any]],
    more: list[Any],
    indent: int | None,
    ascii_only: bool,
    chunk: int,
) -> None:
    """However it is laid out, and wherever a chunk of it ends."""
    text = json.dumps(some + more, indent=indent, ensure_ascii=ascii_only)
    path = tmp_path_factory.getbasetemp() / "array.json"
    path.write_bytes(text.encode("utf-8", "replace"))
    expected = json.loads(path.read_text("utf-8"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_array, "CHUNK", chunk)
        found = rows(path)

    assert [row.number for row in found] == [*range(1, len(expected) + 1)]
    for row, item in zip(found, expected, strict=True):
        if isinstance(item, dict):
            assert row.values == item and row.problem is None
        else:
            assert row.problem == "not a JSON object"
            assert json.loads(row.values[""]) == item


@given(st.lists(objects, min_size=1, max_size=4), st.data())
def test_an_array_that_breaks_off_gives_the_items_before(
    tmp_path_factory: pytest.TempPathFactory,
    some: list[dict[str, Any]],
    data: st.DataObject,
) -> None:
    content = json.dumps([{"a": "b"}, *some]).encode()
    size = data.draw(st.integers(len('[{"a": "b"}'), len(content) - 1))
    path = tmp_path_factory.getbasetemp() / "broken.json"
    path.write_bytes(content[:size])

    *whole, last = rows(path)

    assert last.problem == json_array.NOT_CLOSED
    assert [row.values for row in whole] == [{"a": "b"}, *some][: len(whole)]
    assert all(row.problem is None for row in whole)


def test_a_broken_item_costs_that_item_only(tmp_path: Path) -> None:
    items = ['{"id": 1}', "{id: 2}", '{"id": "}, {", }', "[1, {]", '"x', '{"id": 6}']
    path = write(tmp_path / "a.json", f"[{', '.join(items[:4])}, {items[5]}]")

    found = rows(path)

    assert [row.problem is None for row in found] == [True, False, False, False, True]
    assert [row.number for row in found if row.problem is None] == [1, 5]
    assert found[1].problem == "not valid JSON"


def test_text_after_the_end_is_reported(tmp_path: Path) -> None:
    found = rows(write(tmp_path / "a.json", '[{"a": 1}]\n[{"a": 2}]\n'))

    assert [row.problem for row in found] == [None, "text after the end of the array"]


def test_other_encodings_and_marks_are_read(tmp_path: Path) -> None:
    text = json.dumps([{"标题": PAIR.target, "正文": ARTICLE}], ensure_ascii=False)

    for encoding in ("utf-8-sig", "gb18030", "utf-16"):
        assert read(write(tmp_path / f"{encoding}.json", text, encoding)) == [PAIR]


def test_undecodable_bytes_spoil_one_item_only(tmp_path: Path) -> None:
    pair = json.dumps({"title": PAIR.target, "text": ARTICLE}, ensure_ascii=False)
    broken = pair.encode()[:-5] + b'\xff"}'
    path = tmp_path / "a.json"
    path.write_bytes(b"[" + pair.encode() + b"," + broken + b"]")

    good, bad = read(path)

    assert good == PAIR
    assert "not valid utf-8" in rejects([bad])[0].excerpt


def test_the_suffix_does_not_matter(tmp_path: Path) -> None:
    text = json.dumps([{"title": PAIR.target, "text": ARTICLE}], indent=2)

    for name in ("a.json", "a.jsonl", "a.json.gz"):
        assert read(write(tmp_path / name, text)) == [PAIR]


def test_an_item_that_never_ends_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_array, "LONGEST", 1000)
    monkeypatch.setattr(json_array, "CHUNK", 100)
    path = write(tmp_path / "a.json", '[{"a": 1}, {"a": "' + "x" * 9000)

    with pytest.raises(Exception, match=r"a\.json.* more than 1,000 characters"):
        rows(path)


def test_an_empty_array_has_no_rows(tmp_path: Path) -> None:
    assert "has no rows" in fault(write(tmp_path / "a.json", " [ ] "))


def test_dotted_names_reach_into_objects(tmp_path: Path) -> None:
    item = {"id": 1, "data": {"body": ARTICLE, "meta": {"head": PAIR.target}}}
    more = [{"data": None}, {"data": "text"}, item | {"data": {"body": ARTICLE}}]
    names = {"source_column": "data.body", "target_column": "data.meta.head"}

    for name, text in (
        ("a.json", json.dumps([item, *more])),
        ("a.jsonl", "\n".join(map(json.dumps, [item, *more]))),
    ):
        found = read(write(tmp_path / name, text), **names)
        assert found[0] == PAIR
        reasons = [reject.reason.value for reject in rejects(found)]
        assert reasons == ["empty article", "empty article", "empty headline"]


def test_a_key_with_a_dot_is_meant_first(tmp_path: Path) -> None:
    item = {"a.b": ARTICLE, "a": {"b": "x"}, "title": PAIR.target}
    path = write(tmp_path / "a.json", json.dumps([item]))

    assert read(path, source_column="a.b") == [PAIR]


def test_the_output_is_an_array_even_without_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", '[{"a": 1}, 7]')
    new = New(["headline"], ["headline"])
    items: list[Any] = [{"a": 1, "headline": "新"}]
    items += [{"": "7", "headline": "", "error": "item 2: x"}]
    for count in range(3):
        output = io.StringIO()
        with (
            open_table(path, CorpusFormat()) as table,
            table.format.writer(output, table.layout, new, table.file) as write_row,
        ):
            for row in rows(path)[:count]:
                text, problem = ("", "x") if row.problem else ("新", None)
                write_row(row, Added([text], {"headline": text}, problem))
        assert json.loads(output.getvalue()) == items[:count]
        assert output.getvalue().count("\n") == (count + 2 if count else 1)
