"""The state of a training: saved in checkpoints, and continued by ``--resume``.

A checkpoint holds the weights, the optimizer, the seeds of dropout and the metrics, and
batches are planned per epoch. So a resumed training makes the same updates as one that
never stopped, wherever in an epoch it stopped.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from statistics import fmean
from typing import Any

import keras

from headline.bundle import Checkpoint, manifest_sha256
from headline.data.store import UNPAIRED, Dataset
from headline.errors import BundleError, TrainingError
from headline.evaluation.metrics import Rouge
from headline.evaluation.significance import is_clearly_lower
from headline.network.model import HeadlineModel
from headline.settings.presets import Run
from headline.training.phases import ONLY_PAIRS, Phase

# Settings that may change on --resume: where it runs, and what it shows.
MAY_DIFFER = {"device", "samples", "checkpoint_minutes", "good_rouge_l"}
# Checksums, which mean nothing to a person, and the names to show instead.
FINGERPRINTS = {
    "data": "the dataset",
    "init_from": "the model of --init-from",
    "model": "the model",
}
MAY_DIFFER_OF_PAIRS = MAY_DIFFER | {"pretrain_share"}  # unused without pseudo-pairs


@dataclass
class EpochState:
    """The state of the current epoch."""

    batches: int = 0  # batches done
    seconds: float = 0.0  # wall time that they took
    measured: dict[str, list[float]] = field(default_factory=dict)  # see ``Watch``
    losses: float = 0.0  # loss summed over the labels, at the last measurement
    labels: float = 0.0  # number of labels then
    logs: dict[str, float] = field(default_factory=dict)  # after its last update


@dataclass
class TrainingState:
    """The state of a training, except the model."""

    epoch: int = 0  # epochs done
    update: int = 0  # updates done
    seconds: float = 0.0  # wall time, up to the last checkpoint
    best: Rouge | None = None  # scores of the weights that are kept
    best_epoch: int = 0  # their epoch
    highest: list[float] = field(default_factory=list)  # see ``is_kept``
    history: list[dict[str, float]] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)
    statistics: dict[str, Any] = field(default_factory=dict)  # of the best headlines
    phase: int = ONLY_PAIRS  # number of the current phase
    phase_over: bool = False  # whether its time or its updates are used up
    epochs_before: int = 0  # epochs of earlier phases
    updates_before: int = 0  # updates of earlier phases
    reserved: float = 0.0  # seconds that the last validation took
    halvings: int = 0  # how often the batches were halved, for lack of memory
    devices: int = 1  # number of devices that made the last update together
    current: EpochState = field(default_factory=EpochState)

    @property
    def phase_update(self) -> int:
        """The updates done in this phase."""
        return self.update - self.updates_before

    @property
    def phase_column(self) -> dict[str, float]:
        """The column ``phase`` of history.csv; empty if there is only one phase."""
        return {} if self.phase == ONLY_PAIRS else {"phase": self.phase}

    def enter(self, phase: Phase) -> None:
        """Begins a phase, or continues it."""
        if phase.number == self.phase:
            return
        self.phase, self.phase_over = phase.number, False
        self.epochs_before, self.updates_before = self.epoch, self.update
        # Scores after pseudo-pairs alone do not compete with those after pairs.
        self.best, self.highest = None, []

    def to_come(self, phases: Sequence[Phase]) -> list[Phase]:
        """Returns the phases that are not over; the first one may have begun."""
        on = next((phase for phase in phases if phase.number == self.phase), None)
        over = on is None or self.phase_over or on.is_over(self.phase_update, 0.0)
        over = over and not self.current.batches  # otherwise its validation is missing
        first = self.phase + 1 if over else self.phase
        return [phase for phase in phases if phase.number >= first]

    def end_epoch(self) -> None:
        """Moves on to the next epoch."""
        self.epoch += 1
        self.current = EpochState()

    def is_kept(self, rouge_l: list[float]) -> bool:
        """Returns whether to keep the weights of an epoch with these scores.

        They are kept unless their ROUGE-L is clearly lower than the highest of the
        phase. Among epochs that do not clearly differ, the last has learned the most,
        at the lowest rate.

        Args:
            rouge_l: the ROUGE-L of each article of the sample.
        """
        return not self.highest or not is_clearly_lower(rouge_l, self.highest)

    def compare(self, rouge_l: list[float]) -> None:
        """Records the ROUGE-L of each article if the mean is the phase's highest."""
        if not self.highest or fmean(rouge_l) > fmean(self.highest):
            self.highest = rouge_l

    def stale_epoch(self, patience: int) -> dict[str, float] | None:
        """Returns the row of this phase's first epoch that ends ``patience`` epochs
        without a better ROUGE-L; None if there is none or ``patience`` is 0."""
        highest, without = -math.inf, 0
        for row in self.history[self.epochs_before :]:
            without = 0 if row["rouge_l"] > highest else without + 1
            if without and without == patience:
                return row
            highest = max(highest, row["rouge_l"])
        return None

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "TrainingState":
        """Makes the state from what ``capture`` wrote.

        Raises:
            BundleError: it is not what ``capture`` writes.
        """
        try:
            state = cls(**raw)
            best = None if state.best is None else Rouge(**raw["best"])
            current = EpochState(**raw.get("current", {}))  # not in older versions
        except TypeError as error:
            raise BundleError(
                f"the checkpoint is damaged: {error}; train anew with --overwrite"
            ) from error
        return replace(state, best=best, current=current)


