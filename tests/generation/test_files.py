"""Rows in, the same rows out with headlines: none lost, none moved, none changed."""

import csv
import gzip
import io
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.errors import CorpusError
from headline.formats.tables import CorpusFormat
from headline.generation.batching import ready_batches
from headline.generation.files import Task, write_headlines
from headline.generation.generator import Generator
from headline.generation.headlines import Headline
from headline.generation.inputs import Entry, Shard, Stream, open_input
from headline.settings.search import DecodeConfig
from headline.text.normalise import normalise
from headline.text.source import Source
from headline.text.tokenizer import CharTokenizer, Encoded
from tests.scripted import CopyEngine, char_tokenizer

Found = TypeVar("Found")

HAN = "央行今日宣布下调存款准备金率"
AWKWARD = ['央行,降"息"', "第一行\n第二行", "", "\t", "罕😀", " 空格 "]
# No headline ends with a space, so none is the first three characters of such a text.
texts = st.text(HAN + ',"\n 罕😀<b>', max_size=12).filter(
    lambda text: normalise(text)[2:3] != " "
)


@dataclass
class Job:
    """A task, and what does it."""

    generator: Generator
    task: Task


def job_of(
    lines: bool = False,
    column: str = "headline",
    with_scores: bool = False,
    **names: Any,
) -> Job:
    """Returns a task whose headlines are the first three characters of articles."""
    config = DecodeConfig(
        batch_size=4,
        num_headlines=names.pop("num_headlines", 1),
        # Some articles begin with one character three times, or inside of a word.
        no_repeat_ngram_size=0,
        exact_numbers=False,
    )
    generator = Generator(char_tokenizer(HAN), CopyEngine(3), config, 50)
    return Job(generator, Task(CorpusFormat(**names), column, lines, with_scores))


def expected(article: str) -> str:
    return normalise(article)[:3].strip()


def run(job: Job, *files: Path) -> str:
    return written(job, [Shard(path) for path in files])


def piped(job: Job, content: bytes) -> str:
    """Returns what becomes of a stream, which is left open."""
    stream = io.BytesIO(content)
    found = written(job, Stream(stream, "stdin"))
    assert not stream.closed
    return found


def written(job: Job, source: Sequence[Shard] | Stream) -> str:
    output = io.StringIO(newline="")
    write_headlines(job.generator, source, output, job.task)
    return output.getvalue()


def entries_of(
    path: Path, form: CorpusFormat, config: DecodeConfig | None = None
) -> list[Entry]:
    with closing(open_input(Shard(path), form, False, config or DecodeConfig())) as one:
        return list(one.entries())


def refusal(job: Job, source: Path | bytes, *others: Path) -> str:
    """Returns the message that files, or a stream, are refused with."""
    with pytest.raises(CorpusError) as caught:
        if isinstance(source, bytes):
            piped(job, source)
        else:
            run(job, source, *others)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    content = text.encode(encoding)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def to_csv(rows: Sequence[Sequence[str]], delimiter: str = ",") -> str:
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=delimiter).writerows(rows)
    return stream.getvalue()


def from_csv(text: str, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


# --- CSV and TSV ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "delimiter"),
    [
        *(("a.csv", ","), ("a.CSV", ","), ("a.csv.gz", ","), ("a.tsv.csv", ",")),
        *(("a.tsv", "\t"), ("a.TSV", "\t"), ("a.tsv.gz", "\t"), ("a.json.tsv", "\t")),
    ],
)
def test_table_comes_back_with_a_column_more(
    tmp_path: Path, name: str, delimiter: str
) -> None:
    rows = [[str(number), text, "留"] for number, text in enumerate(AWKWARD)]
    header = ["id", "content", " 备注"]
    path = write(tmp_path / name, to_csv([header, *rows], delimiter))

    found = from_csv(run(job_of(), path), delimiter)

    assert found[0] == [*header, "headline"]
    assert found[1:] == [[*row, expected(row[1])] for row in rows]


