"""Whole runs: numbers, Latin words and the like, exactly as an article has them."""

from collections.abc import Collection, Iterable

from headline.text.spans import followed


class WholeRuns:
    """Lets only whole runs through, character by character.

    Args:
        allowed: the runs that may be written.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        self.whole = frozenset(allowed)
        self.begun = frozenset(
            run[:length] for run in self.whole for length in range(1, len(run) + 1)
        )

    def tail(self, text: str) -> str | None:
        """Returns the run at the end of the text that may still go on.

        Args:
            text: the result of the last call, plus the characters after it.

        Returns:
            the open run, including a sign that may join it (``12.``); or a sign that
            may begin a run; "" if no run is open; None if the text has a run that is
            not allowed, whatever follows.
        """
        ended, rest, run = followed(text)
        if not self.whole.issuperset(ended):
            return None
        # "12." may be a number and a full stop; then no digit may follow.
        return rest if not run or rest in self.begun or run in self.whole else None

    def is_whole(self, tail: str) -> bool:
        """Returns whether a headline may end, or go on in Chinese, after the tail."""
        run = followed(tail).run
        return not run or run in self.whole

    def goes_on(self, tail: str) -> bool:
        """Returns whether the tail is the beginning of an allowed run."""
        return tail in self.begun

    def endings(self, tail: str) -> Collection[str]:
        """Returns the texts that complete the tail to a run; none if it is whole."""
        if self.is_whole(tail):
            return ()
        size = len(tail)
        return {run[size:] for run in self.whole if run.startswith(tail)}