def settings(run: Run, dataset: Dataset) -> dict[str, Any]:
    """Returns all settings that must be the same when a training is resumed."""
    train = {f"train.{name}": value for name, value in run.train.to_dict().items()}
    # Without styles, which no training learns.
    network = {n: v for n, v in run.model.to_dict().items() if n != "styles"}
    model = {f"model.{name}": value for name, value in network.items()}
    may_differ = MAY_DIFFER if UNPAIRED in dataset.splits else MAY_DIFFER_OF_PAIRS
    train["train.epochs"] = run.train.most_epochs  # as older versions had it
    kept = {name: v for name, v in train.items() if name[6:] not in may_differ}
    others = {
        "preset": run.preset,
        "backend": keras.backend.backend(),
        "init_from": run.init_from and manifest_sha256(run.init_from),
        "data": dict(dataset.fingerprint),
    }
    # As read back from a checkpoint: JSON has no tuples.
    plain: dict[str, Any] = json.loads(json.dumps(others | kept | model))
    return plain


def capture(
    model: HeadlineModel, state: TrainingState, settings: Mapping[str, Any]
) -> Checkpoint:
    """Makes a checkpoint of the model, its optimizer and the state of the training."""
    arrays = {
        name: keras.ops.convert_to_numpy(variable.value)
        for name, variable in _variables(model).items()
    }
    return Checkpoint({"settings": settings, "state": asdict(state)}, arrays)


def halvings_of(checkpoint: Checkpoint) -> int:
    """Returns how often the batches were halved."""
    state = checkpoint.state.get("state", {})
    return int(state.get("halvings", 0))  # older versions never did


def restore(
    model: HeadlineModel, checkpoint: Checkpoint, settings: Mapping[str, Any]
) -> TrainingState:
    """Restores the model and its optimizer from the checkpoint.

    Raises:
        TrainingError: settings have changed; the message names the differences.
        BundleError: the checkpoint is of a different model.
    """
    check_same(checkpoint.state.get("settings", {}), settings)
    variables, arrays = _variables(model), _kept(checkpoint.arrays)
    expected = {name: tuple(variable.shape) for name, variable in variables.items()}
    if expected != {name: array.shape for name, array in arrays.items()}:
        raise BundleError(
            "the checkpoint does not fit this model, perhaps because another version "
            "of headline wrote it: resume with that version, or train anew with "
            "--overwrite"
        )
    for name, variable in variables.items():
        variable.assign(arrays[name])
    return TrainingState.from_dict(checkpoint.state["state"])


def _kept(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Drops the last gradient norm, which older versions saved at the end."""
    return {
        name: array
        for name, array in arrays.items()
        if not name.endswith(" gradient_norm")
    }


def _variables(model: HeadlineModel) -> dict[str, Any]:
    """Returns every variable of the model, its seeds, metrics and optimizer."""
    model.optimizer.build(model.trainable_variables)
    # ``looks`` is left out, because it is set again for each update.
    own = [one for one in model.variables if one is not model.looks]
    found = [*own, *model.metrics_variables, *model.optimizer.variables]
    # Not the whole path, because Keras numbers the models of a process in it.
    return {f"{place:03d} {one.name}": one for place, one in enumerate(found)}


def check_same(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Checks that a training is resumed with the settings that it began with.

    Raises:
        TrainingError: settings have changed; the message names the differences.
    """
    differences = [
        f"{name} was {before.get(name)!r} and is now {now.get(name)!r}"
        for name in sorted(before.keys() | now.keys())
        if name not in FINGERPRINTS and before.get(name) != now.get(name)
    ]
    differences += [
        f"{what} has changed"
        for name, what in FINGERPRINTS.items()
        if before.get(name) != now.get(name)
    ]
    if differences:
        raise TrainingError(
            "--resume needs the settings with which the training began: "
            + "; ".join(differences)
        )
