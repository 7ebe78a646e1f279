"""``headline topics``: fits the topic model and writes the topic of each pair.

[The page](topics.md) has the mathematics and the comparison with other methods.

Shape letters: B articles, Z dimensions of z, K topics.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from headline.data.bags import BagMaker, Floats
from headline.data.store import (
    SPLITS,
    TOPICS,
    Dataset,
    Places,
    Side,
    evenly,
    open_dataset,
    read_report,
    replacing_topics,
)
from headline.data.topics import Assigned, Topic, described
from headline.errors import ConfigError, TrainingError
from headline.network.backend import select_device
from headline.network.styles.information import entropy
from headline.network.topic_vae import TopicVae
from headline.pages.topics_section import with_topics
from headline.settings.topics import TopicsConfig
from headline.system.progress import Meter, Report
from headline.training.k_means import k_means

CENTRED_ON = 10_000  # articles whose z k-means gets, at most
LAST_RATE = 0.05  # of the first learning rate
CHUNK = 512  # articles that are encoded at once

WriteRow = Callable[[Iterable[object]], object]


@dataclass(frozen=True)
class Found:
    """The topics of a dataset.

    Attributes:
        path: the CSV file with the topic of each pair.
        topics: those that have a pair.
        figures: the loss terms and I(x;y) in nats, by name.
    """

    path: Path
    topics: list[Topic]
    figures: Mapping[str, float]

    def table(self) -> str:
        """Returns the topics as a table for the terminal."""
        head = f"{'topic':>5}  {'share':>6}  typical words"
        rows = (
            f"{one.topic:>5}  {one.share:>6.1%}  {' '.join(one.words)}".rstrip()
            for one in self.topics
        )
        return "\n".join([head, *rows])

    def to_dict(self) -> dict[str, Any]:
        """Returns everything, ready for JSON."""
        topics = [topic.to_dict() for topic in self.topics]
        return {"file": str(self.path), "topics": topics, **self.figures}


def find_topics(
    data_dir: Path, config: TopicsConfig, overwrite: bool, report: Report
) -> Found:
    """Finds the topics of a dataset, and writes topics.csv into its folder.

    The report of the dataset shows them.

    Args:
        overwrite: replace a topics.csv that is there.
        report: called with each line to show to the user.

    Raises:
        ConfigError: there are more topics than articles.
        DataError: the DATA_DIR is missing or damaged, or has topics already.
        TrainingError: the articles are too few, or training diverged.
        HeadlineError: the folder cannot be written.
    """
    with replacing_topics(data_dir, overwrite) as draft:
        dataset = open_dataset(data_dir)
        select_device(config.device)
        model, maker, figures = fit_topics(dataset, config, report)
        found = {name: assign(model, maker, dataset, name) for name in SPLITS}
        figures["topic_information"] = topic_information([*found.values()])
        order = _by_share(found.values())
        _write(draft.write_row, dataset, found, order)
        topics = described(dataset, found, order)
        draft.write_report(with_topics(read_report(data_dir), topics))
    report(_closing(figures, config))
    if len(topics) < config.topics:
        report(f"only {len(topics)} of the {config.topics} topics have a pair")
    return Found(data_dir / TOPICS, topics, figures)


def _closing(figures: Mapping[str, float], config: TopicsConfig) -> str:
    return (
        f"nats per article: reconstruction {figures['reconstruction']:.1f}, "
        f"KL {figures['kl']:.2f}, I(x;y) {figures['topic_information']:.2f} of at most "
        f"{math.log(config.topics):.2f}"
    )


# --- fitting --------------------------------------------------------------------------


def fit_topics(
    dataset: Dataset, config: TopicsConfig, report: Report
) -> tuple[TopicVae, BagMaker, dict[str, float]]:
    """Fits the model on train articles; the same seed gives the same model.

    Returns:
        the model, what makes its bags, and the terms of the loss in the last epoch in
        nats per article: ``reconstruction`` and ``kl``.

    Raises:
        ConfigError: there are more topics than articles.
        TrainingError: no token can be counted, or the loss became NaN.
    """
    source = dataset.splits["train"].source
    places = np.array(evenly(len(source), config.fit_articles), np.intp)
    if config.topics > len(places):
        raise ConfigError(
            f"must be at most the number of articles to fit on, {len(places):,}; "
            f"got {config.topics}",
            "topics",
        )
    maker = BagMaker.chosen_from(dataset, places, config.tokens)
    if not maker.size:
        raise TrainingError(
            f"the {len(places):,} train articles of {dataset.path} share too few "
            "characters to tell topics apart: prepare more pairs"
        )
    keras.utils.set_random_seed(config.seed)
    model = TopicVae(config, maker.weights, maker.totals)
    fit = _Fit(model, maker, source, places, config)
    report(
        f"{len(places):,} articles, {maker.size:,} kinds of tokens, "
        f"{fit.updates:,} updates; {keras.backend.backend()}"
    )
    with Meter("topics", "updates", report, fit.updates) as meter:
        return model, maker, fit.run(meter)


class _Fit:
    """One fit: its plan, and where it is.

    Args:
        places: the train articles to fit on.
    """

    def __init__(
        self,
        model: TopicVae,
        maker: BagMaker,
        source: Side,
        places: Places,
        config: TopicsConfig,
    ) -> None:
        self.model, self.maker = model, maker
        self.source, self.places, self.config = source, places, config
        self._batch_size = min(config.batch_size, len(places))
        self._epochs = config.epochs_for(len(places))
        # Full batches only, so that JAX compiles one shape. The articles left over are
        # others in each epoch.
        self._epoch_updates = len(places) // self._batch_size
        self.updates = self._epochs * self._epoch_updates
        self._recentred = max(1, round(config.recentre_after * self.updates))
        self._generator = np.random.default_rng(config.seed)
        rate = keras.optimizers.schedules.PolynomialDecay(
            config.learning_rate, self.updates, LAST_RATE * config.learning_rate
        )
        # XLA under TensorFlow takes longer to compile than the fit to run.
        jit = keras.backend.backend() == "jax"
        model.compile(keras.optimizers.Adam(rate), jit_compile=jit)

    def run(self, meter: Meter) -> dict[str, float]:
        """Makes all updates; returns the terms of the loss in the last epoch."""
        logs: dict[str, float] = {}
        for epoch in range(self._epochs):
            self.model.reset_metrics()
            for number, batch in enumerate(self._batches()):
                logs = self._update(epoch * self._epoch_updates + number, batch)
                meter.advance(1)
            if not math.isfinite(logs["loss"]):
                raise TrainingError(
                    f"training diverged: the loss of epoch {epoch + 1} is not finite; "
                    "lower --learning-rate"
                )
        return {name: float(logs[name]) for name in ("reconstruction", "kl")}

    def _batches(self) -> Iterator[Places]:
        order = self._generator.permutation(self.places)
        for number in range(self._epoch_updates):
            yield order[number * self._batch_size :][: self._batch_size]

    def _update(self, number: int, batch: Places) -> dict[str, float]:
        if number == self._recentred:
            self._recentre()
        # Until the centres are where z is, the KL term only grows: at full weight it
        # would pull all z into one cluster before there are any.
        self.model.kl_weight.assign(min(1.0, (number + 1) / self._recentred))
        bags = self.maker.bags(self.source, batch)
        logs: dict[str, float] = self.model.train_on_batch(bags, return_dict=True)
        return logs

    def _recentre(self) -> None:
        """Sets the centres μ_y to the k-means centroids of z."""
        some = self.places[evenly(len(self.places), CENTRED_ON)]
        z = np.concatenate([*means(self.model, self.maker, self.source, some)])
        centres = k_means(z, self.config.topics, self._generator)
        self.model.centres.assign(centres)


# --- the topics of the articles -------------------------------------------------------


def means(
    model: TopicVae, maker: BagMaker, source: Side, places: Places
) -> Iterator[Floats]:
    """Yields the mean of p(z|x) of some articles, ``CHUNK`` at a time, ``(B, Z)``."""
    for begin in range(0, len(places), CHUNK):
        mean, _ = model.encode(maker.bags(source, places[begin : begin + CHUNK]))
        yield np.asarray(keras.ops.convert_to_numpy(mean))


def posteriors(model: TopicVae, maker: BagMaker, source: Side) -> Iterator[Floats]:
    """Yields p(y|z) of all articles, ``CHUNK`` at a time, shape ``(B, K)``.

    z is the mean of p(z|x).
    """
    for z in means(model, maker, source, np.arange(len(source))):
        yield np.asarray(keras.ops.convert_to_numpy(model.posterior(z)))


def assign(model: TopicVae, maker: BagMaker, dataset: Dataset, split: str) -> Assigned:
    """Returns the likeliest topic of each pair of a split."""
    source = dataset.splits[split].source
    topics = np.zeros(len(source), np.int16)
    probabilities = np.zeros(len(source), np.float32)
    posterior = np.zeros(model.centres.shape[0])
    total, begin = 0.0, 0
    for some in posteriors(model, maker, source):
        end = begin + len(some)
        topics[begin:end] = some.argmax(axis=1)
        probabilities[begin:end] = some.max(axis=1)
        posterior += some.sum(axis=0)
        total += len(some) * float(entropy(some).mean())
        begin = end
    return Assigned(topics, probabilities, posterior, total)


def topic_information(found: Sequence[Assigned]) -> float:
    """Returns I(x;y) = H(mean of p(y|z)) − mean of H(p(y|z)) in nats."""
    pairs = sum(len(one.topics) for one in found)
    posterior = sum((one.posterior for one in found), np.zeros(1))
    total = sum(one.entropy for one in found)
    return float(entropy(posterior / pairs)) - total / pairs


def _by_share(found: Iterable[Assigned]) -> list[int]:
    """Returns the topics that have a pair, by falling number of pairs."""
    pairs = Counter[int]()
    for one in found:
        pairs.update(one.topics.tolist())
    return sorted(pairs, key=lambda topic: (-pairs[topic], topic))


def _write(
    write_row: WriteRow,
    dataset: Dataset,
    found: Mapping[str, Assigned],
    order: Sequence[int],
) -> None:
    """Writes the topic of each pair; pairs and topics are counted from 1."""
    numbers = {topic: number for number, topic in enumerate(order, 1)}
    for split, one in found.items():
        rows = zip(
            one.topics.tolist(),
            one.probabilities.tolist(),
            dataset.headlines(split),
            strict=True,
        )
        for pair, (topic, probability, headline) in enumerate(rows, 1):
            write_row((split, pair, numbers[topic], f"{probability:.4f}", headline))
