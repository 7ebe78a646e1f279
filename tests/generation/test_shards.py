"""Parts of a file become parts of its output: put together they are the whole one."""

import io
import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.errors import CorpusError
from headline.formats.files import BUFFER, InputFile
from headline.formats.layout import Layout, Place
from headline.formats.registered.text import PLAIN_TEXT
from headline.formats.registry import format_of, is_text
from headline.formats.tables import CorpusFormat, open_table
from headline.generation.files import Task, write_headlines
from headline.generation.generator import Generator
from headline.generation.inputs import Shard
from headline.settings.search import DecodeConfig
from tests.reading import write
from tests.scripted import CopyEngine, char_tokenizer

HAN = "央行今日宣布下调存款准备金率"
CONFIG = DecodeConfig(batch_size=2, exact_numbers=False, no_repeat_ngram_size=0)

CSV = ["id,content\n", f"1,{HAN}\n", '2,"第一行\n第二行, ""引号"""\n', "\n", "3\n"]
CSV += ["4,多,了\n", f"5,{HAN[3:]}\n", "6,\n", '7,"末\r\n行"\n']
TSV = [line.replace(",", "\t") for line in CSV]
JSONL = ['{"content": "央行今日"}\n', "{half\n", "\n", '{"content": "下调", "id": 3}\n']
JSONL += ['{"content": "存款准备", "avoid": ["存"]}\n']
JSONL += ['{"content": "x", "top_p": 7}\n']
JSONL += [f'{{"id": 1.50, "content": "{HAN}"}}']
TEXT = ["WTO\n", f"{HAN}\n", "\n", "下调存款\r\n", "准备金率"]
FILES = {"a.csv": CSV, "a.tsv": TSV, "a.jsonl": JSONL, "a.txt": TEXT}


def written(
    path: Path | Sequence[Shard],
    told: list[str] | None = None,
    done: list[int] | None = None,
    **names: Any,
) -> str:
    """Returns what becomes of a file or of parts; each line of text is an article."""
    tell = None if told is None else told.append
    task = Task(
        CorpusFormat(tell=tell, **names),
        lines=True,
        count_done=lambda read, _: None if done is None else done.append(read),
    )
    generator = Generator(char_tokenizer(HAN), CopyEngine(3), CONFIG, 50)
    output = io.StringIO(newline="")
    shards = [Shard(path)] if isinstance(path, Path) else path
    write_headlines(generator, shards, output, task)
    return output.getvalue()


def found_out(path: Path, **names: Any) -> tuple[Layout, list[Place]]:
    """Returns how a file is written, and where its rows begin."""
    if not is_text(path):
        with open_table(path, CorpusFormat(**names)) as table:
            return table.layout, list(table.places())
    with closing(InputFile(path)) as file:
        layout = PLAIN_TEXT.layout(file, CorpusFormat(**names))
        return layout, list(PLAIN_TEXT.places(file.reader(), layout))


def cut(path: Path, cuts: Sequence[int], **names: Any) -> list[Shard]:
    """Parts a file before the rows of the given numbers, counted from 0."""
    layout, places = found_out(path, **names)
    begins = [0, *cuts]
    ends = [*cuts, len(places)]
    shards = [
        Shard(path, layout, places[begin], end - begin)
        for begin, end in zip(begins, ends, strict=True)
    ]
    # The first part may begin with the file, and the last go to its end.
    shards[0] = Shard(path, layout, None, ends[0])
    shards[-1] = Shard(path, layout, places[begins[-1]])
    return shards


def without_header(output: str, path: Path) -> str:
    return output if path.suffix in (".jsonl", ".txt") else output.partition("\n")[2]


@pytest.mark.parametrize("name", list(FILES))
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_the_outputs_of_parts_put_together_are_that_of_the_whole(
    tmp_path: Path, name: str, encoding: str
) -> None:
    path = write(tmp_path / name, "".join(FILES[name]), encoding)
    expected: list[str] = []
    told: list[str] = []
    whole = written(path, expected)

    shards = cut(path, [1, 3, 4])
    outputs = [written([shard], told) for shard in shards]

    assert len(shards) == 4 and all(outputs)
    bodies = [without_header(output, path) for output in outputs[1:]]
    assert outputs[0] + "".join(bodies) == whole
    assert all(body.count("\n") >= 1 for body in bodies)
    assert told == expected  # with the numbers of the rows in the file


@given(
    st.lists(st.sampled_from([*CSV[1:], '"']), min_size=2, max_size=12),
    st.data(),
)
def test_any_table_may_be_cut_before_any_of_its_rows(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], data: st.DataObject
) -> None:
    path = write(tmp_path_factory.getbasetemp() / "any.csv", "".join(CSV[:3] + lines))
    _, places = found_out(path)
    cuts = data.draw(st.sets(st.integers(1, len(places) - 1), max_size=3))

    shards = cut(path, sorted(cuts)) if cuts else [Shard(path)]

    first, *others = (written([shard]) for shard in shards)
    bodies = [without_header(output, path) for output in others]
    assert first + "".join(bodies) == written(path)


def test_parts_may_go_into_one_output(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "".join(CSV))

    assert written(cut(path, [2, 4])) == written(path)


@pytest.mark.parametrize("name", list(FILES))
def test_what_is_known_of_a_file_is_not_found_out_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = write(tmp_path / name, "".join(FILES[name]), "gb18030")
    *_, last = cut(path, [1, 2])
    expected = written([last])
    format = format_of(path)
    assert format is not None and last.layout is not None
    assert last.layout.encoding == "gb18030"

    def broken(*_: object) -> Layout:
        raise AssertionError("it was looked at again")

    monkeypatch.setattr(type(format), "layout", broken)

    assert written([last]) == expected


def test_the_bytes_of_all_parts_are_those_of_the_file(tmp_path: Path) -> None:
    line = json.dumps({"content": HAN, "more": "x" * 10_000}) + "\n"
    path = write(tmp_path / "a.jsonl", line * 100)

    sizes = []
    for shard in cut(path, [20, 70]):
        done: list[int] = []
        written([shard], done=done)
        sizes.append(sum(done))

    expected = [rows * len(line) for rows in (20, 50, 30)]
    assert sizes == pytest.approx(expected, abs=BUFFER)  # some more is read ahead
    assert sum(sizes) >= path.stat().st_size


def test_one_article_has_no_parts(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", HAN)
    generator = Generator(char_tokenizer(HAN), CopyEngine(3), CONFIG, 50)
    task = Task(CorpusFormat())

    with pytest.raises(CorpusError, match=r"a\.txt cannot be read in parts"):
        write_headlines(generator, [Shard(path, rows=1)], io.StringIO(), task)
