"""The number of threads of NumPy's matrix products, also inside another program."""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from headline.errors import ConfigError


@contextmanager
def blas_threads(number: int | None) -> Iterator[None]:
    """Limits the threads of NumPy's matrix products while the body runs.

    The limit applies to the whole process. While several threads run such bodies, the
    smallest of their limits applies; after the last one, the old number is restored.

    Args:
        number: the most threads; None changes nothing.
    """
    if number is None:
        yield
        return
    _limits.enter(number)
    try:
        yield
    finally:
        _limits.leave(number)


def check_blas_threads(number: int) -> None:
    """Refuses a number of threads that would have no effect.

    Raises:
        ConfigError: the number is below 1, or it is above 1 and NumPy's BLAS cannot be
            controlled.
    """
    if type(number) is not int or number < 1:
        raise ConfigError(f"threads must be 1 or more; got {number!r}", "threads")
    if number > 1 and not _libraries():
        raise ConfigError(
            f"threads cannot be {number}: threadpoolctl finds no BLAS that it can "
            "control; leave it at 1",
            "threads",
        )


class _Limits:
    """The limits of all bodies that are running."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: Counter[int] = Counter()
        self._before: list[int] = []  # threads of each library before any limit

    def enter(self, number: int) -> None:
        with self._lock:
            if not self._asked:
                self._before = [one.get_num_threads() for one in _libraries()]
            self._asked[number] += 1
            self._apply()

    def leave(self, number: int) -> None:
        with self._lock:
            self._asked[number] -= 1
            self._asked += Counter()  # drops counts of 0
            self._apply()

    def _apply(self) -> None:
        least = min(self._asked, default=None)
        for library, before in zip(_libraries(), self._before, strict=True):
            library.set_num_threads(before if least is None else least)


_limits = _Limits()


def _after_fork() -> None:
    """Resets limits and lock in a forked child: a fork does not copy other threads."""
    global _limits
    _limits = _Limits()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@cache
def _libraries() -> list[Any]:
    """The BLAS libraries that NumPy has loaded and threadpoolctl can control."""
    import numpy  # noqa: F401  loads its BLAS
    from threadpoolctl import ThreadpoolController

    return list(ThreadpoolController().select(user_api="blas").lib_controllers)
