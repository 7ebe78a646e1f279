"""What preparing in parts rests on: files of blocks, and samples that can be joined."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.data.parts import blocks, sampling
from headline.data.parts.blocks import BlockFile, packed, unpacked, write_blocks
from headline.data.parts.folder import RULES, SAMPLE, Work
from headline.data.parts.passes import passes_of, unfinished
from headline.data.parts.plan import cut, plan_of, read_part
from headline.data.sample import Sample
from headline.errors import DataError
from headline.formats.records import Rows
from tests.data.dirty_jobs import dirty_job

# --- files of blocks ------------------------------------------------------------------

arrays = st.lists(
    st.tuples(
        st.lists(st.integers(0, 2**32 - 1), max_size=9),
        st.lists(st.integers(-(2**60), 2**60), max_size=4),
    ),
    min_size=1,
    max_size=6,
)


@given(arrays, st.booleans())
def test_arrays_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, written: Any, joins: bool
) -> None:
    path = tmp_path_factory.mktemp("blocks") / "file"
    with blocks.writing(path) as (writer, about):
        for short, long in written:
            columns = np.array(short, np.uint32), np.array(long, np.int64)
            writer.append({"short": columns[0], "long": columns[1]})
            if not joins:
                writer.flush()
        about["名"] = len(written)

    found = BlockFile(path)
    assert found.about == {"名": len(written)}
    assert len([*found.blocks("short", "long")]) == (1 if joins else len(written))
    for place, name in enumerate(("short", "long")):
        every = [number for pair in written for number in pair[place]]
        assert found.whole(name).tolist() == every
        some = np.arange(len(every))[::-2]
        assert found.at(name, some).tolist() == every[::-2]


@given(st.lists(st.lists(st.text() | st.integers() | st.none(), max_size=3)))
def test_values_come_back_as_they_were_packed(values: Any) -> None:
    assert [*unpacked(packed(values))] == values


def test_undecoded_bytes_come_back() -> None:
    assert [*unpacked(packed(["a\udcff\n"]))] == ["a\udcff\n"]


@pytest.mark.parametrize("damage", [b"", b"short", None])
def test_damaged_file_is_refused(tmp_path: Path, damage: bytes | None) -> None:
    path = tmp_path / "file"
    write_blocks(path, {"a": np.arange(5)})
    path.write_bytes(path.read_bytes()[:-1] if damage is None else damage)

    with pytest.raises(DataError, match="is damaged: remove the file"):
        BlockFile(path)


# --- parts of files -------------------------------------------------------------------


def texts_of(rows: Rows) -> list[tuple[Any, ...]]:
    return [*zip(rows.numbers, *rows.texts, strict=True)]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_parts_have_every_row_once_and_in_order(tmp_path: Path, size: int) -> None:
    reader = dirty_job(tmp_path, 40).pair_sorting().reader
    expected = [(rows.file, *row) for rows in reader.read() for row in texts_of(rows)]

    plan = plan_of([cut(reader, file, size) for file in range(2)], [])

    found = [
        (rows.file, *row)
        for part in plan.parts
        for rows in read_part(reader, part)
        for row in texts_of(rows)
    ]
    assert found == expected
    assert plan.rows == len(expected) and len(plan.parts) >= len(expected) / size
    assert [part.index for part in plan.parts] == [*range(len(plan.parts))]


# --- the sample of the rules ----------------------------------------------------------


def sampled(work: Work) -> list[tuple[int, str, str]]:
    """Returns the sample that the rules are learned from, joined of all parts."""
    kept: list[tuple[int, str, str]] = []

    def texts(sample: Sample) -> tuple[list[str], list[str]]:
        kept.extend(sample.kept())
        return [], []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sample, "texts", texts)
        for one, left in unfinished(work):
            for task in left:
                one.run(work, task)
            if one.name == RULES:
                return kept
    raise AssertionError("no pass learns the rules")


@pytest.mark.parametrize("copies", [1, 30], ids=["few duplicates", "many duplicates"])
def test_joined_sample_is_that_of_all_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copies: int
) -> None:
    job = replace(dirty_job(tmp_path, 60), unpaired=())
    for path in job.files:
        header, lines = path.read_text("utf-8").split("\n", 1)
        path.write_text(f"{header}\n{lines * copies}", "utf-8")
    size = 40
    monkeypatch.setattr(sampling, "SIZE", size)
    expected = Sample(size)
    for rows in job.pair_sorting().reader.read():
        expected.add(*rows.texts)

    work = Work(job, rows=50)
    work.begin()
    assert sampled(work) == expected.kept()

    parts = [
        [*unpacked(BlockFile(work.path(SAMPLE, part.index)).whole("pairs"))]
        for part in work.plan.parts
    ]
    different = {tuple(pair) for part in parts for pair in part}
    # With many duplicates the limit was too low, and all rows were read again.
    assert (len(different) < size) == (copies == 30)


def test_without_cleaning_there_are_fewer_passes(tmp_path: Path) -> None:
    job = dirty_job(tmp_path, 20)
    names = [one.name for one in passes_of(Work(job))]
    dirty = replace(job, cleaning=replace(job.cleaning, clean=False))

    assert {*names} - {one.name for one in passes_of(Work(dirty))} == {
        "sample",
        "rules",
        "candidates",
        "choice",
    }
