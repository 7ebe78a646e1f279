"""Stage A: finds the styles with the style VAE, and measures them.

The styles are found several times, with different seeds. One judge chooses headlines;
another one, which had no part in it, tells how well a style was obeyed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from headline.data.store import evenly
from headline.network.styles.form import MARKS, FormSpace, Group
from headline.network.styles.information import (
    active_units,
    matching,
    mutual_information,
    normalised_information,
    split_kl,
)
from headline.network.styles.posterior import StyleJudge
from headline.network.styles.vae import StyleVAE
from headline.settings.styles import StyleConfig
from headline.system.progress import Report
from headline.training.k_means import centroids, k_means, nearest
from headline.training.styles.pairs import Check, Pairs

Floats = NDArray[np.float32]
Row = dict[str, Any]

UPDATES, BATCH, RATE = 2_000, 128, 4e-3
SPANS = 10  # parts of the training; after each of them, it is measured
# The spans after which the KL counts in full, and after which the centres are set by
# k-means. Before, z has no clusters yet.
WARMUP, CENTRING = 4, 4
FITS = 3  # with different seeds
NEXT_SEED = 7919  # what the seed of a fit is greater by than that of the fit before
CENTRED = 8_000  # the most headlines whose z k-means clusters
USUAL_SHARE = 0.1  # of a mark, from which on it counts in full
LEAST_SCALE = 1e-3  # of a feature of the articles


@dataclass(frozen=True)
class Found:
    """The styles that were found."""

    judge: StyleJudge
    second: StyleJudge
    history: list[Row]  # of the VAE of the first judge
    agreements: list[float]  # normalised information of each pair of fits, best first


def find_styles(
    train: Pairs, held_out: Pairs, config: StyleConfig, report: Report, check: Check
) -> Found:
    """Finds the styles of a corpus.

    Of ``FITS`` fits with different seeds, the two that agree most are kept: styles that
    only one seed finds are no use to an editor.

    Args:
        train: at least as many pairs as styles.
        held_out: pairs to measure the styles on.
        report: called with each line to show to the user.
        check: called between updates.

    Raises:
        Interrupted: a stop was requested.
    """
    measured = held_out if len(held_out) else train
    data = _Data.of(train, measured)
    fits = [
        _Search(data, config.styles, config.seed + number * NEXT_SEED, check)
        for number in range(FITS)
    ]
    _run_all(fits, CENTRING, report)
    centre(fits)
    _run_all(fits, SPANS - CENTRING, report)
    for number, fit in enumerate(fits, 1):
        report(f"fit {number} of {FITS}: {_line(fit.history[-1])}")
    labels = [_labels(fit.judge(), measured) for fit in fits]
    agreements = {
        pair: normalised_information(labels[pair[0]], labels[pair[1]], config.styles)
        for pair in combinations(range(FITS), 2)
    }
    one, other = max(agreements, key=lambda pair: agreements[pair])
    judge = _by_share(fits[one].judge(), train)
    second = fits[other].judge()
    order = matching(_labels(judge, train), _labels(second, train), config.styles)
    found = sorted((round(value, 4) for value in agreements.values()), reverse=True)
    told = ", ".join(f"{value:.2f}" for value in found)
    report(f"normalised information of the styles of two fits: {told}")
    return Found(judge, second.reordered(order), fits[one].history, found)


def _by_share(judge: StyleJudge, pairs: Pairs) -> StyleJudge:
    """Returns the judge with its styles in the order of falling shares."""
    labels = _labels(judge, pairs)
    counts = np.bincount(labels, minlength=judge.styles)
    return judge.reordered(tuple(np.argsort(-counts, kind="stable").tolist()))


def _labels(judge: StyleJudge, pairs: Pairs) -> NDArray[np.intp]:
    """Returns the likeliest style of each headline, shape ``(N,)``."""
    labels: NDArray[np.intp]
    labels = judge.posterior(pairs.forms, pairs.features).argmax(axis=1)
    return labels


@dataclass(frozen=True)
class _Data:
    """What all fits are trained and measured on."""

    space: FormSpace
    groups: tuple[Group, ...]
    mean: Floats  # of the features of the train articles, and their scale
    scale: Floats
    # Forms are one byte for each 0 or 1 until a batch is made.
    train: tuple[NDArray[np.uint8], Floats]  # forms (N, F), articles (N, 2H)
    measured: tuple[NDArray[np.uint8], Floats]

    @classmethod
    def of(cls, train: Pairs, measured: Pairs) -> "_Data":
        """Encodes the pairs."""
        space = FormSpace.of(train.forms)
        both = train, measured
        codes = [space.encode(pairs.forms).astype(np.uint8) for pairs in both]
        return cls(
            space=space,
            groups=weighted_groups(space.groups, codes[0]),
            mean=train.features.mean(axis=0),
            scale=np.maximum(train.features.std(axis=0), LEAST_SCALE),
            train=(codes[0], train.features),
            measured=(codes[1], measured.features),
        )

    def inputs(self, forms: NDArray[Any], features: Floats) -> dict[str, Floats]:
        """Returns what the model reads."""
        article = (features - self.mean) / self.scale
        return {"form": forms.astype(np.float32), "article": article}


class _Search:
    """One style VAE.

    Args:
        check: called between updates.
    """

    def __init__(self, data: _Data, styles: int, seed: int, check: Check) -> None:
        self.data, self.seed, self.check = data, seed, check
        width = len(data.mean) // 2
        self.model = StyleVAE(
            data.space, width, styles, WARMUP * UPDATES // SPANS, seed, data.groups
        )
        self.model.build()
        falling = keras.optimizers.schedules.PolynomialDecay(RATE, UPDATES, 0.0)
        self.model.compile(keras.optimizers.Adam(falling))
        self.history: list[Row] = []

    def run(self, spans: int, report: Report) -> None:
        """Trains the model for some spans, and measures it after each of them."""
        forms, features = self.data.train
        order = np.split(_order(len(forms), self.seed), SPANS)
        begin = len(self.history)
        for span in range(begin, begin + spans):
            rows = order[span]
            self.model.fit(
                self.data.inputs(forms[rows], features[rows]),
                batch_size=BATCH,
                shuffle=False,  # the order is shuffled already
                callbacks=[_Guard(self.check)],
                verbose=0,
            )
            update = (span + 1) * UPDATES // SPANS
            self.history.append({"update": update, **self._measures()})
            report(f"style VAE: {_line(self.history[-1])}")

    def latents(self, places: Sequence[int]) -> Floats:
        """Returns the means of z of some train pairs, shape ``(N, D)``."""
        forms, features = self.data.train
        return self.judge().latent_of(forms[places], features[places])

    def judge(self) -> StyleJudge:
        """Returns the judge of the model as it is now."""
        data = self.data
        return StyleJudge(data.space, self.model.judge_arrays(data.mean, data.scale))

    def _measures(self) -> Row:
        """Returns the terms of the loss, and what the styles know, in nats."""
        inputs = self.data.inputs(*self.data.measured)
        found = self.model.evaluate_terms(inputs, self.seed)
        split = split_kl(found.z, found.mean, found.log_variance, found.kl)
        posterior = self.judge().styles_of(found.mean, found.log_prior)
        usage = np.exp(posterior).mean(axis=0)
        return {
            "reconstruction": round(found.reconstruction, 4),
            "kl": round(found.kl, 4),
            "prior_term": round(split.prior, 4),
            "latent_information": round(split.information, 4),
            "style_information": round(mutual_information(posterior), 4),
            "topic_information": round(mutual_information(found.log_prior), 4),
            "active_units": active_units(found.mean),
            "usage": sorted((round(float(one), 4) for one in usage), reverse=True),
        }


def _run_all(fits: Sequence[_Search], spans: int, report: Report) -> None:
    """Trains all fits; only the first one reports."""
    for fit in fits:
        fit.run(spans, report if fit is fits[0] else lambda line: None)


def centre(fits: Sequence[_Search]) -> None:
    """Sets the centres of all fits to the centroids of the same clusters of headlines.

    Forms can be cut into styles in several ways that are nearly as good, and fits that
    are left alone take other ones. So k-means clusters the z of each fit, and all fits
    go on from the clusters that agree most with those of the others.
    """
    places = evenly(len(fits[0].data.train[0]), CENTRED)
    latents = [fit.latents(places) for fit in fits]
    styles = fits[0].model.styles
    found = [
        nearest(z, k_means(z, styles, np.random.default_rng(fit.seed)))
        for fit, z in zip(fits, latents, strict=True)
    ]
    clusters = found[most_agreed(found, styles)]
    for fit, z in zip(fits, latents, strict=True):
        before = keras.ops.convert_to_numpy(fit.model.centres)
        fit.model.centres.assign(centroids(z, clusters, before))


def most_agreed(found: Sequence[NDArray[np.intp]], styles: int) -> int:
    """Returns the place of the clustering that agrees most with the others.

    Args:
        found: the cluster of each headline, shape ``(N,)``.
    """
    agreements = [
        sum(normalised_information(one, other, styles) for other in found)
        for one in found
    ]
    return int(np.argmax(agreements))


def weighted_groups(
    groups: tuple[Group, ...], codes: NDArray[np.uint8]
) -> tuple[Group, ...]:
    """Returns the groups of features, with lower weights of rare or common marks.

    A mark that few headlines have, or few lack, would make a style that hardly any
    headline is in.

    Args:
        codes: encoded forms of a corpus, 0 or 1, shape ``(N, F)``.
    """
    shares = codes.mean(axis=0)
    found = []
    for group in groups:
        if group.name in MARKS:
            share = float(shares[group.begin])
            usual = USUAL_SHARE * (1 - USUAL_SHARE)
            factor = min(1.0, share * (1 - share) / usual)
            group = group._replace(weight=group.weight * factor)
        found.append(group)
    return tuple(found)


def _order(pairs: int, seed: int) -> NDArray[np.intp]:
    """Returns the pairs of all updates, one epoch after another."""
    generator = np.random.default_rng(seed)
    epochs = -(-UPDATES * BATCH // pairs)
    order = np.concatenate([generator.permutation(pairs) for _ in range(epochs)])
    return order[: UPDATES * BATCH]


def _line(row: Row) -> str:
    usage = " ".join(f"{share:.0%}" for share in row["usage"])
    kl = f"{row['prior_term']:.2f} prior + {row['latent_information']:.2f} information"
    return (
        f"update {row['update']:,} of {UPDATES:,}, "
        f"reconstruction {row['reconstruction']:.2f}, KL {row['kl']:.2f} ({kl}), "
        f"I(y;t) {row['style_information']:.2f}, "
        f"I(y;x) {row['topic_information']:.2f}, "
        f"{row['active_units']} active units, usage {usage}"
    )


class _Guard(keras.callbacks.Callback):
    """Checks after each update whether a stop was requested."""

    def __init__(self, check: Callable[[], None]) -> None:
        super().__init__()
        self.check = check

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.check()
