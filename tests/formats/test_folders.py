"""Folders: .txt files with a headline each, and what ``datasets`` has saved."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from headline.errors import CorpusError
from headline.formats.registry import Added, New
from headline.formats.tables import CorpusFormat, open_table, total_bytes
from tests.reading import ARTICLE, PAIR, fault, read, rejects, rows

NEWS = f"{PAIR.target}\n{ARTICLE}\n"


def texts(folder: Path, **files: str | bytes) -> Path:
    """Writes files, in whose names ``__`` is a slash."""
    for name, content in files.items():
        path = folder / (name.replace("__", "/") + ".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def names(folder: Path) -> list[str]:
    return [row.values["file"] for row in rows(folder)]


# --- .txt files -----------------------------------------------------------------------


def test_files_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = texts(tmp_path / "a", b__2=NEWS, b__10=NEWS, a=NEWS, c__d__e=NEWS)
    (folder / ".hidden.txt").write_text(NEWS)
    (folder / ".git").mkdir()
    (folder / ".git" / "x.txt").write_text(NEWS)
    (folder / "b" / "readme.md").write_text(NEWS)
    (folder / "b" / "UPPER.TXT").write_text(NEWS)

    expected = ["a.txt", "b/10.txt", "b/2.txt", "b/UPPER.TXT", "c/d/e.txt"]
    assert names(folder) == expected
    assert [row.number for row in rows(folder)] == [1, 2, 3, 4, 5]


def test_the_first_line_is_the_headline(tmp_path: Path) -> None:
    for number, (text, title, content) in enumerate(
        [
            ("题\n文一\n文二\n", "题", "文一\n文二\n"),
            ("\ufeff\r\n\u3000题 \r\n文一\r\n文二", "题", "文一\n文二"),
            ("只有一行\n\n", "", "只有一行"),
            ("", "", ""),
        ]
    ):
        (row,) = rows(texts(tmp_path / str(number), a=text))
        assert (row.values["title"], row.values["content"]) == (title, content)


def test_each_file_has_an_encoding_of_its_own(tmp_path: Path) -> None:
    encodings = ("utf-8", "gb18030", "utf-16", "utf-8-sig")
    for name in encodings:
        texts(tmp_path / "a", **{name: NEWS.encode(name)})

    found = [
        (row.values["title"], row.values["content"]) for row in rows(tmp_path / "a")
    ]

    assert set(found) == {(PAIR.target, ARTICLE + "\n")} and len(found) == 4
    named = texts(tmp_path / "b", a=NEWS.encode("gb18030"))
    assert read(named, encoding="gb18030") == [PAIR]


def test_a_file_that_is_no_text_costs_that_file_only(tmp_path: Path) -> None:
    folder = texts(
        tmp_path / "a", a=NEWS, b=b"%PDF-1.7\n", c=bytes(range(128, 256)) * 9
    )
    texts(folder, d=ARTICLE.encode() * 9 + b"\xff\n" + NEWS.encode())

    found = read(folder)

    assert found[0] == PAIR
    excerpts = [reject.excerpt for reject in rejects(found)]
    assert "b.txt" in excerpts[0] and "PDF" in excerpts[0]
    assert "no text" in excerpts[1] and "not valid utf-8" in excerpts[2]
    with pytest.raises(CorpusError, match=r"row 2: looks like a PDF"):
        read(folder, strict=True)


def test_any_part_of_a_folder_can_be_read(tmp_path: Path) -> None:
    folder = texts(tmp_path, **{f"{n}": f"题{n}\n文{n}" for n in range(9)})

    with open_table(folder, CorpusFormat()) as table:
        places = [*table.places()]
        assert [place.number for place in places] == [*range(1, 10)]
        assert [*table.rows((), places[6])] == rows(folder)[6:]


def test_progress_counts_the_bytes_of_all_files(tmp_path: Path) -> None:
    folder = texts(tmp_path, a=NEWS, b__c=NEWS * 3)

    with open_table(folder, CorpusFormat()) as table:
        found = [table.position() for _ in table]

    assert found == [len(NEWS.encode()), 4 * len(NEWS.encode())]
    assert total_bytes([folder]) == found[-1]


def test_links_in_a_circle_are_followed_once(tmp_path: Path) -> None:
    folder = texts(tmp_path / "a", b__c=NEWS)
    (folder / "b" / "up").symlink_to(folder, target_is_directory=True)
    (tmp_path / "other").symlink_to(folder, target_is_directory=True)

    assert names(folder) == names(tmp_path / "other") == ["b/c.txt"]


def test_a_folder_of_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("title,text\n")

    assert "is a folder without .txt files" in fault(tmp_path)


# --- what `datasets` has saved --------------------------------------------------------


def dataset(folder: Path, *parts: Any, **state: Any) -> Path:
    folder.mkdir()
    names = [f"data-{number:05}-of-9.arrow" for number in range(len(parts))]
    for name, part in zip(names, parts, strict=True):
        with pa.ipc.new_stream(folder / name, part.schema) as stream:
            stream.write_table(part, max_chunksize=3)
    files = [{"filename": name} for name in names]
    (folder / "state.json").write_text(json.dumps({"_data_files": files} | state))
    return folder


def pairs(first: int, last: int) -> Any:
    numbers = range(first, last)
    columns = {"title": [f"{PAIR.target}{n}" for n in numbers], "id": [*numbers]}
    data = [{"body": f"{ARTICLE}{n}"} for n in numbers]
    return pa.table(columns | {"data": data})


def test_rows_of_all_files_are_numbered_on(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "a", pairs(0, 7), pairs(7, 7), pairs(7, 12))

    found = rows(folder)

    assert [row.values["id"] for row in found] == [*range(12)]
    assert [row.number for row in found] == [*range(1, 13)]
    expected = [(f"{ARTICLE}{n}", f"{PAIR.target}{n}") for n in range(12)]
    assert read(folder, source_column="data.body") == expected
    with open_table(folder, CorpusFormat()) as table:
        places = [*table.places()]
        assert [place.number for place in places] == [*range(1, 13)]
        for first in (0, 4, 7, 11):
            part = [*table.rows((), places[first])]
            assert [row[:3] for row in part] == [row[:3] for row in found[first:]]


def test_a_dataset_dict_is_told_the_names_of_its_splits(tmp_path: Path) -> None:
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    dataset(tmp_path / "train", pairs(0, 3))

    assert f"such as {tmp_path / 'train'} or {tmp_path / 'test'}" in fault(tmp_path)
    assert len(rows(tmp_path / "train")) == 3


@pytest.mark.parametrize("cut", [1, 4, 8, 60, 400])
def test_a_file_that_breaks_off_is_noticed(tmp_path: Path, cut: int) -> None:
    folder = dataset(tmp_path / "a", pairs(0, 9), pairs(9, 18))
    last = folder / "data-00001-of-9.arrow"
    last.write_bytes(last.read_bytes()[:-cut])

    with pytest.raises(CorpusError, match=r"data-00001-of-9\.arrow is damaged"):
        rows(folder)


def test_what_cannot_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    told = fault(dataset(tmp_path / "a", pairs(0, 3), _indices_files=["x"]))
    assert "flatten_indices()" in told
    assert "names no files" in fault(dataset(tmp_path / "b"))
    missing = dataset(tmp_path / "c", pairs(0, 3))
    (missing / "data-00000-of-9.arrow").unlink()
    with pytest.raises(CorpusError, match=r"cannot read .*No such file"):
        rows(missing)
    (missing / "state.json").write_text("{")
    with pytest.raises(CorpusError, match=r"state\.json is damaged"):
        rows(missing)


SAVE = """
import json, sys
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

