"""What all tests share: the environment, and an unusual umask."""

import os

# Before NumPy and TensorFlow are imported: one thread, and no notes on stderr.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from collections.abc import Iterator

import pytest


@pytest.fixture
def umask() -> Iterator[int]:
    """An unusual mask: what a file gets from it, it gets from nothing else."""
    mask = 0o027
    before = os.umask(mask)
    yield mask
    os.umask(before)
