"""topics.csv in a DATA_DIR: counted, replaced as a whole, gone with its dataset."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from headline.data.prepare import Job, prepare
from headline.data.store import (
    DATA,
    REPORT,
    TOPICS,
    TopicsDraft,
    count_topics,
    is_prepared,
    open_dataset,
    outline,
    read_report,
    replacing_topics,
)
from headline.errors import DataError, LockedError
from headline.formats.tables import CorpusFormat
from headline.settings.prepare import PrepareConfig
from tests.corpora import bracket_pairs
from tests.test_golden import GOLDEN

ROWS = [
    ("train", 1, 2, "0.9", "甲"),
    ("train", 2, 1, "0.8", "乙"),
    ("test", 1, 2, 1, ""),
]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN / "data", tmp_path / "data"))


def write(
    data_dir: Path, rows: Iterable[Iterable[object]], overwrite: bool = False
) -> None:
    with replacing_topics(data_dir, overwrite) as draft:
        for row in rows:
            draft.write_row(row)


def test_what_is_written_is_counted_and_belongs_to_the_dataset(data_dir: Path) -> None:
    assert count_topics(data_dir) == {}
    write(data_dir, ROWS)
    assert count_topics(data_dir) == {1: 1, 2: 2}
    assert data_dir / TOPICS in outline(data_dir).files
    open_dataset(data_dir)  # still whole


def test_a_writer_that_fails_leaves_the_old_file(data_dir: Path) -> None:
    write(data_dir, ROWS)
    before = {path.name: path.read_bytes() for path in data_dir.iterdir()}

    def failing(draft: TopicsDraft) -> None:
        draft.write_row(("train", 1, 1, 1, ""))
        draft.write_report("half a page")
        raise ValueError("half way")

    with (
        pytest.raises(ValueError, match="half way"),
        replacing_topics(data_dir, True) as draft,
    ):
        failing(draft)
    assert {path.name: path.read_bytes() for path in data_dir.iterdir()} == before


def test_a_report_is_written_with_the_topics(data_dir: Path) -> None:
    with replacing_topics(data_dir, False) as draft:
        draft.write_report("新\n页")
        assert not (data_dir / REPORT).exists()
    assert (data_dir / REPORT).read_bytes() == "新\n页".encode()
    assert read_report(data_dir) == "新\n页"


def test_a_report_that_is_missing_or_damaged_is_none(data_dir: Path) -> None:
    assert read_report(data_dir) is None
    (data_dir / REPORT).write_bytes(b"\xff\xfe\xfd")
    assert read_report(data_dir) is None


def test_no_dataset_no_topics(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(DataError, match="run `headline prepare` first"):
            write(folder, ROWS)
    assert [*tmp_path.iterdir()] == []


def test_nobody_prepares_the_dataset_meanwhile(data_dir: Path) -> None:
    with replacing_topics(data_dir, False), pytest.raises(LockedError):
        prepare_again(data_dir)
    assert is_prepared(data_dir)


def test_topics_go_with_the_dataset_that_had_them(data_dir: Path) -> None:
    write(data_dir, ROWS)
    prepare_again(data_dir)
    assert (data_dir / DATA).exists() and not (data_dir / TOPICS).exists()


def prepare_again(data_dir: Path) -> None:
    job = Job(
        files=[],
        data_dir=data_dir,
        format=CorpusFormat(),
        config=PrepareConfig(min_count=1),
        overwrite=True,
        pairs=[(article, title) for title, article in bracket_pairs(50)],
    )
    prepare(job)


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,2\n",
        b"split,topic\ntrain\n",
        b"topic\nx\n",
        b"topic\n\xff\n",
        b"topic\n\n1\0",
    ],
)
def test_a_damaged_file_is_told(data_dir: Path, content: bytes) -> None:
    (data_dir / TOPICS).write_bytes(content)
    with pytest.raises(DataError, match=r"topics.csv is damaged: .*--overwrite"):
        count_topics(data_dir)
