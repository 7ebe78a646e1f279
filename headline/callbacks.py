"""What happens during a training: the learning rate, the bar, the validation."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
from tqdm import tqdm

from headline.bundle import (
    Bundle,
    save_bundle,
    save_checkpoint,
    write_history,
    write_report,
    write_samples,
)
from headline.config import Run, TrainConfig
from headline.corpus import Pair
from headline.dataset import Dataset, spread
from headline.engines.keras_engine import KerasEngine
from headline.environment import environment
from headline.generator import Generator
from headline.metrics import Facts, Marks, Rouge, mark, rates
from headline.model import weight_arrays
from headline.phases import PSEUDO_PAIRS, Phase
from headline.progress import TrainingState, capture, settings
from headline.report import Story, render
from headline.watch import columns, rate_of, set_rate

Report = Callable[[str], None]

LONGEST_WARMUP = 0.2  # share of a training
EXCERPT = 60  # characters of an article shown beside a sample
ROUGE = ("rouge_1", "rouge_2", "rouge_l")
RECORDED = (*ROUGE, "unsupported_numbers", "repeated_bigrams")  # in history.csv


class Clock:
    """The wall time of a training, and how much of it there is.

    Args:
        max_minutes: how much.
        spent: seconds before this process, when a training goes on.
    """

    def __init__(self, max_minutes: float | None, spent: float = 0.0) -> None:
        self.limit = math.inf if max_minutes is None else max_minutes * 60
        self.reserved = 0.0  # seconds that the last validation will take
        self._start = time.monotonic() - spent

    def seconds(self) -> float:
        """Returns the seconds since the training began."""
        return time.monotonic() - self._start

    def share(self) -> float:
        """Returns the share of the time for updates that has gone by, at most 1."""
        # A validation as long as half of the time leaves the other half for updates.
        room = max(self.limit - self.reserved, self.limit / 2)
        return min(1.0, self.seconds() / room) if math.isfinite(room) else 0.0


def learning_rate(config: TrainConfig, update: int, progress: float) -> float:
    """Returns the learning rate of an update.

    Linear rise over the warm-up, or a fifth of the training if that is less; then, by
    ``config.schedule``, a linear fall to 0 at the end, or nothing.

    Args:
        update: its number, from 0.
        progress: share of the training that is over, by updates or by time,
            whichever ends first; between 0 and 1.
    """
    # A short training has no time for a long warm-up.
    risen = max((update + 1) / (config.warmup_updates + 1), progress / LONGEST_WARMUP)
    warmup = min(1.0, risen)
    fall = 1.0 - progress if config.schedule == "linear" else 1.0
    return config.peak_rate * warmup * fall


class Schedule(keras.callbacks.Callback):
    """Sets the learning rate before each update and stops when the phase is over."""

    def __init__(
        self,
        config: TrainConfig,
        phase: Phase,
        clock: Clock,
        state: TrainingState,
    ) -> None:
        super().__init__()
        self.config = config
        self.phase = phase
        self.clock = clock
        self.state = state

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        progress = self.phase.progress(self.state.phase_update, self.clock.share())
        set_rate(self.model, learning_rate(self.config, self.state.update, progress))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if (batch + 1) % self.config.accumulate:
            return  # the gradients of the update are not together yet
        self.state.update += 1
        if self.phase.is_over(self.state.phase_update, self.clock.share()):
            self.state.phase_over = True
            self.model.stop_training = True


class Progress(keras.callbacks.Callback):
    """A bar of the epoch's updates with the loss, on a terminal only."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.bar = tqdm(
            total=self.params["steps"],
            desc=f"epoch {epoch + 1}",
            unit="update",
            leave=False,
            disable=None,
        )

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any]) -> None:
        self.bar.update()
        if not self.bar.disable and batch % 10 == 0:
            self.bar.set_postfix(loss=f"{float(logs['loss']):.3f}")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.bar.close()


