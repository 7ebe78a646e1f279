"""The same rows in any format give the same dataset, the same scores and headlines."""

import csv
import json
import re
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from headline.api.prepare import prepare
from headline.cli.main import main
from headline.errors import HeadlineError
from tests.formats.test_opens import MODEL, opens
from tests.reading import ARTICLE
from tests.written import WRITERS, Record, records, written

FORMATS = [name for name in WRITERS if name != "news.csv"]
# What `generate` writes, where that is not the format of the input.
WRITTEN = {"texts": ".csv", "saved": ".parquet"}
TITLE, CONTENT = "title", "content"


def corpus(count: int = 60) -> list[Record]:
    """Rows of which some are rejected: too short, blank, and duplicates."""
    with open(Path(__file__).parents[2] / "data" / "sample.csv", encoding="utf-8") as f:
        found = [dict(row) for row in islice(csv.DictReader(f), count)]
    found[3] = {TITLE: "", CONTENT: ARTICLE + "。"}
    found[11] = {TITLE: "央行降准", CONTENT: "短"}
    found[17] = dict(found[16])
    return found


def output_of(name: str) -> str:
    return "out" + WRITTEN.get(name, name[name.index(".") :] if "." in name else "")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of the CSV file."""
    folder = tmp_path_factory.mktemp("csv")
    prepared(written(folder, "news.csv", corpus()), folder / "data")
    return folder / "data"


def prepared(path: Path, folder: Path) -> None:
    prepare(path, folder, valid_size=0.1, test_size=0.1, min_count=1)


@pytest.mark.parametrize("name", FORMATS)
def test_the_dataset_is_that_of_the_csv_file(
    tmp_path: Path, dataset: Path, name: str
) -> None:
    path = written(tmp_path, name, corpus())

    prepared(path, tmp_path / "data")

    files = sorted(file.name for file in dataset.iterdir())
    assert sorted(file.name for file in (tmp_path / "data").iterdir()) == files
    for file in set(files) - {"data.json", "rejects.csv", "report.html"}:
        assert (tmp_path / "data" / file).read_bytes() == (dataset / file).read_bytes()
    assert facts(tmp_path / "data", path) == facts(dataset, dataset.parent / "news.csv")
    assert page(tmp_path / "data", path) == page(dataset, dataset.parent / "news.csv")


def page(folder: Path, path: Path) -> str:
    """What report.html tells, but for the name and the numbers of rows."""
    told = (folder / "report.html").read_text("utf-8").replace(str(path), "NAME")
    return re.sub(r"row \d+", "row", told)


def facts(folder: Path, path: Path) -> tuple[str, list[list[str]]]:
    """What data.json and rejects.csv tell, but for the name and the numbers of rows."""
    told = json.loads((folder / "data.json").read_text("utf-8"))
    told.pop("files", None)
    with (folder / "rejects.csv").open(encoding="utf-8") as stream:
        rejects = [[row["reason"], row["excerpt"]] for row in csv.DictReader(stream)]
    assert len(rejects) == 3
    text = json.dumps(told, ensure_ascii=False, sort_keys=True)
    return text.replace(json.dumps(str(path), ensure_ascii=False), "NAME"), rejects


def run(*arguments: str | int | Path) -> None:
    main([*map(str, arguments)], standalone_mode=False)


@pytest.fixture(scope="module")
def headlines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The headlines for the CSV file."""
    folder = tmp_path_factory.mktemp("csv")
    path = written(folder, "news.csv", corpus())
    run("generate", "-m", MODEL, path, "-o", folder / "out.csv", "--workers", 1)
    found = [row["headline"] for row in records(folder / "out.csv")]
    assert len(set(found)) > 30
    return found


@pytest.mark.parametrize("name", FORMATS)
def test_the_headlines_are_those_of_the_csv_file(
    tmp_path: Path, headlines: list[str], name: str
) -> None:
    path, output = written(tmp_path, name, corpus()), tmp_path / output_of(name)

    run("generate", "-m", MODEL, path, "-o", output, "--workers", 1)

    found = records(output)
    assert [row["headline"] or "" for row in found] == headlines
    # All else is as it was, in the same order.
    for row, before in zip(found, corpus(), strict=True):
        assert {key: row[key] or "" for key in before} == before
        more = [name for name in ("file", "human_label") if name in row]
        assert list(row) == [*more, *before, "headline"]


