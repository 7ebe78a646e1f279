"""The confidence of headlines: what a finished search tells about its headline.

Everything here is computed with NumPy from the hypotheses that the search has ended and
from the ids of the article, so it costs next to nothing and no other article of the
batch matters. Shape letters: N headlines, T tokens of the longest headline without EOS,
S tokens of the longest article, K hypotheses that are compared, D numbers of an
article.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from headline.generation.batching import windows
from headline.generation.headlines import Headline
from headline.network.confidence import ConfidenceModel, Doubles
from headline.search.beams import TRAIL, Hypothesis
from headline.text.ids import PAD, SPECIAL_TOKENS, Ids, pad
from headline.text.source import Source
from headline.text.tokenizer import Tokenizer

COMPARED = 4  # ended hypotheses of an article that are compared, the best ones
BEHIND = 2.5  # nats behind the best at most; farther ones depend on the pruning
AT_ONCE = 256  # headlines, to bound the memory
OPENING = 3  # first tokens of a headline
LEAST = 1e-6  # of a gate, away from 0 and 1
RARE = 6000  # ids from here on count alike

# The features of a headline; the log-probabilities are of its tokens with EOS.
FEATURES = (
    "expected_likeness",  # log of the likeness to all hypotheses by their probability
    "mean_log_prob",
    "least_log_prob",
    "unsure_tokens",  # share of the tokens with a probability below 1/2
    "opening_log_prob",  # sum over the first tokens
    "end_log_prob",
    "log_length",
    "new_bigrams",  # bigrams that the article lacks
    "copied",  # share of the tokens that the article has
    "place",  # log of the mean place in the article of the copied bigrams
    "has_digit",
    "gate_entropy",  # mean entropy of generating or copying
    "copy_entropy",  # mean entropy of where to copy, times the share of copying
    "most_copy_entropy",
    "agreement",  # likeness to the hypotheses, weighted by their probability
    "margin",  # share of its probability in that of the hypotheses
    "log_source_length",
    "unread",  # log of the characters that the model does not read
    "unknown",  # share of the article's tokens without an embedding
)
# The numbers of an article by which it is like or unlike others. Ids are ordered by
# frequency, so that their logarithm tells by Zipf's law how usual a token is.
NUMBERS = ("rank", "length", "unknown", "digits", "punctuation", "latin")


@dataclass(frozen=True)
class Articles:
    """Articles of a batch, as the numbers need them."""

    ids: Ids  # (B, S), PAD at the end
    sources: Sequence[Source]

    @classmethod
    def of(cls, sources: Sequence[Source]) -> "Articles":
        """Pads the ids of articles that are not blank."""
        return cls(pad([source.encoded.ids for source in sources]), sources)

    @cached_property
    def lengths(self) -> Doubles:
        """Tokens that are read, (B,)."""
        lengths: Doubles = (self.ids != PAD).sum(axis=1).astype(np.float64)
        return lengths

    def take(self, places: NDArray[np.intp]) -> "Articles":
        """Returns some of the articles, one perhaps several times."""
        return Articles(self.ids[places], [self.sources[place] for place in places])


class Estimator:
    """Estimates the confidence of headlines, and how usual articles are.

    Args:
        measures: computes what the model reads.
        model: the fitted weights.
    """

    def __init__(self, measures: "Measures", model: ConfidenceModel) -> None:
        self.measures = measures
        self.model = model

    def are_unlike(self, sources: Sequence[Source]) -> list[bool]:
        """Tells which articles are unlike the training corpus."""
        numbers = self.measures.numbers(Articles.of(sources))
        unlike: list[bool] = self.model.likeness.are_unlike(numbers).tolist()
        return unlike

    def estimated(
        self,
        found: Sequence[Sequence[Headline]],
        hypotheses: Sequence[Sequence[Hypothesis]],
        articles: Articles,
    ) -> list[list[Headline]]:
        """Returns the headlines of a batch with their confidence.

        Args:
            found: the headlines of each article.
            hypotheses: all that the search has ended, best first.
        """
        drafts = drafts_of(found, hypotheses)
        if not drafts:
            return [[*headlines] for headlines in found]
        measured = self.measures.measured(drafts, articles)
        chances = iter(self.model.chances(*measured).tolist())
        return [
            [replace(headline, confidence=next(chances)) for headline in headlines]
            for headlines in found
        ]


def estimator_of(
    tokenizer: Tokenizer, model: ConfidenceModel | None
) -> Estimator | None:
    """Returns the estimator of a model; None without one that this version can use.

    Another version may have fitted other features.
    """
    if model is None or not is_usable(model):
        return None
    return Estimator(Measures(tokenizer), model)


def is_usable(model: ConfidenceModel | None) -> bool:
    """Tells whether there is a confidence that this version can use."""
    if model is None:
        return False
    return (model.names, model.likeness.names) == (FEATURES, NUMBERS)


@dataclass(frozen=True)
class Draft:
    """A headline among the hypotheses of its article."""

    article: int  # its place in the batch
    own: Hypothesis
    compared: Sequence[Hypothesis]  # ``own`` is one of them; COMPARED at most


def drafts_of(
    found: Sequence[Sequence[Headline]], hypotheses: Sequence[Sequence[Hypothesis]]
) -> list[Draft]:
    """Returns each headline with the hypotheses of its article, in order."""
    return [
        _draft(article, headline, ended)
        for article, (headlines, ended) in enumerate(
            zip(found, hypotheses, strict=True)
        )
        for headline in headlines
    ]


def _draft(article: int, headline: Headline, ended: Sequence[Hypothesis]) -> Draft:
    own = next(one for one in ended if one.ids == headline.ids)
    others = [one for one in ended[:COMPARED] if one is not own][: COMPARED - 1]
    likeliest = max(one.log_prob for one in (own, *others))
    near = [one for one in others if one.log_prob >= likeliest - BEHIND]
    return Draft(article, own, [own, *near])


class Measures:
    """Computes features and numbers with the tokens of a model.

    Args:
        tokenizer: of the model.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        tokens = tokenizer.vocab.tokens
        kinds = np.array([_kinds(token) for token in tokens], np.float64)
        kinds[: len(SPECIAL_TOKENS)] = 0
        # The last row is for characters outside the vocab.
        self._kinds = np.concatenate([kinds, np.zeros((1, 3))])
        self._ranks = np.log(np.minimum(np.arange(len(tokens) + 1), RARE) + 10.0)
        self._ranks[PAD] = 0.0
        self._ranks[tokenizer.vocab.vocab_size :] = np.log(RARE + 10.0)

    def measured(
        self, drafts: Sequence[Draft], articles: Articles
    ) -> tuple[Doubles, Doubles]:
        """Returns the features, (N, F), and the numbers of the articles, (N, D).

        Args:
            articles: of the batch.
        """
        places = np.array([draft.article for draft in drafts])
        parts = [
            self.features(some, articles.take(places[begin : begin + AT_ONCE]))
            for begin, some in zip(
                range(0, len(drafts), AT_ONCE), windows(drafts, AT_ONCE), strict=True
            )
        ]
        return np.concatenate(parts), self.numbers(articles)[places]

    def numbers(self, articles: Articles) -> Doubles:
        """Returns the ``NUMBERS`` of each article, (B, D)."""
        known = self._known(articles.ids)
        # Integers add up to the same sum whatever the padding; so do sums of 1e-6.
        length = np.maximum(articles.lengths, 1)
        ranks = np.rint(self._ranks[known] * 1e6).sum(axis=1) / 1e6 / length
        shares = self._kinds[known].sum(axis=1) / length[:, None]
        return np.concatenate(
            [
                np.stack([ranks, np.log(length), np.sqrt(self._unknown(articles))], 1),
                np.sqrt(shares),
            ],
            axis=1,
        )

    def _known(self, ids: Ids) -> Ids:
        return np.minimum(ids, len(self.tokenizer.vocab))

    def _unknown(self, articles: Articles) -> Doubles:
        outside = (articles.ids >= self.tokenizer.vocab.vocab_size).sum(axis=1)
        shares: Doubles = outside / np.maximum(articles.lengths, 1)
        return shares

    def features(self, drafts: Sequence[Draft], articles: Articles) -> Doubles:
        """Returns the ``FEATURES`` of each headline, (N, F).

        Args:
            articles: that of each headline.
        """
        ids = pad([np.array(draft.own.ids, np.int32) for draft in drafts])
        unread = [len(one.whole) - len(one.text) for one in articles.sources]
        columns = {
            **_of_trails([draft.own for draft in drafts]),
            **_of_hypotheses(drafts, ids),
            **_of_copying(ids, articles),
            "has_digit": self._kinds[self._known(ids), 0].any(axis=1),
            "log_source_length": np.log(articles.lengths),
            "unread": np.log1p(unread),
            "unknown": self._unknown(articles),
        }
        return np.stack([columns[name] for name in FEATURES], axis=1).astype(np.float64)


