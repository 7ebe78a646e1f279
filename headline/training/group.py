"""The processes that train together: how they start, agree, and end.

They make each update together, in one collective operation of JAX. All else that they
must know alike comes from process 0, through the key-value store of JAX's coordinator.
A wait there lasts as long as a validation takes, and meanwhile a process still hears of
signals, unlike in a collective operation.

If a process dies, the others end within ``HEARTBEAT`` seconds, with ``AGAIN``: whoever
started them shall start all of them again, with ``--resume``.
"""

import atexit
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from signal import Signals
from threading import Thread
from typing import Any, NoReturn, TypeVar

from headline.errors import HeadlineError, Interrupted, TrainingError
from headline.system.interrupt import Wish
from headline.system.progress import Report
from headline.training.hosts import Place

T = TypeVar("T")

AGAIN = 75  # exit code, EX_TEMPFAIL of sysexits.h: it may work if started again
HEARTBEAT = 10  # seconds
PARTING = 3  # seconds that processes that end by an error wait for the others
# A variable with the number of the process without which this one shall end too.
PARENT = "HEADLINE_ENDS_WITH"
LOOK = 1.0  # seconds between two looks at what other processes want
KEPT = 100  # agreements that stay in the store
# What JAX, Gloo and NCCL say when a peer is gone.
LOST = "gloo", "nccl", "unavailable", "coordination", "socket closed", "connection"

STOPS = "headline/stop/"  # keys of the processes that were asked to stop


