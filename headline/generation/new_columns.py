"""New columns of a row, or keys of an object, for its headlines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headline.formats.registry import Added, Cell, New
from headline.formats.writing import Percent, cell_text
from headline.generation.headlines import BLANK, Headline


@dataclass(frozen=True)
class NewColumns:
    """The columns or keys for headlines, their styles, scores and confidence."""

    name: str  # of the first column
    with_scores: bool
    num_headlines: int  # for articles that do not set another number
    with_styles: bool = False  # likewise
    lines: bool = False  # each line of a plain text is an article
    with_confidence: bool = False

    @property
    def columns(self) -> list[str]:
        """A column for each headline, each followed by those of its marks, if any."""
        more = range(2, self.num_headlines + 1)
        names = [self.name, *(f"{self.name}_{rank}" for rank in more)]
        marks = ["_style"] * self.with_styles + ["_score"] * self.with_scores
        marks += ["_confidence"] * self.with_confidence
        return [f"{name}{mark}" for name in names for mark in ("", *marks)]

    @property
    def names(self) -> New:
        """The names of all that is added."""
        columns = self.columns
        numbers = self.with_scores + self.with_confidence
        each = 1 + self.with_styles + numbers  # columns of a headline
        scores = [one for at, one in enumerate(columns) if at % each >= each - numbers]
        return New(columns, self.keys, scores)

    @property
    def keys(self) -> list[str]:
        """The new keys of a JSONL object."""
        several = self.num_headlines > 1
        return list(self._values([BLANK], several, self.with_styles))

    def added(
        self,
        headlines: Sequence[Headline],
        asked: int,
        with_styles: bool,
        problem: str | None,
    ) -> Added:
        """Returns the new values of an article's row.

        Args:
            asked: number of headlines requested.
            with_styles: whether headlines in several styles were requested.
            problem: why there is none.
        """
        values = self._values(headlines, asked > 1, with_styles)
        text = self._text(headlines) if self.with_styles else None
        return Added(self._cells(headlines), values, problem, text)

    def _text(self, headlines: Sequence[Headline]) -> str:
        """Returns the headlines of a text, each after its style.

        Each is a line of its own, unless each line of the text is an article.
        """
        labelled = [
            "\t".join([one.style or "", one.text, *map(cell_text, self._marks(one))])
            for one in headlines
            if one.text
        ]
        return ("\t" if self.lines else "\n").join(labelled)

    def _cells(self, headlines: Sequence[Headline]) -> list[Cell]:
        cells: list[Cell] = []
        for headline in headlines:
            cells.append(headline.text)
            if self.with_styles:
                cells.append(headline.style or "")
            cells += self._marks(headline)
        return cells

    def _marks(self, headline: Headline) -> list[Cell]:
        """Returns the numbers of a headline; a blank article has no confidence."""
        marks: list[Cell] = [headline.score] if self.with_scores else []
        if self.with_confidence:
            chance = headline.confidence
            marks.append(None if chance is None else Percent(chance))
        return marks

    def _values(
        self, headlines: Sequence[Headline], several: bool, with_styles: bool
    ) -> Mapping[str, Any]:
        """Returns the values of a JSONL object: its headline; all if ``several``."""
        lists: dict[str, list[Any]] = {self.name: [one.text for one in headlines]}
        if with_styles:
            lists["style"] = [one.style for one in headlines]
        if self.with_scores:
            lists["score"] = [round(one.score, 4) for one in headlines]
        if self.with_confidence:
            lists["confidence"] = [one.confidence for one in headlines]
        values = {name: each[0] for name, each in lists.items()}
        if several:
            values |= {f"{name}s": each for name, each in lists.items()}
        return values