folder, rows = sys.argv[1], json.loads(sys.argv[2])
kinds = Features(
    {
        "title": Value("string"),
        "content": Value("string"),
        "kind": ClassLabel(names=["a", "b"]),
    }
)
corpus = Dataset.from_list([{**row, "kind": 1} for row in rows], features=kinds)
corpus.save_to_disk(folder + "/one", num_shards=2)
DatasetDict(train=corpus.shuffle(seed=1)).save_to_disk(folder + "/splits")
"""
LOAD = """
import json, sys
from datasets import Dataset

found = Dataset.from_parquet(sys.argv[1], cache_dir=sys.argv[2])
names = found.features["kind"].names
print(json.dumps([names, found[0], str(found.features["headline"])]))
"""


def ran(code: str, *arguments: str | Path) -> str:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_datasets_itself_has_saved_it_and_reads_what_is_written(tmp_path: Path) -> None:
    pairs = [{"title": f"央行降准{n}", "content": f"{ARTICLE}{n}"} for n in range(9)]
    ran(SAVE, tmp_path, json.dumps(pairs))
    output = tmp_path / "out.parquet"

    assert [row.values["title"] for row in rows(tmp_path / "one")] == [
        pair["title"] for pair in pairs
    ]
    assert {row.values["title"] for row in rows(tmp_path / "splits" / "train")} == {
        pair["title"] for pair in pairs
    }
    with (
        open_table(tmp_path / "one", CorpusFormat()) as table,
        output.open("w", encoding="utf-8") as stream,
        table.format.writer(stream, table.layout, New(["headline"], [])) as write,
    ):
        for row in table:
            write(row, Added(["新"], {}))

    kinds, first, feature = json.loads(ran(LOAD, output, tmp_path / "cache"))
    assert kinds == ["a", "b"] and feature == "Value('string')"
    assert first == pairs[0] | {"kind": 1, "headline": "新"}
