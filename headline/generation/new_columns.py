"""New columns of a row, or keys of an object, for its headlines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headline.formats.registry import Added, Cell, New
from headline.generation.headlines import BLANK, Headline


@dataclass(frozen=True)
class NewColumns:
    """The columns or keys for headlines and their scores."""

    name: str  # of the first column
    with_scores: bool
    num_headlines: int  # for articles that do not set another number

    @property
    def columns(self) -> list[str]:
        """A column for each headline, followed by a column for its score, if any."""
        more = range(2, self.num_headlines + 1)
        names = [self.name, *(f"{self.name}_{rank}" for rank in more)]
        if not self.with_scores:
            return names
        return [column for name in names for column in (name, f"{name}_score")]

    @property
    def names(self) -> New:
        """The names of all that is added."""
        columns = self.columns
        return New(columns, self.keys, columns[1::2] if self.with_scores else ())

    @property
    def keys(self) -> list[str]:
        """The new keys of a JSONL object."""
        return list(self._values([BLANK], several=self.num_headlines > 1))

    def added(
        self, headlines: Sequence[Headline], asked: int, problem: str | None
    ) -> Added:
        """Returns the new values of an article's row.

        Args:
            asked: number of headlines requested.
            problem: why there is none.
        """
        values = self._values(headlines, several=asked > 1)
        return Added(self._cells(headlines), values, problem)

    def _cells(self, headlines: Sequence[Headline]) -> list[Cell]:
        if not self.with_scores:
            return [headline.text for headline in headlines]
        pairs = ((headline.text, headline.score) for headline in headlines)
        return [cell for pair in pairs for cell in pair]

    def _values(
        self, headlines: Sequence[Headline], several: bool
    ) -> Mapping[str, Any]:
        """Returns the values of a JSONL object: its headline; all if ``several``."""
        values: dict[str, Any] = {self.name: headlines[0].text}
        if self.with_scores:
            values["score"] = round(headlines[0].score, 4)
        if several:
            values[f"{self.name}s"] = [headline.text for headline in headlines]
        if several and self.with_scores:
            values["scores"] = [round(headline.score, 4) for headline in headlines]
        return values
