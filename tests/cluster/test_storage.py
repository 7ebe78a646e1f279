"""Shards at object stores, by fsspec's own file systems."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from click.testing import CliRunner, Result

from headline.cli.main import main
from headline.cluster.settings import ShardSettings
from headline.errors import ClusterError, CorpusError, HeadlineError
from headline.formats.tables import CorpusFormat, open_table
from headline.system.storage import (
    LocalFolder,
    StoredFolder,
    StoredPath,
    folder_at,
    matching,
    place_of,
)
from tests.cluster.running import joined, model, opened, plain, run_all, settings_of
from tests.formats.test_every_format import corpus
from tests.generation.test_shards import FILES
from tests.reading import write
from tests.trained import TRAINED
from tests.written import written


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> ShardSettings:
    return settings_of(model(tmp_path_factory.mktemp("model") / "m"))


@pytest.fixture(params=["memory", "file", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a folder at each of fsspec's own stores."""
    if request.param != "memory":
        yield f"{request.param}://{tmp_path}/store"
        return
    files = fsspec.filesystem("memory")
    files.pipe_file("/test/other", b"")
    yield "memory://test"
    files.rm("/test", recursive=True)


def sent(path: Path, address: str) -> Path:
    """Copies a file to a store."""
    files, name = fsspec.core.url_to_fs(f"{address}/{path.name}")
    files.makedirs(name.rpartition("/")[0], exist_ok=True)
    files.pipe_file(name, path.read_bytes())
    return place_of(f"{address}/{path.name}")


@pytest.mark.parametrize("name", [*FILES, "news.csv.gz", "news.parquet", "news.xlsx"])
def test_input_and_output_may_be_at_a_store(
    tmp_path: Path, settings: ShardSettings, name: str, store: str
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    if name in FILES:
        path = write(folder / name, "".join(FILES[name]), "gb18030")
    else:
        path = written(folder, name, corpus(20))
    out = place_of(f"{store}/out")

    run = opened([sent(path, store)], settings, out)
    run_all(run)

    assert len(run.plan.jobs) == 1 or name in FILES
    if name == "news.xlsx":  # a zip file with the time in it
        assert len(joined(out)) > 5000
    else:
        assert joined(out) == plain([path], settings)
    assert run.left() == []
    assert "_SUCCESS" in folder_at(out).sizes()


def test_a_run_at_a_store_goes_on_and_notices_what_changed(
    tmp_path: Path, settings: ShardSettings, store: str
) -> None:
    path = write(tmp_path / "a.csv", "".join(FILES["a.csv"]))
    there, out = sent(path, store), place_of(f"{store}/out")
    run = opened([there], settings, out)
    first, second, *_ = run.left()
    pickle.loads(pickle.dumps(run.worker)).run(pickle.loads(pickle.dumps(first)))
    assert first not in run.left()
    folder_at(out).write(f"_shards/{second.name}.json", b"{half")
    folder_at(out).write(second.name, b"half")
    assert second in run.left()

    run_all(opened([there], settings, out))
    assert joined(out) == plain([path], settings)

    folder_at(out).remove(second.name)
    with pytest.raises(ClusterError, match=f"{second.name} is missing or damaged"):
        joined(out)
    path.write_text("content\nother and more than that, so that its size differs\n")
    sent(path, store)
    with pytest.raises(ClusterError, match=r"a\.csv changed since the run began"):
        run.worker.run(second)


def test_an_address_is_a_path_and_comes_back_whole() -> None:
    path = place_of("s3://news/2024/a.csv.gz")

    assert isinstance(path, StoredPath)
    assert str(path) == f"{path}" == "s3://news/2024/a.csv.gz"
    assert str(path.parent / "b.csv") == "s3://news/2024/b.csv"
    assert (path.name, path.suffix) == ("a.csv.gz", ".gz")
    assert pickle.loads(pickle.dumps(path)) == path
    assert str(pickle.loads(pickle.dumps(path))) == str(path)
    assert place_of("file:///tmp/a.csv") == Path("/tmp/a.csv")
    assert not isinstance(place_of("file:///tmp/a.csv"), StoredPath)
    assert place_of("a/b.csv") == Path("a/b.csv")
    assert type(folder_at(path)) is StoredFolder
    assert type(folder_at(Path("x"))) is LocalFolder


def test_a_pattern_means_the_files_of_a_store(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "a.txt"):
        sent(write(tmp_path / name, "x"), "memory://in")

    found = matching(place_of("memory://in/*.csv"))

    assert [path.name for path in found] == ["a.csv", "b.csv"]
    assert all(path.is_file() and isinstance(path, StoredPath) for path in found)
    with pytest.raises(HeadlineError, match=r"there is no file memory://x/\*\.csv"):
        matching(place_of("memory://x/*.csv"))
    assert matching(Path("*.csv")) == [Path("*.csv")]


def test_what_is_not_there_is_told_in_one_line(store: str) -> None:
    with pytest.raises(CorpusError, match=r"cannot read .*/no\.csv: .*"):
        open_table(place_of(f"{store}/no.csv"), CorpusFormat())
    with pytest.raises(HeadlineError, match=r"nostore://x is at no known kind"):
        folder_at(place_of("nostore://x")).sizes()


def headline(*args: object) -> Result:
    return CliRunner().invoke(main, [*map(str, args)])


def test_the_command_reads_and_writes_at_a_store(tmp_path: Path, store: str) -> None:
    path = write(tmp_path / "a.csv", "".join(FILES["a.csv"]))
    address = sent(path, store)
    expected = headline("generate", path, "-m", TRAINED)

    assert headline("generate", address, "-m", TRAINED).stdout == expected.stdout
    if store.startswith("memory"):  # which other processes do not see
        return
    options = ["--rows-per-shard", 3, "--workers", 1, "--output-dir", f"{store}/out"]
    done = headline("generate", address, "-m", TRAINED, *options)
    assert done.exit_code == 0, done.output
    assert headline("cat", f"{store}/out").stdout == expected.stdout


def test_a_missing_file_is_told_with_its_address(tmp_path: Path) -> None:
    missing = headline("generate", "memory://b.csv", "-m", TRAINED)
    assert missing.exit_code == 1
    assert missing.stderr == "Error: there is no file memory://b.csv\n"
    missing = headline("generate", f"file://{tmp_path}/b.csv", "-m", TRAINED)
    assert missing.exit_code == 2 and "b.csv' does not exist" in missing.stderr