def _kinds(token: str) -> tuple[float, float, float]:
    """Returns how many characters are digits, punctuation and Latin letters."""
    digits = sum(map(str.isdigit, token))
    latin = sum(one.isascii() and one.isalpha() for one in token)
    marks = sum(one in "，。；：、“”,.;:!?！？" for one in token)
    return digits, marks, latin


# --- the three sources of features ----------------------------------------------------


def _of_trails(owns: Sequence[Hypothesis]) -> dict[str, Doubles]:
    """Returns the features of probabilities, gates and copy entropies, each (N,)."""
    lengths = np.array([len(one.ids) + 1 for one in owns], np.float64)
    trails = np.zeros((len(owns), int(lengths.max()), TRAIL))
    for row, one in zip(trails, owns, strict=True):
        assert one.trail is not None  # the search was asked for them
        row[: len(one.trail)] = one.trail
    real = np.arange(trails.shape[1]) < lengths[:, None]
    log_probs, gate, entropy = np.moveaxis(trails, 2, 0)
    copied = np.where(real, (1 - gate) * entropy, 0)
    ends = lengths.astype(np.intp) - 1
    return {
        "mean_log_prob": log_probs.sum(axis=1) / lengths,
        "least_log_prob": log_probs.min(axis=1),
        "unsure_tokens": (log_probs < np.log(0.5)).sum(axis=1) / lengths,
        "opening_log_prob": log_probs[:, :OPENING].sum(axis=1),
        "end_log_prob": log_probs[np.arange(len(owns)), ends],
        "log_length": np.log(lengths),
        "gate_entropy": np.where(real, _entropy(gate), 0).sum(axis=1) / lengths,
        "copy_entropy": copied.sum(axis=1) / lengths,
        "most_copy_entropy": entropy.max(axis=1),
    }