@pytest.mark.parametrize("name", FORMATS)
def test_scores_and_several_headlines_are_added(tmp_path: Path, name: str) -> None:
    path, output = written(tmp_path, name, corpus(20)[:3]), tmp_path / output_of(name)
    more = ["--with-scores", "--num-headlines", "2"]
    # Until a .txt file is read, it may be plain text, which has no columns.
    column = "headline" if name.endswith(".txt") else "new"
    more += ["--headline-column", column] * (column == "new")

    run("generate", "-m", MODEL, path, "-o", output, *more)

    for row in records(output):
        if "scores" in row:  # objects have lists
            assert row[f"{column}s"][0] == row[column]
            assert len(row["scores"]) == len(row[f"{column}s"]) == 2
            continue
        assert row[column] and row[column] != row[f"{column}_2"]
        assert float(row[f"{column}_score"]) >= float(row[f"{column}_2_score"])
        is_typed = output.suffix in (".parquet", ".xlsx")
        assert isinstance(row[f"{column}_score"], float if is_typed else str)


@pytest.mark.parametrize("name", FORMATS)
def test_the_scores_are_those_of_the_csv_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    tables = []
    for each in ("news.csv", name):
        path = written(tmp_path, each, corpus(20))
        run("evaluate", "-m", MODEL, path, "--json", "--workers", 1)
        found = json.loads(capsys.readouterr().out)
        assert found["articles"] == 19
        tables.append(
            {key: found[key] for key in found.keys() - {"articles_per_second"}}
        )

    assert tables[0] == tables[1]


@pytest.mark.parametrize("name", FORMATS)
def test_each_file_is_opened_once(tmp_path: Path, name: str) -> None:
    path, output = written(tmp_path, name, corpus(30)), tmp_path / output_of(name)
    files = [path] if path.is_file() else [*path.rglob("*.*")]
    suffixes = (".arrow", ".txt", *path.suffixes)
    names = [file.name for file in files if file.suffix in suffixes]

    for command in (
        ("prepare", path, "-o", tmp_path / "data"),
        ("generate", "-m", MODEL, path, "-o", output),
    ):
        found = opens(*command)
        assert {each: found[each] for each in names} == dict.fromkeys(names, 1)


@pytest.mark.parametrize("name", FORMATS)
def test_only_the_package_that_is_needed_is_loaded(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, name, corpus(20))
    code = (
        "import sys; from headline.api.prepare import prepare\n"
        "prepare(sys.argv[1], sys.argv[2], min_count=1, valid_size=0, test_size=0)\n"
        "print({'pyarrow', 'openpyxl', 'zstandard', 'pandas'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path, tmp_path / "data"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert eval(done.stdout) == needed(name)


def needed(name: str) -> set[str]:
    """The optional packages that a format needs."""
    packages = {
        "saved": "pyarrow",
        ".parquet": "pyarrow",
        ".xlsx": "openpyxl",
        ".zst": "zstandard",
    }
    return {packages[suffix] for suffix in packages if suffix in name}


@pytest.mark.parametrize("name", [name for name in FORMATS if needed(name)])
def test_a_missing_package_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = written(tmp_path, name, corpus(20))
    (package,) = needed(name)
    for module in [*sys.modules]:
        if module.partition(".")[0] == package:
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(sys, "meta_path", [Missing(package), *sys.meta_path])

    with pytest.raises(HeadlineError) as caught:
        prepared(path, tmp_path / "data")

    message = str(caught.value)
    assert path.name in message and "pip install 'headline[" in message
    assert "\n" not in message


class Missing:
    """Makes a package look as if it were not installed."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(self, name: str, *_: object) -> None:
        if name.partition(".")[0] == self.package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.mark.parametrize("name", FORMATS)
def test_what_breaks_off_is_told_in_one_line(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, name, corpus())
    if name == "texts":
        pytest.skip("a shorter text is a text")
    for file in [path] if path.is_file() else path.rglob("*.arrow"):
        content = file.read_bytes()
        file.write_bytes(content[: len(content) * 2 // 3])

    try:
        prepared(path, tmp_path / "data")
    except HeadlineError as error:
        assert "is damaged" in str(error) and "\n" not in str(error)
    else:  # in an array, what came before is used
        with (tmp_path / "data" / "rejects.csv").open(encoding="utf-8") as stream:
            last = [*csv.DictReader(stream)][-1]
        assert last["reason"] == "unreadable row"
        assert "ends before" in last["excerpt"] or "not closed" in last["excerpt"]
        assert ".json" in name or ".txt" in name


@pytest.mark.parametrize("name", FORMATS)
def test_a_csv_file_with_another_suffix_is_refused(tmp_path: Path, name: str) -> None:
    if not needed(name) or "csv" in name or name in WRITTEN:
        pytest.skip("it is read by its content, or is a folder")
    path = written(tmp_path, "news.csv", corpus()).rename(tmp_path / name)

    with pytest.raises(HeadlineError, match="is not a"):
        prepared(path, tmp_path / "data")
