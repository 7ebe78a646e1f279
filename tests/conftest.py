"""What all tests share: the environment, how hard hypothesis tries, an odd umask."""

import os

# Before NumPy and TensorFlow are imported: one thread each, since tests run side by
# side; and no notes on stderr.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import signal
from collections.abc import Iterator, Sequence
from multiprocessing.process import BaseProcess

import pytest
from hypothesis import settings

# `make test` tries the same few examples each time; `make stress` has many more, and
# others each time: `--hypothesis-profile stress`. CI takes a share of those.
settings.register_profile("test", derandomize=True, deadline=None, max_examples=50)
settings.register_profile("share", deadline=None, max_examples=100, print_blob=True)
settings.register_profile("stress", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile("test")

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
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How each process was started that this one starts: "fork" or "spawn"."""
    ways: list[str] = []
    start = BaseProcess.start

    def counted(process: BaseProcess) -> None:
        ways.append(getattr(process, "_start_method", "unknown"))
        start(process)

    monkeypatch.setattr(BaseProcess, "start", counted)
    return ways


@pytest.fixture
def umask() -> Iterator[int]:
    """An unusual mask: what a file gets from it, it gets from nothing else."""
    mask = 0o027
    before = os.umask(mask)
    yield mask
    os.umask(before)


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Leaves out what must be alone in its process, where xdist has threads there."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    reason = "no process is forked beside the threads of xdist: run it without -n"
    for item in items:
        if item.get_closest_marker("forks"):
            item.add_marker(pytest.mark.skip(reason=reason))
