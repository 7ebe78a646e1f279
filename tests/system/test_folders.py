"""All old files or all new ones, whenever the process dies; and one writer."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headline.errors import HeadlineError, LockedError
from headline.system import folders
from headline.system.folders import (
    LOCK,
    NEXT,
    SCRATCH,
    located,
    locked,
    replacing_files,
    tidy,
)

LAST = "index"
OLD = {"a": "old a", "b": "old b", LAST: "old"}
NEW = {"b": "new b", "a": "new a", LAST: "new"}


def write(folder: Path, content: dict[str, str]) -> None:
    with replacing_files(folder, LAST) as scratch:
        for name, text in content.items():
            (scratch / name).write_text(text)


def read(folder: Path) -> dict[str, str]:
    return {name: located(folder, name).read_text() for name in OLD}


class Killed(BaseException):
    """As SIGKILL: nothing that would clean up can run."""


def dying_after(calls: int, function: Callable[..., Any]) -> Callable[..., Any]:
    left = iter(range(calls))

    def call(*args: Any) -> Any:
        if next(left, None) is None:
            raise Killed
        return function(*args)

    return call


@pytest.mark.parametrize("steps", range(6))
def test_at_every_step_there_is_one_whole_set(
    steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The steps of the change: the new files get their name, then move one by one."""
    write(tmp_path, OLD)
    with monkeypatch.context() as patch:
        rename, replace = Path.rename, os.replace
        patch.setattr(Path, "rename", dying_after(min(steps, 1), rename))
        patch.setattr(os, "replace", dying_after(max(steps - 1, 0), replace))
        try:
            write(tmp_path, NEW)
        except Killed:
            assert steps < 4
    assert read(tmp_path) == (OLD if steps == 0 else NEW)
    # The next writer ends what was begun, and its own.
    write(tmp_path, OLD)
    assert {path.name for path in tmp_path.iterdir()} == OLD.keys()
    assert read(tmp_path) == OLD


def test_a_body_that_fails_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path, OLD)
    with pytest.raises(ZeroDivisionError), replacing_files(tmp_path, LAST) as scratch:
        (scratch / "a").write_text("half")
        raise ZeroDivisionError
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == OLD


def test_a_full_disk_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders, "sync_folder", full)
    with pytest.raises(HeadlineError, match=r"cannot write .*No space left"):
        write(tmp_path, NEW)


def test_what_a_killed_writer_left_goes_and_nothing_else(tmp_path: Path) -> None:
    for name in (f"{SCRATCH}x7", ".report.html.k2", ".git.d", "report.html", NEXT):
        (tmp_path / name).mkdir()
    tidy(tmp_path, ["report.html"])
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {".git.d", "report.html", NEXT}


HOLDER = """
import sys
from pathlib import Path
from headline.system.folders import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_lock_goes_with_its_process_however_it_ends(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    command = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(command, stdin=-1, stdout=-1) as holder:
        assert holder.stdout is not None and holder.stdout.readline()
        with pytest.raises(LockedError, match="another process"), locked(folder):
            pass
        holder.kill()
        holder.wait()
        assert (folder / LOCK).exists()  # stale, and in nobody's way
        with locked(folder):
            (folder / "file").touch()
    assert [path.name for path in folder.iterdir()] == ["file"]


def test_an_empty_folder_is_not_left(tmp_path: Path) -> None:
    with locked(tmp_path / "a" / "b"):
        pass
    assert not (tmp_path / "a" / "b").exists()