@given(st.lists(st.tuples(texts, texts), max_size=12))
def test_no_row_of_a_table_is_lost_moved_or_changed(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "round_trip.csv"
    write(path, to_csv([("other", "content"), *rows]))

    found = from_csv(run(job_of(), path))

    assert found[1:] == [[*row, expected(row[1])] for row in rows]


def test_bad_row_keeps_its_place(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f"id,content\n1,{HAN}\n2\n3,{HAN[1:]}\n4,\n")

    found = from_csv(run(job_of(), path))

    assert [row[0] for row in found] == ["id", "1", "2", "3", "4"]
    assert [row[-1] for row in found[1:]] == [HAN[:3], "", HAN[1:4], ""]
    assert {len(row) for row in found} == {3}


def test_undecodable_row_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(f"id,content\n1,{HAN}\n2,".encode() + b"\xff\xfe\n3,\n")

    found = run(job_of(), path)

    found.encode()
    assert [row[0] for row in from_csv(found)] == ["id", "1", "2", "3"]


def test_every_headline_has_its_column(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f"content,id\n{HAN},1\n,2\n")

    found = from_csv(run(job_of(num_headlines=3, column="题"), path))

    assert found[0] == ["content", "id", "题", "题_2", "题_3"]
    assert found[1][:3] == [HAN, "1", HAN[:3]]
    assert len(set(found[1])) == 5
    assert found[2] == ["", "2", "", "", ""]


def test_articles_are_in_the_column_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f"content,正文二\n{HAN},下调存款\n", "gb18030")

    found = from_csv(run(job_of(source_column="正文二", encoding="gb18030"), path))

    assert found[1] == [HAN, "下调存款", "下调存"]
    assert "'none'" in refusal(job_of(source_column="none", encoding="gb18030"), path)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
@pytest.mark.parametrize("clash", ["headline", "headline_2", "headlines"])
def test_column_that_is_there_already_is_never_written_over(
    tmp_path: Path, name: str, clash: str
) -> None:
    record = {"content": HAN, clash: "人写的"}
    table = to_csv(
        [list(record), list(record.values())], "\t" if "tsv" in name else ","
    )
    path = write(tmp_path / name, json.dumps(record) if "json" in name else table)
    wanted = {"headline", "headlines" if "json" in name else "headline_2"}

    if clash in wanted:
        message = refusal(job_of(num_headlines=2), path)
        assert f"'{clash}'" in message
        assert "--headline-column" in message
    else:
        assert "人写的" in run(job_of(num_headlines=2), path)
    assert run(job_of(num_headlines=2, column="机器"), path)


def test_columns_of_one_name_and_of_none_are_kept(tmp_path: Path) -> None:
    header = ["content", "注", "注", "", ""]
    path = write(tmp_path / "a.csv", to_csv([header, [HAN, "a", "b", "", ""]]))

    found = [*csv.reader(run(job_of(), path).splitlines())]

    assert found == [
        [*header, "headline"],
        [HAN, "a", "b", "", "", HAN[:3]],
    ]


# --- JSONL ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.jsonl", "a.JSONL", "a.json.gz", "a.csv.ndjson"])
def test_objects_come_back_with_a_key_more(tmp_path: Path, name: str) -> None:
    records = [{"id": [number, None], "content": t} for number, t in enumerate(AWKWARD)]
    path = write(tmp_path / name, "\n".join(map(json.dumps, records)))

    found = [json.loads(line) for line in run(job_of(), path).splitlines()]

    assert found == [r | {"headline": expected(str(r["content"]))} for r in records]


