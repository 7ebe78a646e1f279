"""What all tests share: the environment, and an unusual umask."""

import os

# Before NumPy and TensorFlow are imported: one thread, and no notes on stderr.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import signal
from collections.abc import Iterator

import pytest

# What was started by nohup, or behind a shell script's &, ignores some signals, and so
# would all that tests start; a test of what is ignored says so itself.
for name, usual in (
    ("SIGINT", signal.default_int_handler),
    ("SIGHUP", signal.SIG_DFL),
    ("SIGQUIT", signal.SIG_DFL),
):
    if name in signal.Signals.__members__:
        number = signal.Signals[name]
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, usual)


@pytest.fixture
def umask() -> Iterator[int]:
    """An unusual mask: what a file gets from it, it gets from nothing else."""
    mask = 0o027
    before = os.umask(mask)
    yield mask
    os.umask(before)
