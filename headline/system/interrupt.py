"""Signals that end the program: a wish to stop, or the end by way of cleaning up.

A signal that is ignored when the program starts stays ignored, as ``nohup`` wants it.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from headline.errors import Interrupted

Handler = Callable[[int, FrameType | None], None]

# Some systems lack the last two.
NAMES = "SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"
ENDINGS = tuple(
    signal.Signals[name] for name in NAMES if name in signal.Signals.__members__
)
ECHO = 0.1  # seconds: ``timeout`` sends its signal twice in a row

SOON = 0.01  # seconds


class Wish:
    """Whether somebody wants a training to stop: any thread may say so, or ask.

    It is for one training.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Says so: it ends after the update that is on, and a checkpoint is written.

        Args:
            number: the signal that asks for it, or that it is like.
        """
        self.received = number

    def check(self) -> None:
        """Stops if somebody wants it.

        Raises:
            Interrupted: with the signal that came.
        """
        if self.received is not None:
            raise Interrupted(self.received)


class _First:
    """The first signal that came; whether a later one says more than it did."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._since = 0.0

    def is_new(self, number: int) -> bool:
        """Takes a signal; tells whether it is the first, or an impatient one.

        A terminal that closes may send SIGHUP several times, at any moment.
        """
        if self.signal is None:
            self.signal, self._since = signal.Signals(number), time.monotonic()
            return True
        is_hangup = signal.Signals(number).name == "SIGHUP"
        return not is_hangup and time.monotonic() - self._since > ECHO


class Interrupt(Wish):
    """Signals as the wish to stop: soon, or at the second signal at once.

    Only the main thread can listen to signals.

    Args:
        report: called with a line for the person who waits.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        super().__init__()
        self._first = _First()
        self._report = report

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Takes the signals as wishes while the body runs."""
        with _handling(self._take):
            yield

    def _take(self, number: int, frame: FrameType | None) -> None:
        is_second = self._first.signal is not None
        if not self._first.is_new(number):
            return
        if is_second:
            os._exit(128 + number)  # files are replaced whole, so none is half
        self.stop(signal.Signals(number))
        name = signal.Signals(number).name
        with suppress(RuntimeError):  # it came in the middle of another line
            self._report(f"{name}: finishing the batch; again to leave now")


class Leaving(SystemExit):
    """The end of the program, which a signal asks for."""


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """Lets signals end the program as an exception does: what is open is cleaned up."""
    first = _First()

    def leave(number: int, frame: FrameType | None) -> None:
        if first.is_new(number):
            raise Leaving(128 + number)

    def leave_again() -> None:
        if first.signal is not None:
            raise Leaving(128 + first.signal)

    with _handling(leave), _insisting(leave_again):
        yield


@contextmanager
def _insisting(leave_again: Callable[[], None]) -> Iterator[None]:
    """Raises ``Leaving`` anew, soon, where the interpreter has let it drop.

    It does so with what is raised in a ``__del__`` or the callback of a weak reference,
    and a signal may come in the middle of one.
    """
    if not hasattr(signal, "setitimer"):
        yield
        return
    before = sys.unraisablehook, signal.getsignal(signal.SIGALRM)

    def insist(dropped: "sys.UnraisableHookArgs") -> None:
        if isinstance(dropped.exc_value, Leaving):
            signal.setitimer(signal.ITIMER_REAL, SOON)
        else:
            before[0](dropped)

    signal.signal(signal.SIGALRM, lambda number, frame: leave_again())
    sys.unraisablehook = insist
    try:
        yield
    finally:
        sys.unraisablehook = before[0]
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before[1])


@contextmanager
def _handling(handler: Handler) -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in ENDINGS}
    ignored = signal.SIG_IGN, None  # None: somebody else's, not Python's
    taken = {number: old for number, old in before.items() if old not in ignored}
    for number in taken:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in taken.items():
            signal.signal(number, old)
