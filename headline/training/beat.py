"""The beat of processes that train together."""

import time
from signal import Signals
from typing import Any

import keras

from headline.training.training import Training

INTERVAL = 1.0  # seconds
MOST = 200  # updates


class Beat(keras.callbacks.Callback):
    """Makes all processes agree about once a second on the time, and whether to stop.

    All must have the same learning rate, which may depend on the time, and must end at
    the same update. So process 0 tells the time, and the update of the next beat.

    JAX has an agreement on the update at which to stop,
    ``multihost_utils.reached_preemption_sync_point``. But it takes SIGTERM away from
    Python and knows no other signal, nor a request of another thread, and nothing can
    ask for it during a validation.

    It comes before all callbacks that read the time.
    """

    def __init__(self, training: Training) -> None:
        super().__init__()
        self.training, self.group = training, training.group
        self.accumulate = training.config.accumulate
        self.next = training.state.update + 1
        self.last = training.state.update, time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.group.tick()
        if (batch + 1) % self.accumulate:
            return  # the update is not complete
        self.group.tell_wish()
        update = self.training.state.update + 1  # ``Schedule`` has not counted it yet
        if update < self.next:
            return
        told = self.group.agree(self._word(update) if self.group.is_first else None)
        self.next = told["next"]
        self.training.clock.tell(told["seconds"])
        if told["stop"] is not None:
            self.training.wish.stop(Signals(told["stop"]))

    def _word(self, update: int) -> dict[str, Any]:
        """Returns what process 0 tells."""
        (before, then), now = self.last, time.monotonic()
        self.last = update, now
        pace = (update - before) / max(now - then, 1e-6)  # updates per second
        return {
            "next": update + max(1, min(MOST, int(INTERVAL * pace))),
            "seconds": self.training.clock.seconds(),
            "stop": self.group.asked_to_stop(),
        }
