"""Memory-mapped arrays that are read from one end to the other."""

import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHUNK = 1 << 20  # numbers in memory at a time


def chunks(array: NDArray[Any], more: int = 0) -> Iterator[NDArray[Any]]:
    """Yields an array in chunks, and gives back the memory of those that were read.

    The operating system keeps what was read of a mapped file in this process's memory
    until others need it; so a pass over a large file would seem to need all of it.

    Args:
        more: numbers of the next chunk that a chunk has at its end, too.
    """
    for begin in range(0, len(array) - more, CHUNK):
        yield array[begin : begin + CHUNK + more]
        release(array)


def release(array: NDArray[Any]) -> None:
    """Gives back the memory of a mapped array, which is read again when it is used."""
    mapped = array.base
    if isinstance(mapped, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def lengths_of(offsets: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yields the lengths between offsets, in chunks."""
    return map(np.diff, chunks(offsets, more=1))
