"""Conversion of text to ids and back, by characters or words.

The ids are ``PAD UNK BOS EOS = 0 1 2 3``, then all tokens of the train split by falling
count, ties by code point. The first ``vocab_size`` ids are *generable*: they have an
embedding and an output weight. Other tokens are copy-only: the model embeds them as
UNK, and the pointer can still copy them into the headline. A character that is not in
the train split gets an id after all tokens, valid for its article only.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from headline.errors import HeadlineError
from headline.system.files import read_json, write_json
from headline.text.ids import SPECIAL_TOKENS, UNK, Ids, Ragged
from headline.text.normalise import code_points
from headline.text.words import Cutter, cut_by_jieba

_CODE_POINTS = 0x110000


@dataclass(frozen=True, eq=False)
class Vocab:
    """The tokens in the order of their ids, and the number of generable ones."""

    tokens: tuple[str, ...]
    vocab_size: int

    @classmethod
    def from_counts(
        cls, counts: Mapping[str, int], vocab_size: int, min_count: int
    ) -> "Vocab":
        """Orders the tokens by falling count, ties by code point.

        Args:
            counts: the number of occurrences of each token.
            vocab_size: the most generable tokens, special tokens included.
            min_count: the fewest occurrences of a generable token.
        """
        ordered = sorted(counts, key=lambda token: (-counts[token], token))
        frequent = sum(counts[token] >= min_count for token in ordered)
        kept = min(vocab_size - len(SPECIAL_TOKENS), frequent)
        # A rare word is read as its characters and needs no id.
        rare = (token for token in ordered[kept:] if len(token) == 1)
        tokens = (*SPECIAL_TOKENS, *ordered[:kept], *rare)
        return cls(tokens, len(SPECIAL_TOKENS) + kept)

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def character_ids(self) -> Ids:
        """The id of each code point, -1 if it is not a token; read only."""
        table = np.full(_CODE_POINTS, -1, dtype=np.int32)
        for index, token in enumerate(self.tokens[len(SPECIAL_TOKENS) :]):
            if len(token) == 1:
                table[ord(token)] = index + len(SPECIAL_TOKENS)
        return table

    def ids_of(self, text: str) -> Ids:
        """Returns the id of each character, or -1 - code point if it is not a token."""
        codes = code_points(text).astype(np.int32)
        ids = self.character_ids[codes]
        return np.where(ids < 0, -1 - codes, ids)

    @cached_property
    def word_ids(self) -> dict[str, int]:
        """The id of each generable token of two characters or more."""
        first = len(SPECIAL_TOKENS)
        words = enumerate(self.tokens[first : self.vocab_size], first)
        return {token: index for index, token in words if len(token) > 1}


@dataclass(frozen=True)
class Encoded:
    """A text as ids, with the unknown characters that have ids in this article only."""

    ids: Ids  # int32, shape (S,)
    extra: tuple[str, ...] = ()  # extra[i] has the id len(vocab) + i


class Pieces(NamedTuple):
    """Texts cut into pieces: the distinct pieces, and each text as indices of them."""

    distinct: Sequence[str]
    texts: Ragged


class Tokenizer(ABC):
    """Text to ids and back over a vocab; the same for prepare, train and generate."""

    kind: str
    format: int  # of the vocab file
    # Whether ``encode`` cuts a text into the same pieces as ``split``.
    cuts_alike: bool

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab

    @staticmethod
    @abstractmethod
    def split(text: str) -> Sequence[str]:
        """Cuts a normalised text into the pieces that a vocab is chosen from.

        Joined again they are the text.
        """

    @classmethod
    def split_all(cls, texts: Sequence[str]) -> Pieces:
        """Cuts many texts at once."""
        places: dict[str, int] = {}
        cut = [cls.split(text) for text in texts]
        pieces = chain.from_iterable(cut)
        numbers = [places.setdefault(piece, len(places)) for piece in pieces]
        lengths = np.array([*map(len, cut)], np.int64)
        return Pieces(list(places), Ragged(np.array(numbers, np.uint32), lengths))

    @staticmethod
    @abstractmethod
    def count(pieces: Mapping[str, int], min_count: int) -> Mapping[str, int]:
        """Turns counts of the pieces of ``split`` into counts of tokens."""

    @abstractmethod
    def piece_ids(self, piece: str) -> Sequence[int]:
        """Returns the ids of a piece; -1 - code point for an unknown character."""

    def encode(self, text: str, extra: Sequence[str] = ()) -> Encoded:
        """Turns normalised text into ids.

        Args:
            text: an article or a headline.
            extra: for a headline, the ``extra`` of its article, so that a character
                has the same id in both.
        """
        ids = self._ids(self.cut(text))
        unknown = np.flatnonzero(ids < 0)
        if not len(unknown):
            return Encoded(ids, tuple(extra))
        places = {token: index for index, token in enumerate(extra)}
        for position in unknown:
            place = places.setdefault(chr(-1 - ids[position]), len(places))
            ids[position] = len(self.vocab) + place
        return Encoded(ids, tuple(places))

    def cut(self, text: str) -> Sequence[str]:
        """Cuts a normalised text into pieces: tokens, or strings of characters."""
        return self.split(text)

    def _ids(self, pieces: Sequence[str]) -> Ids:
        ids = chain.from_iterable(map(self.piece_ids, pieces))
        return np.fromiter(ids, np.int32)

    def decode(self, ids: Iterable[int], extra: Sequence[str] = ()) -> str:
        """Joins the tokens of ``ids``, without special tokens.

        Raises:
            IndexError: an id is beyond the vocab and ``extra``.
        """
        tokens, known, first = self.vocab.tokens, len(self.vocab), len(SPECIAL_TOKENS)
        parts = [
            tokens[index] if index < known else extra[index - known]
            for index in ids
            if index >= first
        ]
        return "".join(parts)

    def embeddable(self, ids: Ids) -> Ids:
        """Replaces ids without an embedding by UNK."""
        return np.where(ids < self.vocab.vocab_size, ids, np.int32(UNK))

    def save(self, path: Path) -> None:
        """Writes the vocab file."""
        content = {"format": self.format, "kind": self.kind}
        content |= {"vocab_size": self.vocab.vocab_size}
        write_json(path, content | {"tokens": self.vocab.tokens[len(SPECIAL_TOKENS) :]})


class CharTokenizer(Tokenizer):
    """One token for each character."""

    kind = "char"
    format = 1
    cuts_alike = True

    @staticmethod
    def split(text: str) -> Sequence[str]:
        return text

    @staticmethod
    def count(pieces: Mapping[str, int], min_count: int) -> Mapping[str, int]:
        return pieces

    @classmethod
    def split_all(cls, texts: Sequence[str]) -> Pieces:
        codes = code_points("".join(texts))
        found = np.flatnonzero(np.bincount(codes))
        kind = np.min_scalar_type(len(found))  # few bytes to send to a process
        places = np.zeros(found.max(initial=0) + 1, kind)
        places[found] = np.arange(len(found))
        lengths = np.array([*map(len, texts)], np.int64)
        return Pieces([*map(chr, found.tolist())], Ragged(places[codes], lengths))

    def piece_ids(self, piece: str) -> Sequence[int]:
        return [*map(int, self._ids(piece))]

    def _ids(self, pieces: Sequence[str]) -> Ids:
        return self.vocab.ids_of("".join(pieces))


class WordTokenizer(Tokenizer):
    """One token for each word that the vocab can generate.

    jieba's dictionary only finds the words from which a vocab is chosen. Texts are cut
    with the words of the vocab only: they load at once, and fewer single characters are
    left over. Text without a word of the vocab falls back to characters, so a name is
    still read and copied character by character.
    """

    kind = "word"
    format = 2  # in format 1, jieba's dictionary cut the texts
    cuts_alike = False

    @staticmethod
    def split(text: str) -> Sequence[str]:
        return cut_by_jieba(text)

    def cut(self, text: str) -> Sequence[str]:
        return self._cutter.cut(text)

    @cached_property
    def _cutter(self) -> Cutter:
        return Cutter(self.vocab.tokens[len(SPECIAL_TOKENS) : self.vocab.vocab_size])

    @staticmethod
    def count(pieces: Mapping[str, int], min_count: int) -> Mapping[str, int]:
        """Counts tokens; words too rare to be tokens count for their characters.

        Every character stays a token, because a word may fall back to it.
        """
        words = {
            word: count
            for word, count in pieces.items()
            if len(word) > 1 and count >= min_count
        }
        rare = {word: n for word, n in pieces.items() if word not in words}
        tokens = dict.fromkeys("".join(words), 0) | words
        return _add_characters(tokens, rare)

    def piece_ids(self, piece: str) -> Sequence[int]:
        index = self.vocab.word_ids.get(piece)
        return [*map(int, self.vocab.ids_of(piece))] if index is None else [index]


def _add_characters(
    tokens: dict[str, int], pieces: Mapping[str, int]
) -> Mapping[str, int]:
    for piece, count in pieces.items():
        for character in piece:
            tokens[character] = tokens.get(character, 0) + count
    return tokens


TOKENIZERS: Mapping[str, type[Tokenizer]] = {
    kind.kind: kind for kind in (CharTokenizer, WordTokenizer)
}


def load_tokenizer(path: Path, error: type[HeadlineError]) -> Tokenizer:
    """Reads a vocab file.

    Args:
        path: a file that ``Tokenizer.save`` wrote.
        error: the kind of error to raise.

    Raises:
        HeadlineError: of the given kind, when the file is missing, damaged, or of a
            newer format.
    """
    content = read_json(path, error)
    problem = _vocab_problem(content)
    if problem:
        raise error(f"{path} is damaged: {problem}")
    kind = TOKENIZERS[content["kind"]]
    if content.get("format") != kind.format:
        raise error(
            f"{path} has format {content.get('format')!r}, this version reads "
            f"{kind.format} for --tokenizer {kind.kind}: update headline, or prepare "
            "and train anew"
        )
    vocab = Vocab((*SPECIAL_TOKENS, *content["tokens"]), content["vocab_size"])
    return kind(vocab)


def _vocab_problem(content: Mapping[str, Any]) -> str | None:
    tokens, size = content.get("tokens"), content.get("vocab_size")
    if content.get("kind") not in list(TOKENIZERS):  # it may be unhashable
        known = " and ".join(TOKENIZERS)
        return f"unknown kind of tokenizer {content.get('kind')!r}, known are {known}"
    if not isinstance(tokens, list) or not all(
        isinstance(token, str) and token for token in tokens
    ):
        return "tokens must be a list of strings"
    if len(set(tokens)) != len(tokens):
        return "a token occurs in it twice"
    most = len(tokens) + len(SPECIAL_TOKENS)
    if type(size) is not int or not len(SPECIAL_TOKENS) < size <= most:
        least = len(SPECIAL_TOKENS) + 1
        return f"its vocab_size is {size!r}, which is not between {least} and {most}"
    return None
