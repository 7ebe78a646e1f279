"""Stage B: fits the style tables of the decoder; all other weights stay as they are."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from headline.bundle import Bundle
from headline.data.store import Dataset, Side, Split
from headline.errors import BundleError, TrainingError
from headline.network.model import (
    STYLE,
    assign_weights,
    built,
    read_back,
    weight_name,
)
from headline.network.objective import make_style_objective
from headline.network.styles.contrast import GROUP, OTHER_STYLE, ContrastModel
from headline.network.weights import Weights
from headline.settings.styles import StyleConfig
from headline.settings.train import TrainConfig
from headline.system.interrupt import Wish
from headline.system.progress import Report, Ticker, clock
from headline.text.ids import Ids
from headline.training.batches import Batch, Batches, compiles_each_shape, pipeline
from headline.training.schedule import learning_rate
from headline.training.styles.pairs import Pairs
from headline.training.styles.written import Written, repeats
from headline.training.training import set_rate

Arrays = Mapping[str, NDArray[Any]]
Floats = NDArray[np.floating]

WARMUP = 100  # updates in which the rate rises
EVERY = 300  # updates of a row of the history
TABLES, OPTIMIZER, LESSONS = "tables/", "optimizer/", "lessons/"  # in a checkpoint


# --- what is learned from -------------------------------------------------------------


@dataclass(frozen=True)
class Lessons:
    """Headlines as ids, with their styles: first the corpus's own, then the model's."""

    split: Split
    log_posterior: Floats  # (N, K): log q(y|t, a) of each headline of the corpus
    styles: NDArray[np.int64]  # (M,): of each headline of the model

    @classmethod
    def of(
        cls, pairs: Pairs, written: Sequence[Written], log_posterior: Floats, seed: int
    ) -> "Lessons":
        """Makes as many lessons of the corpus as of the model, if there are enough.

        Args:
            log_posterior: of the pairs, one row for each.
            seed: decides which pairs of the corpus are taken.
        """
        generator = np.random.default_rng((seed, 1))
        styles, count = [one.style for one in written], log_posterior.shape[1]
        times = repeats(styles, count) if styles else []
        own = [one for one in written for _ in range(times[one.style])]
        most = min(len(pairs), max(len(own), 1))
        places = np.sort(generator.choice(len(pairs), most, replace=False)).tolist()
        texts = [(place, pairs.headlines[place]) for place in places]
        texts += [(one.pair, one.headline) for one in own]
        return cls(
            split=_encoded(pairs, texts),
            log_posterior=log_posterior[places],
            styles=np.array([one.style for one in own], np.int64),
        )

    def draw(self, seed: int, epoch: int) -> tuple[Ids, Ids]:
        """Draws a style for each headline of an epoch, and another one to compare.

        Returns:
            both int32, shape ``(N + M,)``.
        """
        generator = np.random.default_rng((seed, epoch, 2))
        count = self.log_posterior.shape[1]
        # The greatest of log-probabilities with Gumbel noise is a draw.
        noise = generator.gumbel(size=self.log_posterior.shape)
        drawn = (self.log_posterior + noise).argmax(axis=1)
        styles = np.concatenate([drawn, self.styles]).astype(np.int32)
        steps = generator.integers(1, count, len(styles))
        return styles, ((styles + steps) % count).astype(np.int32)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Returns the lessons as arrays, for a checkpoint."""
        source, target = self.split.source, self.split.target
        return {
            LESSONS + "source": source.ids,
            LESSONS + "source_offsets": source.offsets,
            LESSONS + "target": target.ids,
            LESSONS + "target_offsets": target.offsets,
            LESSONS + "log_posterior": self.log_posterior,
            LESSONS + "styles": self.styles,
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> "Lessons":
        """Makes the lessons from what ``to_arrays`` returned."""
        one = {name: arrays[LESSONS + name] for name in ("log_posterior", "styles")}
        source, target = (
            Side(arrays[LESSONS + name], arrays[f"{LESSONS}{name}_offsets"])
            for name in ("source", "target")
        )
        return cls(Split(source, target), **one)


def _encoded(pairs: Pairs, texts: Sequence[tuple[int, str]]) -> Split:
    """Encodes headlines and their articles.

    Args:
        texts: the place of each article in ``pairs``, and the headline.
    """
    tokenizer = pairs.tokenizer
    sources = [pairs.sources[place].encoded for place, _ in texts]
    targets = [
        tokenizer.encode(text, source.extra).ids
        for source, (_, text) in zip(sources, texts, strict=True)
    ]
    return Split(_side([one.ids for one in sources]), _side(targets))


def _side(rows: Sequence[Ids]) -> Side:
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    return Side(np.concatenate(rows).astype(np.uint32), offsets)


class StyleBatches(Batches):
    """The batches of an epoch of lessons, with the styles of their headlines."""

    def __init__(
        self,
        dataset: Dataset,
        lessons: Lessons,
        config: TrainConfig,
        epoch: int,
        first: int,
    ) -> None:
        self._styles = lessons.draw(config.seed, epoch)
        super().__init__(dataset, "train", config, epoch, first=first)

    def _make_parts(self, pairs: NDArray[np.intp]) -> list[Batch]:
        (batch,) = super()._make_parts(pairs)
        own, other = (self._of_rows(styles, pairs) for styles in self._styles)
        return [batch | {STYLE: own, OTHER_STYLE: other}]

    def _of_rows(self, styles: Ids, pairs: NDArray[np.intp]) -> Ids:
        missing = self.config.batch_size - len(pairs) if compiles_each_shape() else 0
        return np.pad(styles[pairs], (0, missing))


# --- learning -------------------------------------------------------------------------


@dataclass
class Progress:
    """How far the tables are learned."""

    update: int = 0  # updates done
    epoch: int = 0  # of the lessons
    batches: int = 0  # done in this epoch
    seconds: float = 0.0  # wall time of the whole fit
    losses: list[list[float]] = field(default_factory=list)  # since the last row
    history: list[dict[str, float]] = field(default_factory=list)

    def record(self, losses: Sequence[float]) -> bool:
        """Adds the losses of an update; returns whether a row is complete."""
        self.update += 1
        self.batches += 1
        self.losses.append([float(loss) for loss in losses])
        return len(self.losses) == EVERY

    def end_row(self, names: Sequence[str]) -> None:
        """Adds a row to the history: the means since the last row."""
        if self.losses:
            means = np.mean(self.losses, axis=0)
            named = zip(names, (round(float(one), 5) for one in means), strict=True)
            self.history.append({"update": self.update, **dict(named)})
            self.losses = []


@dataclass(frozen=True)
class Tuning:
    """The style tables while they are learned.

    Args:
        dataset: gives the tokenizer's form of a dataset; its splits are not read.
        begin: when the fit began, by ``time.monotonic``.
        save: writes a checkpoint.
    """

    config: StyleConfig
    model: ContrastModel
    lessons: Lessons
    dataset: Dataset
    progress: Progress
    begin: float
    wish: Wish
    report: Report
    save: Callable[[], None]

    @property
    def seconds(self) -> float:
        """The wall time since the fit began."""
        return time.monotonic() - self.begin

    @property
    def limit(self) -> float:
        """The longest wall time, in seconds."""
        return (self.config.max_minutes or math.inf) * 60

    @property
    def share(self) -> float:
        """The share of the updates, or of the time, that is over."""
        updates = self.progress.update / self.config.updates
        return max(updates, self.seconds / self.limit)

    @property
    def loss_names(self) -> list[str]:
        """The names of the losses, in the order of ``Progress.losses``."""
        return [loss.name for loss in self.model.objective.losses]

    def run(self) -> None:
        """Learns until the updates or the time are used up.

        Raises:
            Interrupted: a stop was requested; no checkpoint has been written for it.
        """
        progress, config = self.progress, _train_config(self.config)
        splits = {"train": self.lessons.split}
        dataset = replace(self.dataset, splits=splits)
        while self.share < 1:
            batches = StyleBatches(
                dataset, self.lessons, config, progress.epoch, progress.batches
            )
            if len(batches):
                with pipeline(batches) as stream:
                    self.model.fit(
                        stream, callbacks=[_Learning(self)], verbose=0, shuffle=False
                    )
            if progress.batches == len(batches) + batches.first:
                progress.epoch, progress.batches = progress.epoch + 1, 0
        progress.end_row(self.loss_names)

    def tables(self) -> Weights:
        """Returns the style tables as learned, by the names of ``weight_specs``."""
        read_back(self.model)
        return {
            weight_name(weight): keras.ops.convert_to_numpy(weight.value)
            for weight in self.model.trainable_variables
        }

    def finished_tables(self) -> Weights:
        """Returns the tables of the model: ``strength`` times what was learned."""
        strength = np.float32(self.config.strength)
        return {name: table * strength for name, table in self.tables().items()}

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Returns all that a resume needs, as arrays."""
        optimizer = self.model.optimizer.variables
        values = (keras.ops.convert_to_numpy(one.value) for one in optimizer)
        return {
            **{TABLES + name: table for name, table in self.tables().items()},
            **{f"{OPTIMIZER}{at:03d}": value for at, value in enumerate(values)},
            **self.lessons.to_arrays(),
        }

    def restore(self, arrays: Arrays) -> None:
        """Sets tables and optimizer from what ``to_arrays`` returned.

        Raises:
            BundleError: the arrays are of another model.
        """
        weights = self.model.trainable_variables
        named = {TABLES + weight_name(one): one for one in weights}
        named |= {
            f"{OPTIMIZER}{at:03d}": one
            for at, one in enumerate(self.model.optimizer.variables)
        }
        for name, variable in named.items():
            if name not in arrays or arrays[name].shape != tuple(variable.shape):
                raise BundleError("the checkpoint of the styles is of another model")
            variable.assign(arrays[name])


def make_model(bundle: Bundle, config: StyleConfig) -> ContrastModel:
    """Returns the model with fresh style tables, ready to learn them.

    Args:
        bundle: without styles.
    """
    network = replace(bundle.model, styles=config.styles)
    model = built(ContrastModel(network, dtype=keras.DTypePolicy("float32")))
    own = {
        weight_name(weight): keras.ops.convert_to_numpy(weight)
        for weight in model.network_weights()
    }
    fresh = {name: one for name, one in own.items() if name.startswith(f"{GROUP}/")}
    assign_weights(model, {**bundle.weights, **fresh})
    model.freeze()
    optimizer = keras.optimizers.Adam(config.learning_rate)
    optimizer.build(model.trainable_variables)
    jit = keras.backend.backend() == "jax"  # see ``train``
    model.compile(optimizer, make_style_objective(config.contrast), jit_compile=jit)
    return model


def _train_config(config: StyleConfig) -> TrainConfig:
    return TrainConfig(
        batch_size=config.batch_size,
        seed=config.seed,
        learning_rate=config.learning_rate,
        warmup_updates=WARMUP,
    )


class _Learning(keras.callbacks.Callback):
    """Sets the rate of each update, records its losses, and stops when it is over."""

    def __init__(self, tuning: Tuning) -> None:
        super().__init__()
        self.tuning = tuning
        self.ticker = Ticker()
        self.saved = tuning.seconds
        self.start = tuning.seconds, tuning.progress.update

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        tuning = self.tuning
        config = _train_config(tuning.config)
        rate = learning_rate(config, tuning.progress.update, min(1.0, tuning.share))
        set_rate(self.model, rate)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any]) -> None:
        tuning, progress = self.tuning, self.tuning.progress
        losses = [float(logs[name]) for name in tuning.loss_names]
        if not all(map(math.isfinite, losses)):
            raise TrainingError(
                f"the loss of update {progress.update + 1} of the style tables is no "
                "number any more: give a lower --learning-rate"
            )
        if progress.record(losses):
            progress.end_row(tuning.loss_names)
        self._tell(losses)
        if tuning.share >= 1:
            self.model.stop_training = True
            return
        tuning.wish.check()
        if tuning.seconds - self.saved >= 60 * tuning.config.checkpoint_minutes:
            tuning.save()
            self.saved = tuning.seconds

    def _tell(self, losses: Sequence[float]) -> None:
        tuning, update = self.tuning, self.tuning.progress.update
        if self.ticker.is_due():
            named = zip(tuning.loss_names, losses, strict=True)
            told = ", ".join(
                f"{name.replace('_', '-')} {one:.3f}" for name, one in named
            )
            seconds, updates = self.start
            pace = (tuning.seconds - seconds) / (update - updates)
            left = min(
                pace * (tuning.config.updates - update), tuning.limit - tuning.seconds
            )
            tuning.report(
                f"style tables, update {update:,} of {tuning.config.updates:,}: "
                f"{told} a token, {clock(left)} left"
            )
