"""Numbers, Latin words and the like as an article has them, or not at all."""

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
            text: what the last call returned, and the characters after it.

        Returns:
            the open run, with what may join it (``12.``) if there is such; a sign that
            may begin one; "" if none is open; None if the text has a run that is not
            allowed, however it goes on.
        """
        ended, rest, run = followed(text)
        if not self.whole.issuperset(ended):
            return None
        # "12." may be a number and a full stop, but then no digit may follow.
        return rest if not run or rest in self.begun or run in self.whole else None

    def is_whole(self, tail: str) -> bool:
        """Tells whether a headline may end, or go on in Chinese, after the tail."""
        run = followed(tail).run
        return not run or run in self.whole

    def goes_on(self, tail: str) -> bool:
        """Tells whether the tail is the beginning of a run that may be written."""
        return tail in self.begun

    def endings(self, tail: str) -> Collection[str]:
        """Returns what makes the tail a whole run; nothing where it is one."""
        if self.is_whole(tail):
            return ()
        size = len(tail)
        return {run[size:] for run in self.whole if run.startswith(tail)}
