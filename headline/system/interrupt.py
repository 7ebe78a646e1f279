"""Signals that end the program: a training stops soon, other commands clean up at once.

A signal that is ignored when the program starts stays ignored, as ``nohup`` needs.
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

# Windows lacks the last two.
NAMES = "SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"
ENDINGS = tuple(
    signal.Signals[name] for name in NAMES if name in signal.Signals.__members__
)
ECHO = 0.1  # seconds: ``timeout`` sends its signal twice in a row

SOON = 0.01  # seconds


class Wish:
    """A request to stop one training; any thread may make it or check for it."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Asks the training to end after the current update, with a checkpoint.

        Args:
            number: the signal that asks for it, or the one to report if none did.
        """
        self.received = number

    def check(self) -> None:
        """Checks for the request.

        Raises:
            Interrupted: a stop was requested; it has the signal.
        """
        if self.received is not None:
            raise Interrupted(self.received)


class _First:
    """The first signal received, and whether a later one is a new request."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._since = 0.0

    def is_new(self, number: int) -> bool:
        """Takes a signal; returns whether it is the first, or a deliberate second one.

        Not deliberate are signals within ``ECHO`` seconds, and any later SIGHUP: a
        closing terminal may send it several times.
        """
        if self.signal is None:
            self.signal, self._since = signal.Signals(number), time.monotonic()
            return True
        is_hangup = signal.Signals(number).name == "SIGHUP"
        return not is_hangup and time.monotonic() - self._since > ECHO


class Interrupt(Wish):
    """Turns signals into the request to stop; the second signal exits at once.

    Only the main thread can listen to signals.

    Args:
        report: called with a line for the user.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        super().__init__()
        self._first = _First()
        self._report = report

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Treats signals as requests to stop while the body runs."""
        with _handling(self._take):
            yield

    def _take(self, number: int, frame: FrameType | None) -> None:
        is_second = self._first.signal is not None
        if not self._first.is_new(number):
            return
        if is_second:
            os._exit(128 + number)  # safe: files are replaced atomically
        self.stop(signal.Signals(number))
        name = signal.Signals(number).name
        with suppress(RuntimeError):  # it came while another line was written
            self._report(
                f"{name}: stopping after this update, with a checkpoint; a second "
                "signal exits at once, without one"
            )


class Leaving(SystemExit):
    """Ends the program because of a signal."""


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """Makes signals end the program by an exception, so that it cleans up."""
    first = _First()

    def leave(number: int, frame: FrameType | None) -> None:
        if first.is_new(number):
            raise Leaving(128 + number)

    def leave_again() -> None:
        if first.signal is not None:
            raise Leaving(128 + first.signal)

    with _handling(leave), _insisting(leave_again):
        try:
            yield
        except RuntimeError as error:
            # Before Python 3.12, an exception in ``__set_name__`` while a class is made
            # comes out as the cause of another one.
            if isinstance(error.__cause__, Leaving):
                raise error.__cause__ from None
            raise


@contextmanager
def _insisting(leave_again: Callable[[], None]) -> Iterator[None]:
    """Raises ``Leaving`` again, ``SOON`` after the interpreter has dropped it.

    The interpreter drops exceptions raised in a ``__del__`` or in the callback of a
    weak reference, and a signal may arrive during one.
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
    ignored = signal.SIG_IGN, None  # None: a handler not set from Python
    taken = {number: old for number, old in before.items() if old not in ignored}
    for number in taken:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in taken.items():
            signal.signal(number, old)
