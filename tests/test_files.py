"""Files that are whole or not there, however the writing ends."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headline.errors import BundleError, DataError, HeadlineError
from headline.files import (
    check_sha256,
    read_json,
    replacing,
    sha256,
    write_json,
    write_text,
)

stable = settings(derandomize=True, deadline=None, max_examples=25)

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


@stable
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


@stable
@given(st.binary())
def test_checksum_is_that_of_all_bytes(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "checksum.bin"
    path.write_bytes(content)

    assert sha256(path) == hashlib.sha256(content).hexdigest()
