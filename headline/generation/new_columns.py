"""What a row gets: columns, or keys of an object, for its headlines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headline.formats.registry import Added
from headline.generation.headlines import BLANK, Headline


@dataclass(frozen=True)
class NewColumns:
    """The columns, and the keys, for headlines and their scores."""

    name: str  # of the first one
    with_scores: bool
    num_headlines: int  # of an article that does not ask for another number

    @property
    def columns(self) -> list[str]:
        """A column for each headline, and one for its score behind it."""
        more = range(2, self.num_headlines + 1)
        names = [self.name, *(f"{self.name}_{rank}" for rank in more)]
        if not self.with_scores:
            return names
        return [column for name in names for column in (name, f"{name}_score")]

    @property
    def keys(self) -> list[str]:
        """The keys that a JSONL object gets."""
        return list(self._values([BLANK], several=self.num_headlines > 1))

    def added(
        self, headlines: Sequence[Headline], asked: int, problem: str | None
    ) -> Added:
        """Returns what the row of an article gets.

        Args:
            asked: how many headlines were asked for.
            problem: why there is none.
        """
        values = self._values(headlines, several=asked > 1)
        return Added(self._cells(headlines), values, problem)

    def _cells(self, headlines: Sequence[Headline]) -> list[str]:
        if not self.with_scores:
            return [headline.text for headline in headlines]
        pairs = ((headline.text, f"{headline.score:.4f}") for headline in headlines)
        return [cell for pair in pairs for cell in pair]

    def _values(
        self, headlines: Sequence[Headline], several: bool
    ) -> Mapping[str, Any]:
        """What a JSONL object gets: its headline, and if ``several`` all of them."""
        values: dict[str, Any] = {self.name: headlines[0].text}
        if self.with_scores:
            values["score"] = round(headlines[0].score, 4)
        if several:
            values[f"{self.name}s"] = [headline.text for headline in headlines]
        if several and self.with_scores:
            values["scores"] = [round(headline.score, 4) for headline in headlines]
        return values
