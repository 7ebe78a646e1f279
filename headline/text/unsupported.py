"""What a person has to check: numbers, Latin words and names of a headline that its
article lacks."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

from headline.text.names import unsupported_names
from headline.text.spans import kind_of, runs, spans

Kind = Literal["number", "latin", "symbol", "name"]


class Unsupported(NamedTuple):
    """A part of a headline; ``begin`` and ``end`` count code points."""

    text: str
    begin: int
    end: int
    kind: Kind
    in_pieces: bool = False  # a name: the article has its characters, but not in a row


@dataclass(frozen=True)
class Article:
    """What an article has."""

    text: str  # the whole of it, normalised
    runs: frozenset[str]  # its numbers and Latin words

    @classmethod
    def of(cls, text: str) -> Self:
        """Reads a normalised article."""
        return cls(text, frozenset(runs(text)))

    def lacking(self, headline: str) -> list[Unsupported]:
        """Returns what a normalised headline has and the article lacks, in order."""
        names = (
            Unsupported(name.text, name.begin, name.end, "name", name.in_pieces)
            for name in unsupported_names(headline, self.text)
        )
        others = (
            Unsupported(run, begin, end, kind_of(run))
            for begin, end in spans(headline)
            if (run := headline[begin:end]) not in self.runs
        )
        return sorted((*names, *others), key=lambda one: one.begin)
