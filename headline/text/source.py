"""The one way in for articles: raw text to what a model reads."""

from dataclasses import dataclass
from itertools import takewhile
from typing import TypeAlias, Union

from headline.text.normalise import normalise
from headline.text.spans import cut, spans
from headline.text.tokenizer import Encoded, Tokenizer

Readable: TypeAlias = Union[str, "Source"]  # a raw article, or one that was read


@dataclass(frozen=True)
class Source:
    """An article as a model reads it: normalised, cut and encoded."""

    whole: str  # the normalised article
    text: str  # its beginning, as much as the model reads
    encoded: Encoded  # the text
    runs: tuple[str, ...]  # see ``headline.text.spans``

    @classmethod
    def read(cls, article: Readable, tokenizer: Tokenizer, max_length: int) -> "Source":
        """Reads an article; one that was read already comes back as it is.

        Args:
            tokenizer: of the model.
            max_length: characters that the model reads at most.
        """
        if isinstance(article, Source):
            return article
        return cls.of_normalised(normalise(article), tokenizer, max_length)

    @classmethod
    def of_normalised(
        cls, whole: str, tokenizer: Tokenizer, max_length: int
    ) -> "Source":
        """Reads an article that ``normalise`` has made; see ``read``."""
        text = cut(whole, max_length)
        read = takewhile(lambda span: span[0] < len(text), spans(whole))
        # A run that the cut goes through is not one that the article has.
        kept = [whole[begin:end] for begin, end in read if end <= len(text)]
        return cls(whole, text, tokenizer.encode(text), tuple(kept))

    def __len__(self) -> int:
        """The number of characters of the whole article."""
        return len(self.whole)

    @property
    def unread(self) -> str:
        """What stands past the most that the model reads."""
        return self.whole[len(self.text) :]
