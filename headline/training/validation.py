"""Validation after each epoch: sample headlines and their scores."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from headline.data.corpus import Pair
from headline.data.store import evenly
from headline.evaluation.metrics import Rouge
from headline.training.keeper import Keeper
from headline.training.phases import PSEUDO_PAIRS
from headline.training.scorer import Scorer
from headline.training.stopper import Stopper
from headline.training.training import Training

EXCERPT = 60  # characters of an article shown beside a sample


class Validation(keras.callbacks.Callback):
    """After each epoch, scores headlines for a fixed sample of the valid split, shows a
    few of them, and keeps the weights unless they are clearly worse.

    It comes after the callbacks that collect the logs of the epoch.
    """

    def __init__(self, training: Training, stopper: Stopper) -> None:
        super().__init__()
        self.run, self.state = training.run, training.state
        self.clock, self.report = training.clock, training.report
        self.group = training.group
        self.scorer = Scorer(training)
        self.keeper = Keeper(training, self.scorer.references)
        self.stopper = stopper

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.end_epoch()

    def end_epoch(self) -> None:
        """Scores the epoch after its last update, and writes the results.

        Raises:
            Interrupted: a stop was requested; then nothing has been written.
        """
        begin, before = self.clock.seconds(), len(self.state.history)
        logs = self.state.current.logs | self.scorer.losses()
        told = self.group.decide(lambda: self._judge(logs, begin))
        if not self.group.is_alone:
            self._take(told, before)
        self.state.end_epoch()

    def _judge(self, logs: Mapping[str, float], begin: float) -> dict[str, Any]:
        """Writes headlines and what the epoch has brought; only process 0 does.

        Returns:
            what the other processes must know of it.
        """
        state = self.state
        written = self.scorer.write()
        self.keeper.record(logs, written.scores)
        is_kept = self.keeper.keep_best(written)
        self._show(state.epoch, written.headlines, is_kept)
        self.stopper.end_stale()
        self.keeper.write()
        state.reserved = self.clock.seconds() - begin
        return {
            "row": state.history[-1],
            "phase_over": state.phase_over,
            "best": state.best and vars(state.best),
            "reserved": state.reserved,
            "seconds": self.clock.seconds(),
        }

    def _take(self, told: Mapping[str, Any], before: int) -> None:
        """Takes over what process 0 tells.

        Args:
            before: number of epochs in the history before this one.
        """
        state = self.state
        state.history[before:] = [told["row"]]
        state.phase_over, state.reserved = told["phase_over"], told["reserved"]
        state.best = told["best"] and Rouge(**told["best"])
        self.clock.tell(told["seconds"])

    def _show(self, epoch: int, headlines: Sequence[str], is_kept: bool) -> None:
        row = self.state.history[-1]
        scores = "/".join(f"{row[f'rouge_{which}']:.1f}" for which in "12l")
        what = " on pseudo-pairs" if self.state.phase == PSEUDO_PAIRS else ""
        self.report(
            f"epoch {epoch + 1}{what}: {row['seconds']:.0f} s, loss {row['loss']:.3f}, "
            f"valid loss {row['valid_loss']:.3f}, ROUGE-1/2/L {scores}"
            + (" (kept)" if is_kept else "")
        )
        pairs = self.scorer.pairs
        for place in evenly(len(pairs), self.run.train.samples):
            pair = pairs[place]
            self.state.samples.append(_sample(epoch, pair, headlines[place]))
            self.report(f"  article    {pair.source[:EXCERPT]}")
            self.report(f"  reference  {pair.target}")
            self.report(f"  headline   {headlines[place]}\n")


def _sample(epoch: int, pair: Pair, headline: str) -> dict[str, Any]:
    shown = {"source": pair.source[:EXCERPT], "reference": pair.target}
    return {"epoch": epoch + 1, **shown, "headline": headline}
