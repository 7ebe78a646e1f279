"""What an option names as its output is written as what it is."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner, Result

from headline.bundle import model_files, save_bundle
from headline.cli.main import main
from headline.errors import HeadlineError
from headline.system.outputs import (
    STDOUT,
    check_output,
    check_outputs,
    descriptor_of,
    output_stream,
)
from tests.corpora import bracket_pairs, write_pairs
from tests.scripted import tiny_bundle

pytestmark = pytest.mark.skipif(os.name != "posix", reason="devices, pipes, links")

TEXT = "标题\n"


def write(path: Path, text: str = TEXT) -> None:
    with output_stream(path) as stream:
        stream.write(text)


def refused(path: Path) -> str:
    """The line that refuses an output, before work is done and when it is opened."""
    with pytest.raises(HeadlineError) as early:
        check_output(path)
    with pytest.raises(HeadlineError) as late, output_stream(path):
        pass
    assert str(early.value) == str(late.value) and "\n" not in str(late.value)
    return str(late.value)


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


# --- what is written to as it is ------------------------------------------------------


def device(path: Path, minor: int) -> Path:
    """A device of our own: the machine's would be destroyed by what is tested here."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, minor))
        os.close(os.open(path, os.O_WRONLY))
    except PermissionError:
        pytest.skip("needs the rights to make a device")
    return path


def test_a_device_stays_one(tmp_path: Path) -> None:
    null = device(tmp_path / "null", 3)
    write(null)
    assert stat.S_ISCHR(null.stat().st_mode)
    assert os.listdir(tmp_path) == ["null"]


def test_a_full_device_is_told(tmp_path: Path) -> None:
    full = device(tmp_path / "full", 7)
    with pytest.raises(HeadlineError, match=r"cannot write .*/full: No space left"):
        write(full)
    assert stat.S_ISCHR(full.stat().st_mode)


def test_a_fifo_gets_the_text(tmp_path: Path) -> None:
    fifo, found = tmp_path / "fifo", bytearray()
    os.mkfifo(fifo)
    reader = Thread(target=lambda: found.extend(fifo.read_bytes()))
    reader.start()
    write(fifo)
    reader.join()
    assert found.decode() == TEXT and stat.S_ISFIFO(fifo.stat().st_mode)


def test_a_socket_of_the_file_system_is_told(tmp_path: Path) -> None:
    place = tmp_path / "socket"
    os.mknod(place, stat.S_IFSOCK | 0o666)
    with pytest.raises(HeadlineError, match="cannot write"), output_stream(place):
        pass
    assert stat.S_ISSOCK(place.stat().st_mode)


@pytest.mark.parametrize("name", ["/dev/fd/{}", "/proc/self/fd/{}", "link"])
def test_a_descriptor_gets_the_text(name: str, tmp_path: Path) -> None:
    """What a shell makes of ``>(…)``."""
    with pipe() as (here, there):
        path = Path(name.format(there))
        if name == "link":
            path = tmp_path / name
            path.symlink_to(f"/dev/fd/{there}")
        assert descriptor_of(path) == there
        write(path)
        assert os.read(here, 100).decode() == TEXT


def test_a_file_that_a_shell_has_opened_is_gone_on_with(tmp_path: Path) -> None:
    place = tmp_path / "log"
    with place.open("w") as opened:
        print("first", file=opened, flush=True)
        write(Path(f"/dev/fd/{opened.fileno()}"))
        print("last", file=opened)
    assert place.read_text() == f"first\n{TEXT}last\n"


def test_a_reader_that_has_gone_is_no_error_of_the_file() -> None:
    here, there = os.pipe()
    os.close(here)
    try:
        with pytest.raises(BrokenPipeError):
            write(Path(f"/dev/fd/{there}"))
    finally:
        os.close(there)


def test_a_closed_descriptor_is_told() -> None:
    with pipe() as ends:
        pass
    with pytest.raises(HeadlineError, match="cannot write"):
        write(Path(f"/dev/fd/{ends[1]}"))


# --- what is replaced -----------------------------------------------------------------


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    place, link, more = (tmp_path / name for name in ("deep/file", "link", "more"))
    place.write_text("old")
    link.symlink_to("deep/file")
    more.symlink_to(link)
    write(more)
    assert more.is_symlink() and link.is_symlink() and not place.is_symlink()
    assert place.read_text() == TEXT and os.listdir(place.parent) == ["file"]


