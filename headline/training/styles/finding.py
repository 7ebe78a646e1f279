"""Stage A: finds the styles with the style VAE, and measures them.

The styles are found several times, with different seeds. One judge chooses headlines;
another one, which had no part in it, tells how well a style was obeyed.
"""

from collections.abc import Callable
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
from headline.training.k_means import k_means
from headline.training.styles.pairs import Check, Pairs

Floats = NDArray[np.float32]
Row = dict[str, Any]

UPDATES, BATCH, RATE = 2_000, 128, 4e-3
SPANS = 10  # parts of the training; after each of them, it is measured
# The spans after which the KL counts in full, and after which the centres are set to
# the k-means centroids of z. Before, z has no clusters yet.
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
    space = FormSpace.of(train.forms)
    measured = held_out if len(held_out) else train
    fits = []
    for number in range(FITS):
        seed = config.seed + number * NEXT_SEED
        fits.append(_Search(space, train, measured, config.styles, seed))
        fits[-1].run(report if not number else lambda line: None, check)
        report(f"fit {number + 1} of {FITS}: {_line(fits[-1].history[-1])}")
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


class _Search:
    """One style VAE, and the data that it is trained and measured on."""

    def __init__(
        self, space: FormSpace, train: Pairs, measured: Pairs, styles: int, seed: int
    ) -> None:
        self.space, self.styles, self.seed = space, styles, seed
        self.mean = train.features.mean(axis=0)
        self.scale = np.maximum(train.features.std(axis=0), LEAST_SCALE)
        # One byte for each 0 or 1 until a batch is made.
        self.train = space.encode(train.forms).astype(np.uint8), train.features
        self.measured = space.encode(measured.forms), measured.features
        width = train.features.shape[1] // 2
        groups = weighted_groups(space.groups, self.train[0])
        self.model = StyleVAE(
            space, width, styles, WARMUP * UPDATES // SPANS, seed, groups
        )
        self.model.build()
        falling = keras.optimizers.schedules.PolynomialDecay(RATE, UPDATES, 0.0)
        self.model.compile(keras.optimizers.Adam(falling))
        self.history: list[Row] = []

    def run(self, report: Report, check: Check) -> None:
        """Trains the model, and measures it after each span of updates."""
        order = _order(len(self.train[0]), self.seed)
        for span, rows in enumerate(np.split(order, SPANS), 1):
            self.model.fit(
                self._inputs(self.train[0][rows], self.train[1][rows]),
                batch_size=BATCH,
                shuffle=False,  # the order is shuffled already
                callbacks=[_Guard(check)],
                verbose=0,
            )
            if span == CENTRING:
                self._centre()
            update = span * UPDATES // SPANS
            self.history.append({"update": update, **self._measures()})
            report(f"style VAE: {_line(self.history[-1])}")

    def judge(self) -> StyleJudge:
        """Returns the judge of the model as it is now."""
        return StyleJudge(self.space, self.model.judge_arrays(self.mean, self.scale))

    def _inputs(self, forms: NDArray[Any], features: Floats) -> dict[str, Floats]:
        article = (features - self.mean) / self.scale
        return {"form": forms.astype(np.float32), "article": article}

    def _centre(self) -> None:
        """Sets the centres of the styles to the k-means centroids of z."""
        places = evenly(len(self.train[0]), CENTRED)
        forms, features = self.train
        latents = self.judge().latent_of(forms[places], features[places])
        centres = k_means(latents, self.styles, np.random.default_rng(self.seed))
        self.model.centres.assign(centres.astype(np.float32))

    def _measures(self) -> Row:
        """Returns the terms of the loss, and what the styles know, in nats."""
        found = self.model.evaluate_terms(self._inputs(*self.measured), self.seed)
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
