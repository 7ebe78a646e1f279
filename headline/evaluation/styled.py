"""How well headlines keep to the styles that are asked for.

A judge cannot measure the headlines that it has chosen. So the second judge of the
model, found with another seed, says which style a headline has; and so does naive Bayes
on its plain form, which has nothing to do with either judge's network. Shape letters:
N headlines, K styles, F form features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headline.engines.base import NO_STYLE
from headline.evaluation.metrics import choice, rouge
from headline.generation.generator import Generator
from headline.generation.headlines import Headline
from headline.network.styles.catalogue import Styles
from headline.network.styles.form import Form, FormSpace
from headline.network.styles.information import mutual_information
from headline.settings.search import DecodeConfig
from headline.text.source import Source

Doubles = NDArray[np.float64]

# The groups of form features that a person could count; the others are characters.
PLAIN = ("length", "place", "colon", "space", "comma", "question", "quote", "copied")
SMOOTHING = 1.0  # added to each count, so that no probability is 0
# Other ways to get several headlines, to compare with.
WAYS: Mapping[str, Mapping[str, Any]] = {
    "--styles": {},
    "--diversity 1": {"diversity": 1.0},
    "--sample": {"sample": True, "top_p": 0.9, "temperature": 0.8},
}


class Judged(NamedTuple):
    """A headline as the second judge and the reference see it."""

    article: int
    asked: int  # the style that was asked for; NO_STYLE for a reference
    log_probs: NDArray[np.float32]  # log q(y|t, a) of the second judge, (K,)
    form: NDArray[np.float32]  # plain form features, 0 or 1, (F,)
    rouge_l: float
    length: int  # characters

    @property
    def style(self) -> int:
        """The style that the second judge finds likeliest."""
        return int(self.log_probs.argmax())


@dataclass(frozen=True)
class Choices:
    """How good and how different the headlines of an article are, in ROUGE-L."""

    mean: float
    best: float  # the best of them
    pairwise: float  # between two of them


@dataclass(frozen=True)
class Kept:
    """Shares of the headlines that have the style that was asked for, 0 to 1."""

    obedience: float  # by the second judge
    by_form: float  # by naive Bayes on the plain form
    chance: float  # as obedience, without the style in the decoder
    chance_by_form: float


@dataclass(frozen=True)
class EachStyle(Kept):
    """The measures of one style."""

    usage: float  # share of the references
    rouge_l: float
    length: float  # mean, characters


@dataclass(frozen=True)
class StyleScores:
    """How well headlines keep to their styles.

    Attributes:
        kept: over all styles.
        mutual_information: I(y;t) between style and reference, in nats.
        article_information: I(y;x) between style and article, in nats.
        own_style: ROUGE-L of the headlines in the style of the reference.
        each: by the names or numbers of the styles.
        choices: by the names of ``WAYS``.
    """

    kept: Kept
    mutual_information: float
    article_information: float
    own_style: float
    each: Mapping[str, EachStyle]
    choices: Mapping[str, Choices]

    def to_dict(self) -> dict[str, Any]:
        """Returns the measures, ready for JSON."""
        informed = self.mutual_information, self.article_information
        names = "mutual_information", "article_information"
        return {
            **_rounded(asdict(self.kept), 4),
            **_rounded(dict(zip(names, informed, strict=True)), 4),
            "usage": {name: round(one.usage, 4) for name, one in self.each.items()},
            "own_style_rouge_l": round(self.own_style, 2),
            "each": {name: _rounded(asdict(one), 4) for name, one in self.each.items()},
            "choices": {
                name: _rounded(asdict(one), 2) for name, one in self.choices.items()
            },
        }

    def table(self) -> str:
        """Returns the measures as a table for a person."""
        rows = [f"{'style':12}{'share':>7}{_KEPT_HEAD}{'ROUGE-L':>9}{'length':>8}"]
        rows += [
            f"{name[:11]:12}{one.usage:7.2f}{_kept_cells(one)}"
            f"{one.rouge_l:9.2f}{one.length:8.1f}"
            for name, one in self.each.items()
        ]
        rows += [
            f"{'all':12}{1:7.2f}{_kept_cells(self.kept)}",
            "",
            f"I(style; headline) {self.mutual_information:.2f} nats,"
            f" I(style; article) {self.article_information:.2f} nats;"
            f" ROUGE-L in the style of the reference {self.own_style:.2f}",
            "",
            f"{'ROUGE-L of several':20}{'mean':>8}{'best':>8}{'between two':>13}",
        ]
        rows += [
            f"{name:20}{one.mean:8.2f}{one.best:8.2f}{one.pairwise:13.2f}"
            for name, one in self.choices.items()
        ]
        return "\n".join(rows)


_KEPT_HEAD = f"{'obedience':>11}{'by form':>9}{'by chance':>11}{'by form':>9}"


def _kept_cells(kept: Kept) -> str:
    return (
        f"{kept.obedience:11.2f}{kept.by_form:9.2f}"
        f"{kept.chance:11.2f}{kept.chance_by_form:9.2f}"
    )


def _rounded(values: Mapping[str, float], digits: int) -> dict[str, float]:
    return {name: round(value, digits) for name, value in values.items()}


@dataclass
class StyleTally:
    """Collects what ``StyleScores`` needs, some articles at a time.

    Args:
        generator: writes one headline in each style.
        styles: of its model.
    """

    generator: Generator
    styles: Styles
    styled: list[Judged] = field(default_factory=list)
    by_chance: list[Judged] = field(default_factory=list)
    references: list[Judged] = field(default_factory=list)
    priors: list[NDArray[np.float32]] = field(default_factory=list)  # log p(y|a), (K,)
    choices: dict[str, list[Choices]] = field(default_factory=dict)

    def add(
        self,
        sources: Sequence[Source],
        references: Sequence[str],
        styled: Sequence[Sequence[Headline]],
    ) -> None:
        """Adds articles with their references and their headlines in each style."""
        config = self.generator.config
        batch = _Batch(sources, references, self.generator.features(sources))
        given = [[Headline(text, 0.0)] for text in references]
        by_chance = self._write(replace(config, by_chance=True), sources)
        begin = len(self.references)
        self.references += self._judged(batch, given, begin)
        self.styled += self._judged(batch, styled, begin)
        self.by_chance += self._judged(batch, by_chance, begin)
        self.priors += list(self.styles.second.prior(batch.features))
        plain = replace(
            config, styles=False, num_headlines=self.generator.written(config)
        )
        for name, way in WAYS.items():
            found = self._write(replace(plain, **way), sources) if way else styled
            self.choices.setdefault(name, []).extend(map(_choices, found, references))

    def _write(
        self, config: DecodeConfig, sources: Sequence[Source]
    ) -> list[list[Headline]]:
        return self.generator.generate(sources, [config] * len(sources))

    def _judged(
        self, batch: "_Batch", found: Sequence[Sequence[Headline]], begin: int
    ) -> list[Judged]:
        """Judges the headlines of some articles; blank ones are left out.

        Args:
            begin: number of the first article.
        """
        both = [
            (at, one) for at, several in enumerate(found) for one in several if one.text
        ]
        if not both:
            return []
        places = [at for at, _ in both]
        forms = [Form.of(one.text, batch.sources[at].text) for at, one in both]
        second = self.styles.second
        log_probs = second.posterior(forms, batch.features[places])
        plain = plain_features(second.space, forms)
        asked = (
            NO_STYLE if one.style is None else self.styles.place_of(one.style)
            for _, one in both
        )
        scores = (rouge(one.text, batch.references[at]).rouge_l for at, one in both)
        numbers = (begin + at for at in places)
        lengths = (len(one.text) for _, one in both)
        columns = zip(numbers, asked, log_probs, plain, scores, lengths, strict=True)
        return [*map(Judged._make, columns)]

    def scores(self) -> StyleScores:
        """Returns the measures of all articles so far."""
        own = {one.article: one.style for one in self.references}
        by_form = FormJudge.of(self.references)
        found, chance = (_kept(some, by_form) for some in (self.styled, self.by_chance))
        posterior = np.array([one.log_probs for one in self.references])
        shares = np.exp(posterior).mean(axis=0).tolist()
        each = {
            label: _each(place, shares[place], found, chance)
            for place, label in enumerate(self.styles.labels)
        }
        ways = {name: _mean_choices(several) for name, several in self.choices.items()}
        return StyleScores(
            kept=Kept(*_shares(found), *_shares(chance)),
            mutual_information=mutual_information(posterior),
            article_information=mutual_information(np.array(self.priors)),
            own_style=_mean(
                [one.rouge_l for one in self.styled if own[one.article] == one.asked]
            ),
            each=each,
            choices=ways,
        )


class _Batch(NamedTuple):
    """Articles with their references and features."""

    sources: Sequence[Source]
    references: Sequence[str]
    features: NDArray[np.float32]  # (B, 2 H): see ``StyleEngine.features``


class _Checked(NamedTuple):
    """A headline, and whether it has its style by the second judge and by its form."""

    one: Judged
    obeys: bool
    obeys_by_form: bool


def _kept(headlines: Sequence[Judged], by_form: "FormJudge") -> list[_Checked]:
    if not headlines:
        return []
    styles = by_form.styles(np.array([one.form for one in headlines]))
    return [
        _Checked(one, one.style == one.asked, style == one.asked)
        for one, style in zip(headlines, styles, strict=True)
    ]


def _shares(checked: Sequence[_Checked]) -> tuple[float, float]:
    return _mean([one.obeys for one in checked]), _mean(
        [one.obeys_by_form for one in checked]
    )


def _each(
    style: int, usage: float, found: Sequence[_Checked], chance: Sequence[_Checked]
) -> EachStyle:
    own, others = (
        [one for one in some if one.one.asked == style] for some in (found, chance)
    )
    return EachStyle(
        *_shares(own),
        *_shares(others),
        usage=usage,
        rouge_l=_mean([one.one.rouge_l for one in own]),
        length=_mean([one.one.length for one in own]),
    )


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else 0.0


def _choices(headlines: Sequence[Headline], reference: str) -> Choices:
    texts = [headline.text for headline in headlines]
    scores = [rouge(text, reference).rouge_l for text in texts]
    return Choices(fmean(scores), max(scores), choice(texts)["pairwise_rouge_l"])


def _mean_choices(several: Sequence[Choices]) -> Choices:
    return Choices(
        *(
            fmean(getattr(one, name) for one in several)
            for name in ("mean", "best", "pairwise")
        )
    )


# --- plain form -----------------------------------------------------------------------


def plain_features(space: FormSpace, forms: Sequence[Form]) -> NDArray[np.float32]:
    """Returns the ``PLAIN`` features of N forms, 0 or 1, ``(N, F)``.

    In each group exactly one feature is 1: the bucket of a length, a share or a place,
    or whether there is a mark.
    """
    encoded = space.encode(forms)
    parts = []
    for group in space.groups:
        part = encoded[:, group.begin : group.end]
        if not group.is_choice:  # a 1 for each bound that is reached
            reached = np.pad(part, ((0, 0), (1, 1)), constant_values=((0, 0), (1, 0)))
            part = reached[:, :-1] - reached[:, 1:]
        if group.name in PLAIN:
            parts.append(part)
    return np.concatenate(parts, axis=1)


class FormJudge(NamedTuple):
    """Naive Bayes over plain form features."""

    log_shares: Doubles  # (K,): log p(y)
    log_probs: Doubles  # (K, F): log p(feature|y)

    @classmethod
    def of(cls, references: Sequence[Judged]) -> "FormJudge":
        """Counts the features of references, whose styles the second judge says."""
        weights = np.exp(np.array([one.log_probs for one in references], np.float64))
        forms = np.array([one.form for one in references], np.float64)
        totals = weights.sum(axis=0)
        counts = weights.T @ forms + SMOOTHING
        log_probs = np.log(counts / (totals[:, None] + 2 * SMOOTHING))
        return cls(np.log(np.maximum(totals, SMOOTHING) / totals.sum()), log_probs)

    def styles(self, forms: NDArray[np.float32]) -> list[int]:
        """Returns the likeliest style of each form, ``(N, F)``."""
        scores = forms @ self.log_probs.T + self.log_shares
        likeliest: list[int] = scores.argmax(axis=1).tolist()
        return likeliest