class Group:
    """The processes that train together, as one of them sees them.

    Args:
        place: of this process; None if it trains alone.
        report: called with a line for the user, in this process.
        wish: to stop, which a signal or a thread makes in this process.
        stall_minutes: see ``HostsConfig``.
    """

    def __init__(
        self,
        place: Place | None,
        report: Report,
        wish: Wish,
        stall_minutes: float = 0.0,
    ) -> None:
        self.rank = 0 if place is None else place.rank
        self.count = 1 if place is None else place.count
        self.wish = wish  # made to this process alone
        self._report = report
        self._stall = 60 * stall_minutes
        self._turn = 0
        self._last = time.monotonic()
        self._is_leaving = False

    @property
    def is_first(self) -> bool:
        """Whether this process writes the model and tells the story."""
        return self.rank == 0

    @property
    def is_alone(self) -> bool:
        """Whether there are no other processes."""
        return self.count == 1

    def report(self, line: str) -> None:
        """Reports a line to the user, once for all processes."""
        if self.is_first:
            self._report(line)

    # --- agreement ---------------------------------------------------------------

    def agree(self, value: Any) -> Any:
        """Returns the value of process 0; all processes must call this in turn.

        Args:
            value: whatever JSON can hold; ignored in other processes.
        """
        if self.is_alone:
            return value
        self._turn += 1
        if not self.is_first:
            return json.loads(self._hear(f"headline/{self._turn}"))
        text = json.dumps(value)
        self._say(f"headline/{self._turn}", text)
        with suppress(Exception):  # there may be no such key
            _client().key_value_delete(f"headline/{self._turn - KEPT}")
        return json.loads(text)

    def gather(self, value: Any) -> list[Any]:
        """Returns the values of all processes; all must call this in turn."""
        if self.is_alone:
            return [value]
        self._turn += 1
        self._say(f"headline/{self._turn}/{self.rank}", json.dumps(value))
        keys = [f"headline/{self._turn}/{rank}" for rank in range(self.count)]
        return [json.loads(self._hear(key)) for key in keys]

    @contextmanager
    def together(self) -> Iterator[None]:
        """Runs the body in all processes; if it fails in one, it fails in all."""
        own: HeadlineError | None = None
        try:
            yield
        except HeadlineError as error:
            own = error
        told = self.gather(None if own is None else str(own))
        if own is not None:
            raise own
        for rank, text in enumerate(told):
            if text is not None:
                raise TrainingError(f"process {rank}: {text}")

    def decide(self, action: Callable[[], T]) -> T:
        """Returns what process 0 returns from the action; only that process runs it.

        Args:
            action: returns what JSON can hold.

        Raises:
            Interrupted, TrainingError: in all processes, if it failed.
        """
        if self.is_alone:
            return action()
        if not self.is_first:
            told: T = _unfolded(self.agree(None))
            return told
        try:
            value = action()
        except Interrupted as error:
            self.agree({"signal": error.exit_code - 128})
            raise
        except HeadlineError as error:
            self.agree({"error": str(error)})
            raise
        self.agree({"value": value})
        return value

    def all_came(self, name: str, seconds: float) -> bool:
        """Returns whether all processes come to the same place within a time."""
        if self.is_alone:
            return True
        try:
            _client().wait_at_barrier(f"headline/{name}", int(1000 * seconds))
        except Exception:  # the type is JAX's own, and so is its text
            return False
        return True

    def _say(self, key: str, text: str) -> None:
        _client().key_value_set(key, text)

    def _hear(self, key: str) -> str:
        """Waits for the value of a key."""
        while True:
            # Process 0 may be writing headlines. It watches itself.
            self.tick()
            self.tell_wish()
            try:
                return str(_client().blocking_key_value_get(key, int(1000 * LOOK)))
            except Exception as error:
                if "DEADLINE_EXCEEDED" not in str(error):
                    raise

    # --- requests to stop --------------------------------------------------------

    def tell_wish(self) -> None:
        """Tells the other processes if this one was asked to stop."""
        number = self.wish.received
        if number is not None and not self.is_alone:
            key = f"{STOPS}{self.rank}"
            _client().key_value_set(key, str(int(number)), allow_overwrite=True)

    def asked_to_stop(self) -> int | None:
        """Returns the number of the signal that any process received, or None."""
        if self.wish.received is not None:
            return int(self.wish.received)
        if self.is_alone:
            return None
        found = _client().key_value_dir_get(STOPS)
        return int(found[0][1]) if found else None

    # --- ends --------------------------------------------------------------------

    def tick(self) -> None:
        """Notes that this process makes progress."""
        self._last = time.monotonic()

    def watch(self) -> None:
        """Ends this process once it makes no progress for too long.

        It ends, too, once the process is gone that ``PARENT`` names, if there is such a
        variable.
        """
        Thread(target=self._watch, name="stall watch", daemon=True).start()

    def _watch(self) -> None:
        stall, parent = self._stall or math.inf, os.environ.get(PARENT)
        while time.monotonic() - self._last < stall:
            time.sleep(min(1.0, stall / 10))
            if parent is not None and os.getppid() != int(parent):
                self.leave("the process that started it is gone")
        self.leave(
            f"no progress for {self._stall / 60:g} minutes (--stall-minutes): "
            "start all processes again with --resume"
        )

    def leave(self, why: str) -> NoReturn:
        """Ends this process at once; the others end when they miss it."""
        if not self._is_leaving:
            self._is_leaving = True
            with suppress(Exception):
                self._report(f"Error: process {self.rank} of {self.count}: {why}")
                sys.stderr.flush()
            os._exit(AGAIN)
        while True:  # another thread is leaving
            time.sleep(1)

    def lost(self) -> NoReturn:
        """Ends this process because another one has ended or cannot be reached."""
        self.leave(
            "another process of this training ended or cannot be reached, see its "
            "messages: start all processes again with --resume"
        )

    @contextmanager
    def ending_together(self) -> Iterator[None]:
        """Makes an error in the body end all processes.

        Usually all have the same error at the same update, and part as if there was
        none. A process that fails alone does not wait for the others at its exit.
        """
        try:
            yield
        except HeadlineError:
            if not self.all_came("the end", PARTING):
                atexit.register(_exit_at_once)
            raise
        except Exception as error:
            if any(word in str(error).lower() for word in LOST):
                self.lost()
            atexit.register(_exit_at_once)
            raise


def _unfolded(told: Mapping[str, Any]) -> Any:
    """Returns the value that process 0 told, or raises its error."""
    if "signal" in told:
        raise Interrupted(Signals(told["signal"]))
    if "error" in told:
        raise TrainingError(f"process 0: {told['error']}")
    return told["value"]


class PromptWish(Wish):
    """What process 0 checks while the others wait for it: whether any was asked."""

    def __init__(self, group: Group) -> None:
        super().__init__()
        self._group, self._looked = group, 0.0

    def check(self) -> None:
        """Checks for a request in all processes, once a second."""
        self._group.tick()
        now = time.monotonic()
        if now - self._looked < LOOK:
            return
        self._looked = now
        if (number := self._group.asked_to_stop()) is not None:
            self.stop(Signals(number))
        super().check()


def _client() -> Any:
    """Returns the connection to the coordinator, which JAX makes when it is joined.

    JAX offers its key-value store to nobody but itself; Orbax uses it like this too.
    """
    from jax._src import distributed

    return distributed.global_state.client


def _exit_at_once() -> None:
    """Ends the process before JAX waits for the others, which may never come."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(1)