def _entropy(share: Doubles) -> Doubles:
    share = np.clip(share, LEAST, 1 - LEAST)
    entropy: Doubles = -share * np.log(share) - (1 - share) * np.log(1 - share)
    return entropy


def _of_hypotheses(drafts: Sequence[Draft], ids: Ids) -> dict[str, Doubles]:
    """Returns the features that compare a headline with the other hypotheses, (N,).

    Args:
        ids: of the headlines, (N, T).
    """
    places = [(row, k) for row, one in enumerate(drafts) for k in range(_width(one))]
    rows, columns = np.array(places).T
    every = [one for draft in drafts for one in draft.compared]
    shape = len(drafts), max(map(_width, drafts))
    log_probs = np.full(shape, -np.inf)
    log_probs[rows, columns] = [one.log_prob for one in every]
    likeness = np.zeros(shape)
    others = pad([np.array(one.ids, np.int32) for one in every])
    likeness[rows, columns] = _likeness(others, ids[rows])
    likeliest = log_probs.max(axis=1)
    shares = np.exp(log_probs - likeliest[:, None])
    total, alike = shares.sum(axis=1), (shares * likeness).sum(axis=1)
    return {
        "expected_likeness": np.log(alike) + likeliest,
        "agreement": alike / total,
        "margin": shares[:, 0] / total,
    }


def _width(draft: Draft) -> int:
    return len(draft.compared)


def _likeness(some: Ids, others: Ids) -> Doubles:
    """Returns how many tokens of two headlines the other one has too, as a share, (N,).

    Args:
        some, others: shapes (N, T) and (N, T'), PAD at the end.
    """
    same = (some[:, :, None] == others[:, None, :]) & (some != PAD)[:, :, None]
    shared = same.any(axis=2).sum(axis=1) + same.any(axis=1).sum(axis=1)
    lengths = (some != PAD).sum(axis=1) + (others != PAD).sum(axis=1)
    shares: Doubles = shared / lengths
    return shares


def _of_copying(ids: Ids, articles: Articles) -> dict[str, Doubles]:
    """Returns the features of what the article has too, each (N,).

    Args:
        ids: of the headlines, (N, T).
    """
    lengths = (ids != PAD).sum(axis=1)
    held = _held(ids, articles.ids)
    # Ids stay below 2^31, so that a bigram fits into 64 bits.
    bigrams, pairs = _bigrams(ids), _bigrams(articles.ids)
    same = (bigrams[:, :, None] == pairs[:, None, :]) & (bigrams >= 0)[:, :, None]
    found = same.any(axis=2)
    count = found.sum(axis=1)
    first = np.where(found, same.argmax(axis=2), 0).sum(axis=1)
    mean = np.where(count > 0, first / np.maximum(count, 1), articles.lengths)
    return {
        "new_bigrams": (bigrams >= 0).sum(axis=1) - count,
        "copied": held.sum(axis=1) / lengths,
        "place": np.log1p(mean),
    }


def _held(ids: Ids, article: Ids) -> NDArray[np.bool_]:
    """Tells which tokens of headlines their articles have, (N, T)."""
    same = (ids[:, :, None] == article[:, None, :]) & (ids != PAD)[:, :, None]
    found: NDArray[np.bool_] = same.any(axis=2)
    return found


def _bigrams(ids: Ids) -> NDArray[np.int64]:
    """Returns a number for each bigram, (N, T - 1); -1 where one has padding."""
    wide = ids.astype(np.int64)
    if wide.shape[1] < 2:
        return np.full((len(ids), 1), -1, np.int64)
    joined = (wide[:, :-1] << 32) | wide[:, 1:]
    numbers: NDArray[np.int64] = np.where(ids[:, 1:] == PAD, -1, joined)
    return numbers
