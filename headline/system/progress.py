"""Progress of a command: a bar on a terminal, elsewhere a line every 30 seconds.

Both go to stderr. There is no thread and no timer: the working code reports progress.
"""

import math
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

EVERY = 30.0  # seconds between two lines
LITTLE = 200_000  # bytes; for less work, loading tqdm is not worth it

Report = Callable[[str], None]


class _Bars:
    """Whether progress bars are shown."""

    are_wanted = True


def show_bars(wanted: bool) -> None:
    """Sets whether this process may draw bars."""
    _Bars.are_wanted = wanted


def on_terminal() -> bool:
    """Tells whether stderr is a terminal and bars are wanted."""
    return _Bars.are_wanted and sys.stderr is not None and sys.stderr.isatty()


def clock(seconds: float) -> str:
    """Returns a time as minutes and seconds, ``4:05``, or with hours, ``1:04:05``."""
    if not math.isfinite(seconds):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def bar(**settings: Any) -> Any:
    """Returns a tqdm bar, which disappears when it ends."""
    from tqdm import tqdm  # loading it takes as long as a short command

    tqdm.monitor_interval = 0  # no monitor thread: it would prevent forks
    return tqdm(leave=False, dynamic_ncols=True, **settings)


class Ticker:
    """Says when the next line is due: ``EVERY`` seconds after the last one."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def is_due(self) -> bool:
        """Tells whether a line is due; if so, counts it as written."""
        now = time.monotonic()
        if now - self._last < EVERY:
            return False
        self._last = now
        return True


class Meter:
    """Shows how much of a command's work is done.

    Args:
        doing: the action of the command, in one word.
        unit: the unit of the count, such as "B" for bytes, or "articles".
        report: gets the lines if stderr is not a terminal.
        total: the amount of work, in ``unit``; None if it is not known.
    """

    def __init__(
        self, doing: str, unit: str, report: Report, total: int | None = None
    ) -> None:
        self.done = 0
        self._doing, self._unit, self._report = doing, unit, report
        self._total = total
        self._begin = time.monotonic()
        self._ticker = Ticker()
        self._bar = None
        if on_terminal() and (total is None or total > LITTLE):
            is_bytes = unit == "B"
            unit = unit if is_bytes else f" {unit}"
            self._bar = bar(desc=doing, total=total, unit=unit, unit_scale=is_bytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def expect(self, total: int) -> None:
        """Sets the total amount of work, once it is known."""
        self._total = total
        if self._bar is not None:
            self._bar.total = total
            self._bar.refresh()

    def advance(self, number: int, note: str = "") -> None:
        """Adds to the work done; ``note`` is shown with it."""
        self.done += number
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(number)
        elif self._ticker.is_due():
            self._report(self._line(note))

    def _line(self, note: str) -> str:
        """Returns a line such as ``generate: 34%, 12,000 articles, 2:10 left``."""
        parts = [note] if note else []
        if self._unit != "B":
            parts.append(f"{self.done:,} {self._unit}")
        elif not self._total:
            parts.append(f"{self.done / 1e6:,.0f} MB")
        if self._total and self.done:
            share = min(1.0, self.done / self._total)
            elapsed = time.monotonic() - self._begin
            parts.insert(0, f"{share:.0%}")
            parts.append(f"{clock(elapsed * (1 - share) / share)} left")
        return f"{self._doing}: {', '.join(parts)}"
