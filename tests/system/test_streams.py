"""Standard streams that are full, closed, or that nobody reads: every command."""

import os
import socket
import subprocess
import sys
from io import BufferedWriter, FileIO
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from headline.bundle import save_bundle
from headline.system.streams import Result
from tests.commands import HEADLINE
from tests.corpora import bracket_pairs, write_pairs
from tests.scripted import tiny_bundle
from tests.stress.streams import TOO_MANY, Done, run

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

pytestmark = pytest.mark.skipif(os.name != "posix", reason="closes descriptors")

COMMANDS = [
    "--help",
    "--version",
    "prepare --help",
    "train --help",
    "evaluate --help",
    "generate --help",
    "prepare c.csv -o d --overwrite",
    "evaluate -m m c.csv",
    "evaluate -m m c.csv -o -",
    "generate -m m",
    "generate -m m --lines",
    "generate -m m -o /dev/stdout",
    "generate -m m c.csv",
    "generate -m m c.csv --workers 2 --batch-size 9",
    "generate -m m c.csv -o - --explain page.html",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and a corpus."""
    folder = tmp_path_factory.mktemp("streams")
    save_bundle(folder / "m", tiny_bundle("天地玄黄"))
    write_pairs(folder / "c.csv", bracket_pairs(40))
    return folder


@pytest.fixture(autouse=True)
def _inside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def assert_one_error(done: Done, part: str) -> None:
    assert done.code == 1, done
    assert "Traceback" not in done.stderr and "ignored" not in done.stderr, done
    assert part in done.error and done.stderr.count("Error: ") == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_a_result_that_cannot_be_delivered_is_told(command: str) -> None:
    args = command.split()
    name = "/dev/stdout" if "/dev/stdout" in args else "stdout"
    assert_one_error(run(args, stdout="full"), f"cannot write {name}: No space left")
    assert_one_error(run(args, stdout="closed"), f"cannot write {name}: it is closed")
    assert not Path("page.html").exists()


@pytest.mark.parametrize("command", ["--help", "generate -m m", "evaluate -m m c.csv"])
def test_a_reader_that_has_gone_ends_it_silently(command: str) -> None:
    assert run(command.split(), stdout="gone") == Done(1)


def test_it_ends_at_once_though_more_lines_may_come() -> None:
    command = [*HEADLINE, "generate", "-m", "m", "--lines"]
    with (
        open("/dev/full", "wb") as full,
        subprocess.Popen(command, stdin=-1, stdout=full, stderr=-1) as process,
    ):
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write("天地\n".encode())
        process.stdin.flush()  # and it stays open
        assert process.wait(10) == 1
        assert process.stderr.read().count(b"\n") == 1


@pytest.mark.parametrize(
    "command", ["--help", *COMMANDS[6:8], "generate -m m", "wrong"]
)
def test_a_lost_story_changes_nothing(command: str) -> None:
    args = command.split()
    usual = run(args)
    for state in ("full", "closed"):
        done = run(args, stderr=state)
        assert done.code == usual.code
        if "evaluate" not in args:  # it tells its speed
            assert done.stdout == usual.stdout
    assert run(args, stdout="full", stderr="full").code == (usual.code or 1)


@pytest.mark.parametrize("command", ["generate -m m", "generate -m m - --lines"])
def test_a_closed_stdin_is_told(command: str) -> None:
    done = run(command.split(), stdin="closed")
    assert_one_error(done, "cannot read stdin: it is closed")


def test_nobody_else_needs_stdin() -> None:
    for command in (COMMANDS[0], COMMANDS[6], COMMANDS[12]):
        done = run(command.split(), stdin="closed")
        assert done.code == 0 and done.stdout, command


def test_a_result_in_a_file_needs_no_stdout(folder: Path) -> None:
    for state in ("full", "closed", "gone"):
        args = ["generate", "-m", "m", "c.csv", "-o", "out.csv"]
        done = run(args, stdin="closed", stdout=state)
        assert done.code == 0 and done.stderr == ""
        # What is opened takes no number of a stream that is closed.
        text = (folder / "out.csv").read_text("utf-8")
        assert text.startswith("title,content,headline\n") and text.count("\n") == 41


def test_a_result_goes_through_a_socket(folder: Path) -> None:
    """As ``ssh`` and ``inetd`` have it, where no path can be opened."""
    for args in (["-o", "/dev/stdout"], ["-o", "-"], []):
        here, there = socket.socketpair()
        with here, there:
            command = ["generate", "-m", "m", "c.csv", *args]
            subprocess.run([*HEADLINE, *command], stdout=there.fileno(), check=True)
            there.close()
            with here.makefile(encoding="utf-8") as stream:
                assert len(stream.readlines()) == 41


def test_a_pipe_that_does_not_block_is_waited_for() -> None:
    here, there = os.pipe()
    os.set_blocking(there, False)
    found: list[bytes] = []
    with open(here, "rb") as reader:
        thread = Thread(target=lambda: found.append(reader.read()))
        with BufferedWriter(Result(there, "pipe")) as stream:
            for _ in range(9):
                stream.write(b"x" * (1 << 16))  # as much as a pipe holds
                if not thread.is_alive():
                    thread.start()
        thread.join()
    assert found == [b"x" * (9 << 16)]


def test_what_a_signal_has_interrupted_is_never_written_twice() -> None:
    class Stopped(BaseException):
        pass

    class Interrupted(FileIO):
        def write(self, data: "ReadableBuffer", /) -> int:
            super().write(bytes(data)[:3])
            raise Stopped

    class Stream(Result, Interrupted):
        pass

    here, there = os.pipe()
    with open(here, "rb") as reader:
        stream = BufferedWriter(Stream(there, "pipe"))
        stream.write(b"abcdef")
        with pytest.raises(Stopped):
            stream.flush()
        stream.close()
        assert reader.read() == b"abc"


# --- few files ------------------------------------------------------------------------


@pytest.mark.parametrize("files", [8, 16])
@pytest.mark.parametrize(
    "command",
    [
        "prepare c.csv -o few",
        "evaluate -m m c.csv --workers 9 --batch-size 1",
        "generate -m m c.csv --workers 9 --batch-size 1 -o few",
    ],
)
def test_a_limit_of_open_files_is_told_with_the_way_out(
    command: str, files: int
) -> None:
    assert_one_error(run(command.split(), files=files), f"{TOO_MANY}: raise the limit")
    assert not Path("few").exists()


def test_a_module_that_cannot_be_opened_is_told_too() -> None:
    code = """
import builtins
def refuse(name, *more, load=builtins.__import__):
    if name == "headline.cli.main":
        raise ImportError("x.so: cannot open: Too many open files")
    return load(name, *more)
builtins.__import__ = refuse
from headline.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"Error: {TOO_MANY}")


def test_what_the_system_refuses_is_no_bug() -> None:
    for place in ("长" * 86, "m/" * 3000):
        assert_one_error(run(["prepare", "c.csv", "-o", place]), "too long")