def test_chinese_in_the_output_can_be_read_by_eye(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", json.dumps({"content": HAN}))

    assert HAN in run(job_of(), path)


def test_bad_line_comes_back_as_an_error_in_its_place(tmp_path: Path) -> None:
    good = json.dumps({"content": HAN})
    path = write(tmp_path / "a.jsonl", f"{good}\n{{half\n\n[1]\n{good}\n")

    found = [json.loads(line) for line in run(job_of(), path).splitlines()]

    assert [record["headline"] for record in found] == [HAN[:3], "", "", HAN[:3]]
    assert "line 2" in found[1]["error"]
    assert "line 4" in found[2]["error"]
    assert "error" not in found[0].keys() | found[3].keys()


def test_lone_surrogate_in_an_object_can_be_written(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"content": "央行\\ud800降息"}')

    found = run(job_of(), path)

    assert json.loads(found.encode())["headline"] == "央行降"


def test_several_headlines_of_an_object_are_a_list(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", json.dumps({"content": HAN}))

    found = json.loads(run(job_of(num_headlines=3), path))

    assert found["headline"] == found["headlines"][0] == HAN[:3]
    assert len(set(found["headlines"])) == 3


# --- the controls of single rows ------------------------------------------------------


def rows_of(path: Path, job: Job) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run(job, path).splitlines()]


def jsonl(path: Path, *controls: dict[str, Any]) -> Path:
    """Writes an article with each of the controls as its options."""
    rows = (
        {"content": HAN, "options": own} if own else {"content": HAN}
        for own in controls
    )
    return write(path, "\n".join(map(json.dumps, rows)))


def test_each_object_is_searched_by_its_own_controls(tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = [
        {},
        {"prefix": "囧"},
        {"must_include": ["利率", "金"]},
        {"must_include": "准备"},  # one word needs no list
        {"avoid": ["央", "行"], "max_length": 2},
        {"min_length": 6},
        {"num_headlines": 3},
        {"num_headlines": 2, "sample": True, "temperature": 2, "seed": 5},
    ]
    found = rows_of(jsonl(tmp_path / "a.jsonl", *asked), job_of())

    for record, controls in zip(found, asked, strict=True):
        several = "num_headlines" in controls
        keys = {"content", "headline", *(["options"] if controls else [])}
        assert record.keys() == keys | ({"headlines"} if several else set())
        assert record.get("options", {}) == controls
    texts = [record["headline"] for record in found]
    assert texts[0] == HAN[:3] and texts[1][0] == "囧"
    assert all(word in texts[2] for word in ("利率", "金")) and "准备" in texts[3]
    assert 1 <= len(texts[4]) <= 2 and not set("央行") & set(texts[4])
    assert len(texts[5]) >= 6
    assert [len(set(record["headlines"])) for record in found[6:]] == [3, 2]


def test_controls_of_the_command_hold_where_an_object_has_none(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", {}, {"num_headlines": 1}, {"max_length": 1})

    found = rows_of(path, job_of(num_headlines=2, with_scores=True))

    lists = [len(record.get("headlines", [])) for record in found]
    assert lists == [2, 0, 2] == [len(record.get("scores", [])) for record in found]
    assert max(map(len, found[2]["headlines"])) == 1


@pytest.mark.parametrize(
    ("controls", "named"),
    [
        ({"max_length": 0}, "max_length"),
        ({"max_length": "9"}, "max_length"),
        ({"min_length": 50}, "min_length"),
        ({"must_include": ["央", 3]}, "must_include"),
        ({"must_include": [["央"]]}, "must_include"),
        ({"avoid": [""]}, "avoid"),
        ({"avoid": ["\u200b"]}, "avoid"),
        ({"prefix": 3}, "prefix"),
        ({"max_length": 12.5}, "max_length"),
        ({"exact_numbers": 2}, "exact_numbers"),
        ({"sample": True, "diversity": 1}, "diversity"),
        ({"top_p": 0.5}, "top_p"),
        ({"prefix": "中国", "avoid": "国"}, "avoided"),
        ({"prefx": "央"}, "did you mean prefix?"),
        ({"batch_size": 3}, "no option 'batch_size'"),
        ({"囧": 3}, "known are avoid, beam_size"),
        ({"must_include": ["央行", "准备"], "max_length": 3}, "max_length"),
        (
            {"must_include": ["5", "1"], "max_length": 2, "exact_numbers": True},
            "max_length",
        ),
    ],
)
def test_controls_that_cannot_be_come_back_as_an_error(
    tmp_path: Path, controls: dict[str, Any], named: str
) -> None:
    path = jsonl(tmp_path / "a.jsonl", {}, controls, {"prefix": "囧"})

    first, bad, last = rows_of(path, job_of(with_scores=True))

    assert bad["error"].startswith("line 2: ") and named in bad["error"]
    assert bad["options"] == controls
    assert bad["headline"] == "" and bad["score"] == 0
    assert first["headline"] == HAN[:3] and last["headline"][0] == "囧"
    assert "error" not in first.keys() | last.keys()


@pytest.mark.parametrize("options", ["快讯", ["prefix"], 3, True])
def test_options_that_are_no_object_come_back_as_an_error(
    tmp_path: Path, options: Any
) -> None:
    row = {"content": HAN, "options": options}
    path = write(tmp_path / "a.jsonl", f'{{"content": "{HAN}"}}\n{json.dumps(row)}')

    first, bad = rows_of(path, job_of())

    assert "error" not in first and first["headline"] == HAN[:3]
    assert bad["error"].startswith("line 2: options must be an object; got ")
    assert bad["headline"] == "" and bad["options"] == options


def older(path: Path, *rows: dict[str, Any]) -> Path:
    """Writes an article with each of some keys beside it."""
    return write(path, "\n".join(json.dumps({"content": HAN} | row) for row in rows))


def test_options_as_keys_of_the_row_still_work_and_are_warned_of_once(
    tmp_path: Path,
) -> None:
    told: list[str] = []
    path = older(tmp_path / "a.jsonl", {"id": 1}, {"prefix": "囧"}, {"max_length": 2})

    found = rows_of(path, job_of(note=told.append))

    assert [record["headline"][0] for record in found[:2]] == [HAN[0], "囧"]
    assert len(found[2]["headline"]) <= 2
    assert len(told) == 1 and '"options": {"prefix": "..."}' in told[0]


def test_only_a_key_that_was_taken_as_a_setting_is_warned_of(tmp_path: Path) -> None:
    told: list[str] = []
    rows = {"prefix": None}, {"options": {"prefix": "囧"}}, {"batch_size": 3, "x": 1}
    rows_of(older(tmp_path / "a.jsonl", *rows), job_of(note=told.append))
    assert told == []


@pytest.mark.parametrize("options", [{}, None, {"max_length": 2}])
def test_beside_options_the_other_keys_are_columns(
    tmp_path: Path, options: dict[str, Any] | None
) -> None:
    told: list[str] = []
    row = {"sample": "train", "prefix": "囧", "options": options}

    (found,) = rows_of(older(tmp_path / "a.jsonl", row), job_of(note=told.append))

    assert "error" not in found and found["headline"] == HAN[: 2 if options else 3]
    assert found.items() >= row.items() and told == []


def test_a_column_that_is_called_like_a_setting_is_told_how_to_be_one(
    tmp_path: Path,
) -> None:
    (bad,) = rows_of(older(tmp_path / "a.jsonl", {"sample": "train"}), job_of())
    assert "sample must be of type bool" in bad["error"]
    assert 'add "options": {} to the object' in bad["error"]


@pytest.mark.parametrize("column", ["prefix", "options"])
def test_the_column_of_articles_is_no_setting(tmp_path: Path, column: str) -> None:
    told: list[str] = []
    path = write(tmp_path / "a.jsonl", json.dumps({column: HAN}))

    (found,) = rows_of(path, job_of(source_column=column, note=told.append))

    assert found == {column: HAN, "headline": HAN[:3]} and told == []


def test_no_article_is_tokenised_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, read = job_of(), list[str]()
    whole = Source.read

    def noted(article: str, *args: Any) -> Source:
        read.append(article)
        return whole(article, *args)

    monkeypatch.setattr(Source, "read", noted)
    asked: list[dict[str, Any]] = [
        {},
        {"prefix": "囧"},
        {"prefix": "囧", "avoid": "囧"},
    ]
    run(job, jsonl(tmp_path / "a.jsonl", *asked))

    assert read == ["", HAN, HAN, HAN]  # the first for the options of the command


def test_what_is_explained_was_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, explained, encoded = job_of(lines=True), list[Any](), list[str]()
    encode = CharTokenizer.encode

    def noted(tokenizer: CharTokenizer, text: str, *extra: Any) -> Encoded:
        encoded.append(text)
        return encode(tokenizer, text, *extra)

    monkeypatch.setattr(CharTokenizer, "encode", noted)
    task = replace(job.task, explain=lambda *pair: explained.append(pair))
    run(Job(job.generator, task), write(tmp_path / "a.txt", f"{HAN}\n\n央行\n"))

    assert sorted(encoded) == sorted(["", HAN, "", "央行"])  # one for the options
    assert [source.text for source, _ in explained] == [HAN, "", "央行"]
    assert [found[0].text for _, found in explained] == [HAN[:3], "", "央行"]


def test_an_article_that_the_options_do_not_go_with_is_told_of(tmp_path: Path) -> None:
    told: list[str] = []
    job = job_of(tell=told.append)
    wrong = Headline("", 0.0, error="no room")

    def some(articles: Sequence[str], *_: Any) -> list[list[Headline]]:
        return [
            [wrong] if "下" in article else [Headline("好", -1.0)]
            for article in articles
        ]

    job.generator.generate = some  # type: ignore[method-assign, assignment]
    path = write(tmp_path / "a.csv", "content\n央行\n下调\n")

    assert from_csv(run(job, path))[1:] == [["央行", "好"], ["下调", ""]]
    assert run(job, write(tmp_path / "a.txt", "下调")) == "\n"
    assert told == [
        "row 3 gets no headline: no room",
        "the article gets no headline: no room",
    ]


def test_rows_of_a_table_take_no_controls(tmp_path: Path) -> None:
    table = to_csv([["content", "prefix", "max_length"], [HAN, "囧", "0"]])

    found = from_csv(run(job_of(), write(tmp_path / "a.csv", table)))

    assert found[1] == [HAN, "囧", "0", HAN[:3]]


def test_scores_stand_behind_their_headlines(tmp_path: Path) -> None:
    job = job_of(num_headlines=3, with_scores=True)
    (headlines,) = job.generator.generate([HAN])
    texts = [headline.text for headline in headlines]
    scores = [f"{headline.score:.4f}" for headline in headlines]
    cells = [cell for pair in zip(texts, scores, strict=True) for cell in pair]
    assert len(set(texts)) == 3 and len(set(scores)) > 1

    line = run(job, write(tmp_path / "a.txt", HAN))
    table = from_csv(run(job, write(tmp_path / "a.csv", f"content\n{HAN}\n")))
    (record,) = rows_of(jsonl(tmp_path / "a.jsonl", {}), job)

    assert line.rstrip("\n").split("\t") == cells
    columns = ["headline", "headline_2", "headline_3"]
    header = [name for column in columns for name in (column, f"{column}_score")]
    assert table == [["content", *header], [HAN, *cells]]
    assert record["headline"] == texts[0] and record["headlines"] == texts
    assert record["score"] == float(scores[0])
    assert record["scores"] == [float(score) for score in scores]


def test_a_column_of_scores_is_never_written_over(tmp_path: Path) -> None:
    for name, clash in (("a.csv", "headline_score"), ("a.jsonl", "score")):
        record = {"content": HAN, clash: "人写的"}
        table = to_csv([list(record), list(record.values())])
        content = json.dumps(record) if "json" in name else table
        path = write(tmp_path / name, content)
        assert f"'{clash}'" in refusal(job_of(with_scores=True), path)
        assert "人写的" in run(job_of(), path)


# --- plain text and stdin -------------------------------------------------------------


def test_text_file_is_one_article_or_one_in_each_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.TXT", f"{HAN}\n\n下调存款\n")

    assert run(job_of(), path) == f"{HAN[:3]}\n"
    assert run(job_of(lines=True), path) == f"{HAN[:3]}\n\n下调存\n"


def test_several_headlines_of_a_text_stand_in_one_line(tmp_path: Path) -> None:
    found = run(job_of(num_headlines=3), write(tmp_path / "a.txt", HAN))

    assert found.endswith("\n")
    headlines = found[:-1].split("\t")
    assert headlines[0] == HAN[:3]
    assert len(set(headlines)) == 3


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16", "utf-16-le"])
def test_stdin_is_one_article_or_one_in_each_line(encoding: str) -> None:
    # U+0A00 to U+0AFF: in UTF-16, one of their bytes looks like a line end.
    content = f"{HAN}\r\n\n\u0a05\u0a0a\u0b0a新华社\n央行".encode(encoding)
    by_line, whole = (job_of(lines=lines, encoding=encoding) for lines in (True, False))

    assert piped(by_line, content) == f"{HAN[:3]}\n\n\u0a05\u0a0a\u0b0a\n央行\n"
    assert piped(whole, content) == f"{HAN[:3]}\n"


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16", "iso2022_jp"])
def test_bytes_that_are_no_text_are_left_out(encoding: str) -> None:
    content = "日本\n".encode(encoding) + b"\xff\x1b\x80\xd8\x1b"
    for lines in (True, False):
        job = job_of(lines=lines, encoding=encoding)
        assert piped(job, content).startswith("日本")


# --- several files --------------------------------------------------------------------


def test_files_of_a_kind_become_one_output(tmp_path: Path) -> None:
    one = write(tmp_path / "1.csv", f"content\n{HAN}\n")
    two = write(tmp_path / "2.csv.gz", "content\n下调存款\n")

    found = from_csv(run(job_of(), one, two))

    assert found == [["content", "headline"], [HAN, HAN[:3]], ["下调存款", "下调存"]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.csv", "2.jsonl"),
        ("1.csv", "2.txt"),
        ("1.jsonl", "2.txt"),
        ("1.txt", "2.csv"),
        ("1.csv", "other.csv"),
    ],
)
def test_mixed_kinds_are_refused(tmp_path: Path, one: str, other: str) -> None:
    content = {"1.csv": f"content\n{HAN}\n", "2.csv": f"content\n{HAN}\n"}
    content |= {"other.csv": f"id,content\n1,{HAN}\n"}
    record = json.dumps({"content": HAN})
    first, second = (
        write(tmp_path / name, content.get(name, record)) for name in (one, other)
    )

    message = refusal(job_of(), first, second)

    assert str(first) in message
    assert str(second) in message


@pytest.mark.parametrize("name", ["none.csv", "none.jsonl", "none.txt", "a.pdf"])
def test_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    assert str(tmp_path / name) in refusal(job_of(), tmp_path / name)


# --- slow pipes -----------------------------------------------------------------------


def soon(call: Callable[[], Found]) -> Found:
    """Calls in a thread of its own; fails where the call does not return soon."""
    results: Queue[Found] = Queue()
    Thread(target=lambda: results.put(call()), daemon=True).start()
    return results.get(timeout=10)


def batch_texts(batches: Iterator[list[Entry]]) -> list[str]:
    return [article.text.rstrip("\n") for article in next(batches)]


def test_first_article_of_a_slow_pipe_does_not_wait_for_the_others() -> None:
    ours, theirs = os.pipe()
    with open(ours, "rb") as stream, open(theirs, "wb", buffering=0) as pipe:
        batches = ready_batches(Stream(stream, "stdin").lines(CorpusFormat()), 8)
        for line in (HAN, "新华社", "央行"):
            pipe.write(f"{line}\n".encode())
            assert soon(lambda: batch_texts(batches)) == [line]
        pipe.close()
        assert soon(lambda: list(batches)) == []


# --- files that are not quite as they should be ---------------------------------------


def csv_rows(path: Path, **settings: Any) -> list[list[str]]:
    return [*csv.reader(io.StringIO(run(job_of(**settings), path)))]


def test_surplus_fields_follow_the_headline(tmp_path: Path) -> None:
    lines = ["content,注", f"{HAN},a,b,c", f"{HAN},a,,", f"{HAN},a"]
    path = write(tmp_path / "a.csv", "\n".join(lines) + "\n")

    found = csv_rows(path)

    assert found[1] == [HAN, "a", "", "b", "c"]
    assert found[2] == [HAN, "a", HAN[:3], "", ""]
    assert found[3] == [HAN, "a", HAN[:3]]


def test_an_article_that_was_cut_at_its_commas_is_whole_again(tmp_path: Path) -> None:
    told: list[str] = []
    lines = ["title,content,,", "甲,央,行,降,准", "乙,,", "丙,央,行,"]
    path = write(tmp_path / "a.csv", "\n".join(lines) + "\n")
    form = CorpusFormat(tell=told.append)

    articles = entries_of(path, form)

    assert [article.text for article in articles] == ["央,行,降,准", "", "央,行"]
    assert [article.problem for article in articles] == [None, None, None]
    assert [line.rpartition(", ")[2] for line in told] == [
        "row 2: 5 instead of 4 columns",
        "row 4: 4 instead of 2 columns",
    ]


def test_a_short_row_that_has_its_article_gets_a_headline(tmp_path: Path) -> None:
    told: list[str] = []
    lines = ["id,content,注,记", f"1,{HAN}", "2", f"3,{HAN},x,y"]
    path = write(tmp_path / "a.csv", "\n".join(lines) + "\n")

    found = [*csv.reader(io.StringIO(run(job_of(tell=told.append), path)))]

    assert found[1:] == [
        ["1", HAN, "", "", HAN[:3]],
        ["2", "", "", "", ""],
        ["3", HAN, "x", "y", HAN[:3]],
    ]
    assert told == [f"{path}, row 3: 1 instead of 4 columns"]


@pytest.mark.parametrize("mark", ["", "sep=;\n"])
def test_a_table_comes_back_with_its_delimiter(tmp_path: Path, mark: str) -> None:
    path = write(tmp_path / "a.csv", f"{mark}content;注\n{HAN};a,b\n")

    assert run(job_of(), path) == f"{mark}content;注;headline\n{HAN};a,b;{HAN[:3]}\n"


def test_a_tsv_file_without_quoting_comes_back_without(tmp_path: Path) -> None:
    lines = ["title\tcontent", f'"甲\t{HAN}', f'乙\t"{HAN}', f'"丙"丁\t{HAN}"']
    path = write(tmp_path / "a.tsv", "\n".join(lines) + "\n")

    found = run(job_of(), path).splitlines()

    assert [line.rpartition("\t")[0] for line in found] == lines


def test_values_that_are_no_text_are_told_and_what_json_lacks_is_null(
    tmp_path: Path,
) -> None:
    told: list[str] = []
    lines = [
        json.dumps({"text": [HAN[:4], [HAN[4:]]], "x": [math.nan, {"y": -math.inf}]}),
        json.dumps({"text": {"a": 1}}),
        '{"text": NaN, "x": 1e999}',
    ]
    path = write(tmp_path / "a.jsonl", "\n".join(lines) + "\n")

    def no_constant(name: str) -> None:
        raise AssertionError(name)

    first, second, third = (
        json.loads(line, parse_constant=no_constant)
        for line in run(job_of(tell=told.append), path).splitlines()
    )

    assert first["headline"] == HAN[:3] and first["x"] == [None, {"y": None}]
    assert "got an object" in second["error"] and second["headline"] == ""
    assert third == {"text": None, "x": None, "headline": ""}
    assert (
        len(told) == 1
        and "row 2: 'text' must be text or a list of texts; got an object" in told[0]
    )


def test_controls_may_be_what_pandas_writes(tmp_path: Path) -> None:
    config = DecodeConfig()
    own = {"max_length": 20.0, "prefix": None, "min_length": math.nan, "avoid": ["囧"]}
    own |= {"exact_numbers": 0.0, "length_penalty": 1}
    path = write(tmp_path / "a.jsonl", json.dumps({"text": HAN, "options": own}))

    (article,) = entries_of(path, CorpusFormat(), config)

    assert article.problem is None and article.config is not None
    assert article.config == replace(
        config, max_length=20, avoid=("囧",), exact_numbers=False, length_penalty=1
    )
    assert type(article.config.max_length) is int


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-16-be", "big5"])
@pytest.mark.parametrize("lines", [True, False])
def test_stdin_is_read_in_the_encoding_that_it_is_in(
    encoding: str, lines: bool
) -> None:
    told: list[str] = []
    text = "中央銀行今日宣布，下調存款準備金率。\n"
    job = job_of(lines=lines, note=told.append)

    assert piped(job, text.encode(encoding)).startswith(text[:3])
    assert len(told) == 1 and told[0].startswith("stdin: detected encoding ")


def test_the_first_line_that_is_no_ascii_decides_for_a_slow_pipe() -> None:
    ours, theirs = os.pipe()
    with open(ours, "rb") as stream, open(theirs, "wb", buffering=0) as pipe:
        batches = ready_batches(Stream(stream, "pipe").lines(CorpusFormat()), 8)
        for line in ("WTO", HAN, "央行"):
            pipe.write(f"{line}\n".encode("gb18030"))
            assert soon(lambda: batch_texts(batches)) == [line]
        pipe.close()
        assert soon(lambda: list(batches)) == []


def test_a_text_that_holds_many_documents_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", f"<doc id=0>\n<short_text>\n{HAN}\n</short_text>")

    assert "<doc>" in refusal(job_of(), path)


def test_a_text_in_another_encoding_than_the_named_one_is_refused(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "a.txt", HAN, "gb18030")

    assert "is not valid utf-8" in refusal(job_of(encoding="utf-8"), path)


@pytest.mark.parametrize("lines", [True, False])
def test_a_damaged_gzip_on_stdin_is_told(lines: bool) -> None:
    whole = gzip.compress(os.urandom(5_000).hex().encode())

    assert "stdin is damaged" in refusal(job_of(lines=lines), whole[:-1000])