class Validation(keras.callbacks.Callback):
    """After each epoch: headlines for a fixed sample of the valid split, their scores,
    a few of them shown, and the weights kept if they are the best so far.

    The headlines come from the same ``Generator`` as those of ``headline generate``,
    run on the device that trains.
    """

    def __init__(
        self,
        run: Run,
        dataset: Dataset,
        clock: Clock,
        state: TrainingState,
        report: Report,
    ) -> None:
        super().__init__()
        self.run, self.dataset, self.clock = run, dataset, clock
        self.state, self.report = state, report
        self.pairs = dataset.sample("valid", run.train.valid_articles)
        self.references = _statistics(self._marks([one.target for one in self.pairs]))
        self.environment = environment()
        self._generator: Generator | None = None

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        begin = self.clock.seconds()
        headlines = self._write_headlines()
        marks = self._marks(headlines)
        scores = rates(marks)
        best = self.state.best
        is_best = best is None or scores["rouge_l"] > best.rouge_l
        self._record(epoch, logs, scores)
        self._show(epoch, headlines, is_best)
        if is_best:
            self.state.best = Rouge(*(scores[name] for name in ROUGE))
            self.state.statistics = {
                "model": _statistics(marks),
                "references": self.references,
            }
            self._save(epoch)
        if self.state.is_stale(self.run.train.patience):
            patience = self.run.train.patience
            self.report(f"stopped: no better ROUGE-L in {patience} epochs")
            self.state.phase_over = self.model.stop_training = True
        self._write_story()
        self._save_checkpoint(epoch)
        self.clock.reserved = self.clock.seconds() - begin

    def _write_headlines(self) -> list[str]:
        if self._generator is None:
            self._generator = Generator(
                self.dataset.tokenizer,
                KerasEngine(self.model, self.run.decode.shortlist),
                replace(self.run.decode, num_headlines=1),
                self.dataset.config.max_source_length,
            )
        found = self._generator.generate([pair.source for pair in self.pairs])
        return [headlines[0].text for headlines in found]

    def _marks(self, headlines: Sequence[str]) -> list[Marks]:
        return [
            mark(text, pair.target, Facts.of(pair.source))
            for pair, text in zip(self.pairs, headlines, strict=True)
        ]

    def _record(
        self, epoch: int, logs: Mapping[str, float], scores: Mapping[str, float]
    ) -> None:
        self.state.history.append(
            {
                "epoch": epoch + 1,
                **self.state.phase_column,
                "seconds": round(self.clock.seconds(), 1),
                "updates": self.state.update,
                "learning_rate": rate_of(self.model),
                "loss": round(float(logs["loss"]), 5),
                "valid_loss": round(float(logs["val_loss"]), 5),
                **{name: round(scores[name], 2) for name in RECORDED},
                **columns(logs),
            }
        )

    def _show(self, epoch: int, headlines: list[str], is_best: bool) -> None:
        row = self.state.history[-1]
        scores = "/".join(f"{row[f'rouge_{which}']:.1f}" for which in "12l")
        what = " on pseudo-pairs" if self.state.phase == PSEUDO_PAIRS else ""
        self.report(
            f"epoch {epoch + 1}{what}: {row['seconds']:.0f} s, loss {row['loss']:.3f}, "
            f"valid loss {row['valid_loss']:.3f}, ROUGE-1/2/L {scores}"
            + (" (best)" if is_best else "")
        )
        for place in spread(len(self.pairs), self.run.train.samples):
            pair = self.pairs[place]
            self.state.samples.append(_sample(epoch, pair, headlines[place]))
            self.report(f"  article    {pair.source[:EXCERPT]}")
            self.report(f"  reference  {pair.target}")
            self.report(f"  headline   {headlines[place]}\n")

    def _save(self, epoch: int) -> None:
        bundle = Bundle(
            model=self.model.config,
            decode=self.run.decode,
            max_source_length=self.dataset.config.max_source_length,
            tokenizer=self.dataset.tokenizer,
            weights=weight_arrays(self.model),
            provenance=self._provenance(epoch),
        )
        save_bundle(self.run.model_dir, bundle)

    def _save_checkpoint(self, epoch: int) -> None:
        self.state.epoch = epoch + 1
        self.state.seconds = self.clock.seconds()
        same = settings(self.run, self.dataset)
        save_checkpoint(self.run.model_dir, capture(self.model, self.state, same))

    def _write_story(self) -> None:
        write_history(self.run.model_dir, self.state.history)
        write_samples(self.run.model_dir, self.state.samples)
        write_report(self.run.model_dir, render(self._story()))

    def _story(self) -> Story:
        summary, model = self.dataset.summary, self.model
        return Story(
            history=self.state.history,
            samples=self.state.samples,
            statistics=self.state.statistics,
            pairs=len(self.dataset.splits["train"]),
            weights=model.count_params(),
            settings={
                "Model": {"preset": self.run.preset, **model.config.to_dict()},
                "Training": self.run.train.to_dict(),
                "Search": self.run.decode.to_dict(),
                "Data": {**summary["config"], **summary["counts"]},
                "Environment": self.environment,
                "Checksums of the data": summary["sha256"],
            },
        )

    def _provenance(self, epoch: int) -> dict[str, Any]:
        summary = self.dataset.summary
        return {
            "preset": self.run.preset,
            "train": self.run.train.to_dict(),
            "epoch": epoch + 1,
            "valid": self.state.history[-1],
            "data": {name: summary[name] for name in ("config", "counts", "sha256")},
            "versions": self.environment,
        }


def _sample(epoch: int, pair: Pair, headline: str) -> dict[str, Any]:
    shown = {"source": pair.source[:EXCERPT], "reference": pair.target}
    return {"epoch": epoch + 1, **shown, "headline": headline}


def _statistics(marks: Sequence[Marks]) -> dict[str, Any]:
    """Returns what the report tells of headlines: lengths, and the rates of faults."""
    return {"lengths": [one.length for one in marks], **rates(marks)}
