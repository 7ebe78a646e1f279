"""Compressed files: the same text in whatever packs it, and the same bytes out."""

import bz2
import gzip
import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from headline.system.compression import (
    BZIP2,
    COMPRESSIONS,
    GZIP,
    ZSTD,
    Compression,
    compressed_text,
    compression_of,
    decompressed,
    plain_name,
)
from headline.system.outputs import output_stream

# Programs that are not ours.
PACKERS: dict[Compression, Callable[[bytes], bytes]] = {
    GZIP: gzip.compress,
    BZIP2: bz2.compress,
    ZSTD: zstandard.ZstdCompressor(write_checksum=True).compress,
}


def content_of(data: bytes, kind: Compression) -> bytes:
    stream = cast(io.BufferedReader, io.BytesIO(data))
    return decompressed(stream, kind, "a").read()


def packed(text: str, kind: Compression) -> bytes:
    stream = io.BytesIO()
    with compressed_text(stream, kind) as output:
        for line in io.StringIO(text, newline=""):
            output.write(line)
            output.flush()
    return stream.getvalue()


@pytest.mark.parametrize("kind", COMPRESSIONS)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=3))
def test_what_others_have_packed_is_read(kind: Compression, parts: list[bytes]) -> None:
    """Also files that were put together of several."""
    data = b"".join(PACKERS[kind](part) for part in parts)

    assert compression_of(data) == kind
    assert content_of(data, kind) == b"".join(parts)


@pytest.mark.parametrize("kind", COMPRESSIONS)
def test_a_large_file_is_read(kind: Compression) -> None:
    content = b"".join(b"%d\n" % number for number in range(400_000))

    assert content_of(PACKERS[kind](content), kind) == content


@pytest.mark.parametrize("kind", COMPRESSIONS)
@given(st.text(max_size=200))
def test_what_was_written_is_read(kind: Compression, text: str) -> None:
    text = text.encode(errors="replace").decode()
    data = packed(text, kind)

    assert content_of(data, kind).decode() == text
    assert packed(text, kind) == data
    if kind == GZIP:  # no name, and no time
        assert data[3:8] == bytes(5)


@pytest.mark.parametrize("kind", COMPRESSIONS)
def test_a_flush_after_each_line_does_not_spoil_the_compression(
    kind: Compression,
) -> None:
    text = "".join(f"第{number}条新闻\n" for number in range(5_000))

    assert len(packed(text, kind)) < 1.3 * len(PACKERS[kind](text.encode()))


@pytest.mark.parametrize("kind", COMPRESSIONS)
def test_what_breaks_off_or_is_damaged_is_noticed(kind: Compression) -> None:
    data = PACKERS[kind](bytes(range(256)) * 40)

    for size in range(len(kind.magic), len(data), 7):
        with pytest.raises(EOFError):
            content_of(data[:size], kind)
    middle = len(data) // 2
    flipped = data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :]
    with pytest.raises((OSError, zlib.error)):
        content_of(flipped, kind)


@pytest.mark.parametrize("kind", COMPRESSIONS)
def test_an_output_is_compressed_as_its_suffix_says(
    tmp_path: Path, kind: Compression
) -> None:
    path = tmp_path / f"a.csv{kind.suffix.upper()}"
    assert plain_name(path) == "a.csv"

    with output_stream(path) as stream:
        stream.write("央行降准\n")

    assert content_of(path.read_bytes(), kind).decode() == "央行降准\n"


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(b"old")

    with pytest.raises(KeyError), output_stream(path) as stream:
        stream.write("new")
        raise KeyError

    assert path.read_bytes() == b"old" and [*tmp_path.iterdir()] == [path]