def test_a_link_to_nothing_gets_its_file(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("file")
    write(link)
    assert link.is_symlink() and (tmp_path / "file").read_text() == TEXT


def test_a_loop_of_links_is_told(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("link")
    assert "Too many levels" in refused(link)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path) == f"cannot write {tmp_path}: it is a folder"
    (tmp_path / "file").touch()
    assert "Not a directory" in refused(tmp_path / "file" / "a.csv")
    assert "too long" in refused(tmp_path / ("长" * 86))


def test_a_folder_that_nobody_may_write_to_is_told_at_once(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    assert "no permission" in refused(tmp_path / "a.csv")
    tmp_path.chmod(0o700)


# --- what must not be written ---------------------------------------------------------


def test_two_outputs_are_never_one_file(tmp_path: Path) -> None:
    place, link = tmp_path / "a", tmp_path / "b"
    link.symlink_to("a")
    for there in (False, True):
        if there:
            place.touch()
        for other in (place, link, tmp_path / "x" / ".." / "a"):
            (tmp_path / "x").mkdir(exist_ok=True)
            with pytest.raises(HeadlineError, match=r"--two .* what --one writes"):
                check_outputs({"--one": place, "--two": other}, {})
    with pytest.raises(HeadlineError, match="would overwrite"):
        check_outputs({"--one": place}, {"an input": [link]})
    with pipe() as (_, there_):
        end = Path(f"/dev/fd/{there_}")
        with pytest.raises(HeadlineError, match="would overwrite"):
            check_outputs({"--one": end, "--two": end}, {})
    null = Path(os.devnull)
    check_outputs({"--one": null, "--two": null, "--three": None}, {})
    check_outputs({"--one": place, "--two": tmp_path / "c"}, {"an input": [tmp_path]})


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """A folder with a model, a corpus, a text and a dataset."""
    save_bundle(tmp_path / "m", tiny_bundle("天地玄黄"))
    corpus = write_pairs(tmp_path / "a.csv", bracket_pairs(60))
    (tmp_path / "a.txt").write_text("天地玄黄", "utf-8")
    (tmp_path / "link").symlink_to("m")
    sizes = ["--valid-size", "0.2", "--test-size", "0.2"]
    assert headline("prepare", corpus, "-o", tmp_path / "d", *sizes).exit_code == 0
    return tmp_path


def headline(*args: str | Path, stdin: str = "天地") -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args], input=stdin)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    "command",
    [
        "generate -m m -o x --explain x",
        "generate -m m --explain -",
        "generate -m m -o - --explain -",
        "generate -m m -o m/weights.safetensors",
        "generate -m link --explain m/config.json",
        "generate -m m a.txt -o a.txt",
        "generate -m m a.csv -o out.csv --explain a.csv",
        "generate -m m a.csv -o a.csv --explain a.csv",
        "generate -m m -o newdir/",
        "generate -m m -o .",
        "generate -m m -o d",
        "generate -m m --explain newdir/",
        "generate -m m --explain d",
        "evaluate -m m a.csv -o d",
        "evaluate -m m a.csv -o a.csv",
        "evaluate -m m a.csv -o newdir/",
        "evaluate -m m a.csv -o link/vocab.json",
        "evaluate -m m a.csv --compare a.txt -o a.txt",
        "prepare d/test.csv -o d --overwrite",
        "prepare a.csv --unpaired d/valid.csv -o d --overwrite",
        "train d -o d",
        "train d -o d --overwrite",
        "train d -o d --find-lr",
        "train d -o x --tensorboard d",
        "train d -o m --init-from link --overwrite",
        # What is no file.
        "evaluate -m m -",
        "prepare - -o x",
        "prepare a.csv --unpaired - -o x",
        "generate -m m - a.txt",
        "prepare a.csv -o -",
        "train - -o x",
    ],
)
def test_a_command_refuses_in_one_line_what_would_be_lost(
    command: str, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(places)
    before = contents(places)
    result = headline(*command.split())
    assert result.exit_code == 1 and result.stdout == "", result.output
    assert result.stderr.startswith("Error: ") and result.stderr.count("\n") == 1
    assert contents(places) == before


def test_other_files_may_lie_in_the_folder_of_a_model(places: Path) -> None:
    output = places / "m" / "predictions.csv"
    for _ in range(2):  # also where it is there
        result = headline(
            "evaluate", "-m", places / "m", places / "a.csv", "-o", output
        )
        assert result.exit_code == 0, result.output
    assert output.read_text("utf-8").startswith("reference,")
    assert {path.name for path in model_files(places / "m")} >= {"vocab.json"}


def test_a_table_may_take_its_own_place_if_no_row_is_lost(places: Path) -> None:
    corpus, model = places / "a.csv", places / "m"
    rows = corpus.read_text("utf-8").splitlines()
    assert headline("generate", "-m", model, corpus, "-o", corpus).exit_code == 0
    found = corpus.read_text("utf-8").splitlines()
    assert found[0] == "title,content,headline" and len(found) == len(rows)
    assert all(new.startswith(old) for new, old in zip(found, rows, strict=True))

    damaged = b"title,content\na,b\na,\xff\n"
    corpus.write_bytes(damaged)
    result = headline("generate", "-m", model, corpus, "-o", corpus)
    assert result.exit_code == 1 and "row 3" in result.stderr
    assert "give -o another file" in result.stderr
    assert corpus.read_bytes() == damaged


def test_predictions_on_stdout_come_alone(places: Path) -> None:
    result = headline("evaluate", "-m", places / "m", places / "a.csv", "-o", STDOUT)
    assert result.exit_code == 0 and "ROUGE-L" in result.stderr
    assert len(result.stdout.splitlines()) == 61
    assert result.stdout.startswith("reference,headline")


@pytest.mark.parametrize("option", ["-", "no FILES"])
def test_a_dash_is_stdin_and_stdout(option: str, places: Path) -> None:
    given = ["-", "-o", "-"] if option == "-" else []
    result = headline("generate", "-m", places / "m", *given, stdin="玄黄天地" * 9)
    assert result.exit_code == 0 and len(result.stdout) > 1


def test_a_file_that_is_called_a_dash_has_its_folder_before_it(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(places)
    result = headline("generate", "-m", "m", "-o", "./-")
    assert result.exit_code == 0 and result.stdout == ""
    assert (places / "-").read_text("utf-8").count("\n") == 1


def test_a_home_folder_that_no_shell_has_filled_in(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(places))
    monkeypatch.setenv("HEADLINE_MODEL", "~/m")
    assert headline("generate").exit_code == 0
    assert headline("generate", "--model=~/m", "--output=~/o").exit_code == 0
    assert (places / "o").exists()
    monkeypatch.chdir(places)
    (places / "~").mkdir()
    save_bundle(places / "~" / "m", tiny_bundle("天地"))
    (places / "m" / "vocab.json").unlink()
    assert headline("generate").exit_code == 0  # a folder of that very name
