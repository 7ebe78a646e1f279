"""The phases of a training: first pseudo-pairs, if there are any, then pairs.

They share the model, the optimizer and one schedule of the learning rate.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from headline.data.store import UNPAIRED, Split
from headline.settings.train import TrainConfig

# Their numbers in history.csv, which has no such column if there are only pairs.
ONLY_PAIRS, PSEUDO_PAIRS, PAIRS = range(3)


@dataclass(frozen=True)
class Phase:
    """A part of a training, which reads one split."""

    number: int
    split: str
    begin: float  # the share of the training that is done when it begins
    end: float  # and when it ends
    updates: int  # the most updates
    epoch_updates: int  # updates of one pass over the split

    @property
    def epochs(self) -> int:
        """The number of passes over the split; the last one may be incomplete."""
        return math.ceil(self.updates / self.epoch_updates)

    def progress(self, update: int, time_share: float) -> float:
        """Returns the share of the training that is over, by updates or by time.

        Args:
            update: updates of this phase that are over.
            time_share: the share of the time that is over.
        """
        return max(self.share_of_updates(update), time_share)

    def share_of_updates(self, update: int) -> float:
        """Returns the share of all updates of the training that are over.

        Args:
            update: updates of this phase that are over.
        """
        return self.begin + (self.end - self.begin) * (update / self.updates)

    def expected_epochs(self, update: int, time_share: float) -> float:
        """Returns the expected number of passes over the split, at the pace so far.

        Args:
            update, time_share: see ``progress``.
        """
        over = self.progress(update, time_share) - self.begin
        if over <= 0:
            return self.updates / self.epoch_updates
        return update / self.epoch_updates * (self.end - self.begin) / over

    def is_over(self, update: int, time_share: float) -> bool:
        """Returns whether the phase has used up its updates or its time."""
        return update >= self.updates or time_share >= self.end


def plan_phases(config: TrainConfig, splits: Mapping[str, Split]) -> list[Phase]:
    """Plans ``config.most_epochs`` passes over the pairs, pseudo-pairs before them.

    Pseudo-pairs get the share ``config.pretrain_share`` of all updates, or of the time.
    """
    epoch_updates = _epoch_updates(splits["train"], config)
    updates, share = config.most_epochs * epoch_updates, config.pretrain_share
    if not share or UNPAIRED not in splits:
        return [Phase(ONLY_PAIRS, "train", 0.0, 1.0, updates, epoch_updates)]
    before = math.ceil(updates * share / (1 - share))
    passes = _epoch_updates(splits[UNPAIRED], config)
    return [
        Phase(PSEUDO_PAIRS, UNPAIRED, 0.0, share, before, passes),
        Phase(PAIRS, "train", share, 1.0, updates, epoch_updates),
    ]


def _epoch_updates(split: Split, config: TrainConfig) -> int:
    return math.ceil(split.epoch_pairs / (config.batch_size * config.accumulate))
