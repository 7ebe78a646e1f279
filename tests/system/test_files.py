"""Files that are whole or not there, however the writing ends."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.errors import BundleError, DataError, HeadlineError
from headline.system.files import (
    check_sha256,
    read_json,
    replacing,
    sha256,
    write_json,
    write_text,
)

KINDS = [HeadlineError, DataError, BundleError]
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('中a\n"'), inner),
    max_leaves=10,
)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*")}


def fault(kind: type[HeadlineError], call: Any, *args: Any) -> str:
    """Returns the message that the call fails with."""
    with pytest.raises(HeadlineError) as caught:
        call(*args)
    assert type(caught.value) is kind
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- replacing ------------------------------------------------------------------------


def test_new_file_takes_the_place_of_the_old_one_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "a.txt"
    write_text(path, "old")

    with replacing(path) as scratch:
        scratch.write_text("new")
        assert path.read_text() == "old"
        assert scratch.name == path.name

    assert contents(path.parent) == {str(path): b"new"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError(28, "full")])
def test_old_file_stays_alone_when_the_body_raises(tmp_path: Path, error: Any) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    with (
        pytest.raises((ValueError, KeyboardInterrupt, HeadlineError)),
        replacing(path) as scratch,
    ):
        scratch.write_text("half")
        raise error

    assert contents(tmp_path) == {str(path): b"old"}


def test_nothing_is_there_when_the_first_writing_raises(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="stop"), replacing(tmp_path / "a") as scratch:
        scratch.write_text("half")
        raise ValueError("stop")

    assert contents(tmp_path) == {}


def test_file_has_the_mode_of_the_umask(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "a.txt"

    write_text(path, "text")

    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


def test_what_the_system_refuses_is_one_line_with_the_path(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "text")
    path = tmp_path / "file" / "a.txt"

    message = fault(HeadlineError, write_text, path, "text")

    assert message.startswith(f"cannot write {path}: ")


def test_text_is_utf8_with_plain_line_ends(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "中文\n二\r\n")

    assert (tmp_path / "a.txt").read_bytes() == "中文\n二\r\n".encode()


# --- JSON -----------------------------------------------------------------------------


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), json_values))
def test_json_comes_back(
    tmp_path_factory: pytest.TempPathFactory, value: dict[str, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "round_trip.json"

    write_json(path, value)

    assert read_json(path, DataError) == value


def test_chinese_in_json_can_be_read_by_eye(tmp_path: Path) -> None:
    path = tmp_path / "a.json"

    write_json(path, {"标题": "央行降息"})

    text = path.read_text(encoding="utf-8")
    assert '"标题": "央行降息"' in text
    assert text.endswith("}\n")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "not valid JSON"),
        (b'{"a": 1', "not valid JSON"),
        (b'{"a": "\xff"}', "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"[1]", "no JSON object"),
        (b"null", "no JSON object"),
    ],
)
def test_damaged_json_is_an_error_of_the_kind_asked_for(
    tmp_path: Path, kind: type[HeadlineError], content: bytes, problem: str
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)

    message = fault(kind, read_json, path, kind)

    assert message.startswith(f"{path} is damaged: ")
    assert problem in message


@pytest.mark.parametrize("kind", KINDS)
def test_missing_json_is_an_error_of_the_kind_asked_for(
    tmp_path: Path, kind: type[HeadlineError]
) -> None:
    path = tmp_path / "a.json"

    assert fault(kind, read_json, path, kind) == f"{path} is missing"
    path.mkdir()
    assert fault(kind, read_json, path, kind).startswith(f"cannot read {path}: ")


# --- checksums ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_changed_or_missing_bytes_are_an_error_of_the_kind_asked_for(
    tmp_path: Path, kind: type[HeadlineError]
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    expected = sha256(path)

    check_sha256(path, expected, kind)
    path.write_bytes(b"abd")
    assert fault(kind, check_sha256, path, expected, kind).startswith(f"{path} is dam")
    path.unlink()
    assert fault(kind, check_sha256, path, expected, kind).startswith("cannot read")


@given(st.binary())
def test_checksum_is_that_of_all_bytes(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "checksum.bin"
    path.write_bytes(content)

    assert sha256(path) == hashlib.sha256(content).hexdigest()


# --- scratch folders ------------------------------------------------------------------

posix = pytest.mark.skipif(os.name != "posix", reason="modes, owners and locks")


@posix
def test_a_file_that_is_replaced_keeps_mode_and_owner(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(0o604)
    if os.geteuid() == 0:
        os.chown(path, 12, 34)
    before = path.stat()

    write_text(path, "new")

    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )
    assert path.read_text() == "new"


@posix
def test_a_file_that_is_replaced_keeps_its_extended_attributes(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    try:
        os.setxattr(path, "user.origin", b"newsroom")
    except (AttributeError, OSError):
        pytest.skip("no such attributes here")
    write_text(path, "new")
    assert os.getxattr(path, "user.origin") == b"newsroom"


HOLDER = """
import sys
from pathlib import Path
from headline.system.files import replacing_text
with replacing_text(Path(sys.argv[1])) as stream:
    stream.write(sys.argv[2])
    print("writing", flush=True)
    sys.stdin.read()
"""


@contextmanager
def writing(path: Path, text: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that writes the file, and ends it when its stdin ends."""
    command = [sys.executable, "-c", HOLDER, str(path), text]
    with subprocess.Popen(command, stdin=-1, stdout=-1) as process:
        assert process.stdout is not None and process.stdout.readline()
        yield process


@posix
@pytest.mark.parametrize("name", ["c.csv", "长" * 85])
def test_what_a_killed_run_left_goes_with_the_next(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with writing(path, "half") as process:
        process.kill()
    (left,) = os.listdir(tmp_path)
    assert left.startswith(f".{name[:20]}")

    write_text(path, "new")

    assert contents(tmp_path) == {str(path): b"new"}


@posix
def test_what_a_living_run_writes_stays_and_the_last_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    with writing(path, "slow") as process:
        write_text(path, "quick")
        assert path.read_text() == "quick"
        process.communicate()
    assert contents(tmp_path) == {str(path): b"slow"}


@posix
def test_a_folder_of_somebody_else_stays(tmp_path: Path) -> None:
    names = (".c.csv.backup-1", ".c.csv.v1", ".c.csv.12345678", ".c.csv.abcdefgh")
    for name in names:
        (tmp_path / name).mkdir()
    (tmp_path / names[2] / "notes").touch()
    (tmp_path / names[3] / "c.csv").touch()

    write_text(tmp_path / "c.csv", "new")

    assert {*os.listdir(tmp_path)} == {*names[:3], "c.csv"}


@pytest.mark.parametrize("name", ["a" * 255, "长" * 85, "长" * 80 + ".jsonl"])
def test_any_name_that_the_system_takes_can_be_written(
    name: str, tmp_path: Path
) -> None:
    for text in ("old", "new"):
        write_text(tmp_path / name, text)
    assert contents(tmp_path) == {str(tmp_path / name): b"new"}


def test_a_folder_that_was_made_goes_if_nothing_comes_into_it(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.txt"
    with pytest.raises(ZeroDivisionError), replacing(path):
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []
