"""SIGINT and SIGTERM as a wish to stop: the first granted soon, the second at once."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from headline.errors import Interrupted

Handler = Callable[[int, FrameType | None], None]

WISHES = signal.SIGINT, signal.SIGTERM


class Interrupt:
    """Whether somebody wants a training to stop.

    Args:
        report: called with a line for the person who waits.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self.received: signal.Signals | None = None
        self._report = report

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Takes the signals as wishes while the body runs."""
        with _handling(self._wish, *WISHES):
            yield

    def _wish(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            os._exit(128 + number)  # files are replaced whole, so none is half
        self.received = signal.Signals(number)
        with suppress(RuntimeError):  # it came in the middle of another line
            self._report(
                f"{self.received.name}: finishing the batch; again to leave now"
            )

    def check(self) -> None:
        """Stops if somebody wants it.

        Raises:
            Interrupted: with the signal that came.
        """
        if self.received is not None:
            raise Interrupted(self.received)


@contextmanager
def ending_on_sigterm() -> Iterator[None]:
    """Lets SIGTERM end the program as an exception does: what is open is cleaned up."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    with _handling(leave, signal.SIGTERM):
        yield


@contextmanager
def _handling(handler: Handler, *numbers: signal.Signals) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
