"""The conversion of a raw article to the model's input."""

from dataclasses import dataclass
from itertools import takewhile
from typing import TypeAlias, Union

from headline.text.boilerplate import NO_RULES, ArticleRules
from headline.text.normalise import normalise
from headline.text.spans import cut, spans
from headline.text.tokenizer import Encoded, Tokenizer

Readable: TypeAlias = Union[str, "Source"]  # a raw article, or one already read


@dataclass(frozen=True)
class Source:
    """An article as a model reads it: normalised, cut and encoded."""

    whole: str  # the normalised article, without boilerplate
    text: str  # the beginning of it, which the model reads
    encoded: Encoded  # ``text`` as ids
    runs: tuple[str, ...]  # see ``headline.text.spans``

    @classmethod
    def read(
        cls,
        article: Readable,
        tokenizer: Tokenizer,
        max_length: int,
        rules: ArticleRules = NO_RULES,
    ) -> "Source":
        """Reads an article; a ``Source`` is returned unchanged.

        Args:
            tokenizer: the tokenizer of the model.
            max_length: the most characters that the model reads.
            rules: what is removed first, as it was from the model's corpus.
        """
        if isinstance(article, Source):
            return article
        whole = rules.clean(normalise(rules.without_title_line(article)))
        return cls.of_normalised(whole, tokenizer, max_length)

    @classmethod
    def of_normalised(
        cls, whole: str, tokenizer: Tokenizer, max_length: int
    ) -> "Source":
        """Reads an article that is already normalised; see ``read``."""
        text = cut(whole, max_length)
        read = takewhile(lambda span: span[0] < len(text), spans(whole))
        # A run that is cut in two is left out.
        kept = [whole[begin:end] for begin, end in read if end <= len(text)]
        return cls(whole, text, tokenizer.encode(text), tuple(kept))

    def __len__(self) -> int:
        """The number of characters of the whole article."""
        return len(self.whole)

    @property
    def unread(self) -> str:
        """The rest of the article, beyond the part that the model reads."""
        return self.whole[len(self.text) :]
