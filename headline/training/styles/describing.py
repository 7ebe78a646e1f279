"""Descriptions of styles for people: shares, what is typical, examples, a map."""

import numpy as np
from numpy.typing import NDArray

from headline.data.store import evenly
from headline.network.styles.catalogue import Example, Style, StyleMap
from headline.network.styles.form import MARKS
from headline.network.styles.posterior import StyleJudge
from headline.training.styles.pairs import Pairs

EXAMPLES = 6  # of a style
EXCERPT = 60  # characters of an article beside an example
CLEAR = 0.8  # least q(y|t, a) of an example
MOST_TRAITS = 4
LEAST_APART = 0.08  # least difference of a trait's share from that of all headlines
COMMON = 0.3  # least share of a trait whose lack is worth telling
MAPPED = 600  # headlines on the map

# Traits as shares of the headlines, or means of shares.
COPIED, OPENING = "copied from the article", "begins as the article"


def describe(judge: StyleJudge, train: Pairs, held_out: Pairs) -> tuple[Style, ...]:
    """Describes the styles, with examples that nothing was learned from.

    Args:
        train: the pairs that the styles were found in.
        held_out: others, for the examples; if there are too few, those of ``train``.
    """
    labels = judge.posterior(train.forms, train.features).argmax(axis=1)
    shown = held_out if len(held_out) >= EXAMPLES * judge.styles else train
    posterior = np.exp(judge.posterior(shown.forms, shown.features))
    lengths, shares = _lengths(train), _shares(train)
    return tuple(
        _style(labels == style, lengths, shares, _examples(shown, posterior, style))
        for style in range(judge.styles)
    )


def _style(
    own: NDArray[np.bool_],
    lengths: NDArray[np.int64],
    shares: dict[str, NDArray[np.float64]],
    examples: tuple[Example, ...],
) -> Style:
    """Describes a style.

    Args:
        own: which headlines are in the style, shape ``(N,)``.
        lengths: of all headlines, shape ``(N,)``.
        shares: see ``_shares``.
    """
    median = float(np.median(lengths[own])) if own.any() else 0.0
    return Style(
        share=round(float(own.mean()), 4),
        median_length=median,
        traits=_traits(own, lengths, shares) if own.any() else (),
        examples=examples,
    )


def _lengths(pairs: Pairs) -> NDArray[np.int64]:
    return np.array([len(headline) for headline in pairs.headlines])


def _shares(pairs: Pairs) -> dict[str, NDArray[np.float64]]:
    """Returns traits of each headline, 0 to 1, by their names: shape ``(N,)`` each."""
    found = {
        name: np.array([name in form.marks for form in pairs.forms], float)
        for name in MARKS
    }
    found[OPENING] = np.array([form.place == 0 for form in pairs.forms], float)
    found[COPIED] = np.array([form.copied for form in pairs.forms])
    return found


def _traits(
    own: NDArray[np.bool_],
    lengths: NDArray[np.int64],
    shares: dict[str, NDArray[np.float64]],
) -> tuple[str, ...]:
    """Returns in words how a style differs from all headlines, the most first."""
    low, high = np.quantile(lengths, (0.35, 0.65))
    median = np.median(lengths[own])
    traits = ["short"] if median < low else ["long"] if median > high else []
    apart = {
        name: values[own].mean() - values.mean() for name, values in shares.items()
    }
    order = sorted(apart, key=lambda name: -abs(apart[name]))
    traits += [
        f"{name} {shares[name][own].mean():.0%} (of all {shares[name].mean():.0%})"
        for name in order
        if abs(apart[name]) >= LEAST_APART
        and (apart[name] > 0 or shares[name].mean() >= COMMON)
    ]
    return tuple(traits[:MOST_TRAITS])


def _examples(
    pairs: Pairs, posterior: NDArray[np.floating], style: int
) -> tuple[Example, ...]:
    """Returns clear examples of a style, spread over the pairs."""
    own = posterior.argmax(axis=1) == style
    clear = np.flatnonzero(own & (posterior[:, style] >= CLEAR))
    if len(clear) < EXAMPLES:
        best = np.argsort(-posterior[:, style], kind="stable")
        clear = np.sort(best[own[best]][:EXAMPLES])
    places = [int(clear[at]) for at in evenly(len(clear), EXAMPLES)]
    return tuple(
        Example(pairs.sources[place].text[:EXCERPT], pairs.headlines[place])
        for place in places
    )


def map_of(judge: StyleJudge, pairs: Pairs) -> StyleMap:
    """Returns some headlines in the latent space, in two dimensions.

    They are the first two principal components of the means of z.
    """
    places = evenly(len(pairs), MAPPED)
    forms, features = [pairs.forms[at] for at in places], pairs.features[places]
    latents, centres = judge.latent(forms, features), judge.arrays["centres"]
    styles = judge.styles_of(latents, judge.prior(features)).argmax(axis=1)
    middle = latents.mean(axis=0)
    axes = _principal_axes(latents - middle)
    return StyleMap(
        points=((latents - middle) @ axes).astype(np.float32),
        styles=styles.astype(np.int32),
        centres=((centres - middle) @ axes).astype(np.float32),
    )


def _principal_axes(centred: NDArray[np.floating]) -> NDArray[np.float64]:
    """Returns the two directions in which centred values vary most, ``(D, 2)``."""
    _, vectors = np.linalg.eigh(np.cov(centred.astype(np.float64), rowvar=False))
    axes = vectors[:, :-3:-1]  # eigenvalues are ascending
    # The sign of an eigenvector is arbitrary: let its greatest entry be positive.
    greatest = np.abs(axes).argmax(axis=0)
    signs = np.sign(axes[greatest, [0, 1]])
    result: NDArray[np.float64] = axes * signs
    return result
