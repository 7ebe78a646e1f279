"""Files of named arrays, written as a stream of blocks and read by memory map.

A file has blocks, each with some arrays, then an index in JSON, the length of the index
and a mark. It holds no objects of Python, so reading it runs nothing.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from headline.errors import DataError
from headline.system.files import replacing

Array = NDArray[Any]
Block = Mapping[str, Array]

MARK = b"headline blocks 1\n"
ALIGNED = 64  # bytes
BUFFERED = 1 << 24  # bytes of small blocks that are joined into one


class BlockWriter:
    """Appends blocks to a stream; arrays of the same name have the same kind."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._index: list[dict[str, list[Any]]] = []
        self._waiting: list[Block] = []
        self._size = 0

    def append(self, block: Block) -> None:
        """Appends a block; small ones with the same names are joined."""
        self._waiting.append(block)
        self._size += sum(array.nbytes for array in block.values())
        if self._size > BUFFERED:
            self.flush()

    def flush(self) -> None:
        """Ends the block: what comes next is not joined to it."""
        if not self._waiting:
            return
        places: dict[str, list[Any]] = {}
        for name in self._waiting[0]:
            array = np.concatenate([block[name] for block in self._waiting])
            self._stream.write(bytes(-self._stream.tell() % ALIGNED))
            kind = array.dtype.newbyteorder("<").str
            places[name] = [self._stream.tell(), kind, *array.shape]
            self._stream.write(np.ascontiguousarray(array, kind).data)
        self._index.append(places)
        self._waiting, self._size = [], 0

    def finish(self, about: Any) -> None:
        """Writes the index, with a JSON value about the file."""
        self.flush()
        index = json.dumps({"blocks": self._index, "about": about}).encode()
        self._stream.write(index + len(index).to_bytes(8, "little") + MARK)


@contextmanager
def writing(path: Path) -> Iterator[tuple[BlockWriter, dict[str, Any]]]:
    """Yields a writer, and a dict for what is written about the file.

    The file appears once the body succeeds, whole and on the disk.

    Raises:
        HeadlineError: the operating system refused.
    """
    about: dict[str, Any] = {}
    with replacing(path) as scratch, scratch.open("wb") as stream:
        writer = BlockWriter(stream)
        yield writer, about
        writer.finish(about)


def write_blocks(path: Path, block: Block, about: Any = None) -> None:
    """Writes a file with one block."""
    with writing(path) as (writer, told):
        writer.append(block)
        told |= about or {}


class BlockFile:
    """A file that ``writing`` wrote.

    Attributes:
        about: the JSON value about the file.

    Raises:
        DataError: the file is damaged or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as stream:
                index = json.loads(_index_of(stream))
            self._blocks, self.about = index["blocks"], index["about"]
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path} is damaged: remove the file, and it is made again"
            ) from error

    def blocks(self, *names: str) -> Iterator[Sequence[Array]]:
        """Yields these arrays of each block that has them, memory-mapped."""
        for places in self._blocks:
            if places.keys() >= {*names}:
                yield [self._array(places[name]) for name in names]

    def whole(self, name: str) -> Array:
        """Returns the arrays of all blocks, joined."""
        parts = [array for (array,) in self.blocks(name)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def at(self, name: str, indices: NDArray[np.int64]) -> Array:
        """Returns some rows of the joined arrays without reading the others."""
        found: Array | None = None
        begin = 0
        for (array,) in self.blocks(name):
            mine = (indices >= begin) & (indices < begin + len(array))
            if found is None:
                found = np.zeros((len(indices), *array.shape[1:]), array.dtype)
            found[mine] = array[indices[mine] - begin]
            begin += len(array)
        assert found is not None
        return found

    def _array(self, place: Sequence[Any]) -> Array:
        offset, kind, *shape = place
        count = math.prod(shape)
        return np.frombuffer(self._mapped, kind, count, offset).reshape(shape)

    @cached_property
    def _mapped(self) -> Array:
        return np.memmap(self._path, np.uint8, "r")


def _index_of(stream: BinaryIO) -> bytes:
    ending = 8 + len(MARK)
    size = stream.seek(0, 2)
    stream.seek(max(0, size - ending))
    length, mark = stream.read(8), stream.read()
    begin = size - ending - int.from_bytes(length, "little")
    if mark != MARK or begin < 0:
        raise ValueError("its mark is missing")
    stream.seek(begin)
    return stream.read(size - ending - begin)


def packed(values: Iterable[Any]) -> Array:
    """Returns JSON values as an array of bytes, one in each line."""
    lines = [json.dumps(value, ensure_ascii=False) + "\n" for value in values]
    return np.frombuffer("".join(lines).encode("utf-8", "surrogatepass"), np.uint8)


def unpacked(array: Array) -> Iterator[Any]:
    """Yields the values that were packed."""
    text = array.tobytes().decode("utf-8", "surrogatepass")
    return map(json.loads, text.split("\n")[:-1])
