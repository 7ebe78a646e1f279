"""``RayCrew``: runs a function in actors of a Ray cluster.

Ray decides where an actor runs. What dies is replaced here, and not by Ray, because an
actor that Ray restarts gets no CPU back while the others hold all of them, and calls of
it would wait for ever.
"""

import os
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from headline import __version__
from headline.errors import ClusterError, WorkerError
from headline.system.packages import optional

Part = TypeVar("Part")
Result = TypeVar("Result")
Report = Callable[[str], None]

ANSWER = 10.0  # seconds that a cluster has to answer
LOOK = 1.0  # seconds between two looks at the clock while nothing comes


class Wants(NamedTuple):
    """What a crew asks of the cluster.

    Attributes:
        workers: number of actors; None for as many as the cluster has room for.
        gpus: GPUs of each actor; each has one CPU, too.
        stall: seconds without any progress after which the run stops.
    """

    workers: int | None = None
    gpus: float = 0.0
    stall: float = 3600.0


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Connects this process to a Ray cluster while the body runs.

    Args:
        address: HOST:PORT, "auto" for the cluster that runs here, or "local" to start
            one on this machine.

    Raises:
        ClusterError: there is no such cluster, or it has other versions.
        HeadlineError: Ray is not installed.
    """
    ray = optional("ray", "ray", "--on ray")
    if ray.is_initialized():  # a program has connected already
        yield
        return
    _check_answers(address)
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address, logging_level="ERROR", log_to_driver=False)
    except ConnectionError as error:
        raise _no_cluster(address) from error
    except (RuntimeError, ValueError) as error:  # such as another version of Ray
        reason = _first_line(error)
        raise ClusterError(f"cannot use the Ray cluster {address}: {reason}") from error
    try:
        # Ray's own handler ends the process with code 15, not 143.
        _on_sigterm(_leave)
        yield
    finally:
        ray.shutdown()
        _on_sigterm(before or signal.SIG_DFL)


def _on_sigterm(handler: Any) -> None:
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)


def _leave(number: int, _: object) -> None:
    """Ends the process, and its actors before, as a signal does."""
    sys.exit(128 + number)


def _check_answers(address: str) -> None:
    """Checks that something answers at an address; Ray itself would try for minutes.

    Raises:
        ClusterError: nothing does.
    """
    named = os.environ.get("RAY_ADDRESS", "") if address == "auto" else address
    host, found, port = named.removeprefix("ray://").rpartition(":")
    if not found:
        return  # Ray looks for a cluster itself
    if not port.isdecimal():
        raise ClusterError(f"--address is written HOST:PORT; got {named!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(named) from error


def _no_cluster(address: str) -> ClusterError:
    return ClusterError(
        f"no Ray cluster answers at the address {address}: start one with `ray start "
        "--head`, or use --address local"
    )


class _Actor:
    """What runs in an actor."""

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self._work = work

    def begin(self) -> str:
        """Returns the version of headline that the actor has."""
        return __version__

    def run(self, part: Any) -> Any:
        """Returns the result of a part."""
        return self._work(part)


@dataclass(frozen=True)
class _Call(Generic[Part]):
    """A call of an actor whose end is awaited."""

    actor: Any
    part: Part | None  # None if the actor is starting


class RayCrew(Generic[Part, Result]):
    """Runs a function in actors, each of which is replaced if it dies.

    This process must be connected to a cluster; see ``connected``.

    Args:
        work: maps a part to its result. It is pickled once for each actor.
        wants: what it asks of the cluster.
        tell: gets a line if the cluster has less.
    """

    def __init__(
        self, work: Callable[[Part], Result], wants: Wants, tell: Report
    ) -> None:
        import ray

        self._ray: Any = ray
        self._wants, self._work = wants, work
        self._class: Any = ray.remote(_Actor).options(
            num_cpus=1, num_gpus=wants.gpus, scheduling_strategy="SPREAD"
        )
        self._count = self._workers(tell)
        self._calls: dict[Any, _Call[Part]] = {}  # by the reference of the result
        self._idle: list[Any] = []
        self._lost = 0  # actors that died before they began, one after the other

    def _workers(self, tell: Report) -> int:
        """Returns the number of actors that there should be."""
        room = room_for(self._ray.cluster_resources(), self._wants.gpus)
        wanted = self._wants.workers or max(1, room)
        if room < wanted:
            tell(
                f"the cluster has room for {room:,} of {wanted:,} workers; the others "
                "start when it has more"
            )
        return wanted

    def run(self, parts: deque[Part]) -> Iterator[tuple[Part, Result | Exception]]:
        """Yields each part with its result, or the error that it ended with.

        Args:
            parts: what is to be done; the caller may put a part back into it. A part
                whose actor died comes with a WorkerError.

        Raises:
            ClusterError: no actor can start, or nothing progresses any more.
        """
        try:
            while parts or self._busy():
                self._hand_out(parts)
                call, result = self._next()
                if call.part is None:
                    self._began(call.actor, result)
                    continue
                if not isinstance(result, WorkerError):
                    self._idle.append(call.actor)
                yield call.part, result
        finally:
            self._end()

    def _busy(self) -> list[Part]:
        """Returns the parts that actors work on."""
        return [one.part for one in self._calls.values() if one.part is not None]

    def _hand_out(self, parts: deque[Part]) -> None:
        """Gives parts to idle actors, and starts some if there are too few."""
        while parts and self._idle:
            actor, part = self._idle.pop(), parts.popleft()
            self._calls[actor.run.remote(part)] = _Call(actor, part)
        starting = len(self._calls) - len(self._busy())
        missing = self._count - len(self._calls) - len(self._idle)
        for _ in range(min(missing, len(parts) - starting)):
            actor = self._class.remote(self._work)
            self._calls[actor.begin.remote()] = _Call(actor, None)

    def _next(self) -> tuple[_Call[Part], Any]:
        """Waits for the next call that ends, and returns its result or its error.

        Raises:
            ClusterError: none ends for too long.
        """
        patience = time.monotonic() + self._wants.stall
        while True:
            ready, _ = self._ray.wait([*self._calls], timeout=LOOK)
            if ready:
                break
            if time.monotonic() > patience:
                raise ClusterError(self._stalled())
        call = self._calls.pop(ready[0])
        errors = self._ray.exceptions
        try:
            return call, self._ray.get(ready[0])
        except errors.RayTaskError as error:  # the function raised it
            cause = error.cause
            return call, cause if isinstance(cause, Exception) else error
        except errors.RayError as error:
            if getattr(error, "actor_init_failed", False):
                raise ClusterError(
                    f"a worker cannot start: {_last_line(error)}"
                ) from error
            return call, WorkerError(f"a worker died: {_first_line(error)}")

    def _began(self, actor: Any, version: Any) -> None:
        """Takes an actor that has started, or has died before.

        Raises:
            ClusterError: it has another version, or too many died before they began.
        """
        if isinstance(version, Exception):
            self._lost += 1
            if self._lost > 2 * self._count + 3:
                raise ClusterError(f"no worker can start: {version}") from version
            return
        if version != __version__:
            raise ClusterError(
                f"a node of the cluster has version {version} of headline, and this "
                f"machine has {__version__}: install the same everywhere"
            )
        self._lost = 0
        self._idle.append(actor)

    def _stalled(self) -> str:
        """Returns what the crew is waiting for."""
        busy = [str(getattr(part, "name", part)) for part in self._busy()]
        starting = len(self._calls) - len(busy)
        waits = []
        if busy:
            more = f" and {len(busy) - 3:,} more" if len(busy) > 3 else ""
            waits.append(f"the workers on {', '.join(busy[:3])}{more}")
        if starting:
            free = self._ray.available_resources()
            gpus = f" and {free.get('GPU', 0):g} GPUs" if self._wants.gpus else ""
            waits.append(
                f"{starting:,} workers to start (the cluster has {free.get('CPU', 0):g}"
                f" free CPUs{gpus})"
            )
        return (
            f"nothing was finished for {self._wants.stall / 60:g} minutes: the run "
            f"waited for {' and for '.join(waits)}, and stops; finished shards stay, "
            "and the same command does what is left. If a shard takes longer, raise "
            "--stall-minutes"
        )

    def _end(self) -> None:
        """Ends all actors."""
        actors = [*self._idle, *(call.actor for call in self._calls.values())]
        for actor in actors:
            with suppress(self._ray.exceptions.RayError):
                self._ray.kill(actor)
        self._idle.clear()
        self._calls.clear()


def room_for(resources: Mapping[str, float], gpus: float) -> int:
    """Returns how many actors fit into the resources of a cluster.

    Args:
        gpus: GPUs of each; each has one CPU, too.
    """
    room = int(resources.get("CPU", 0))
    # 0.3 three times is not quite 0.9; Ray counts in ten thousandths.
    return min(room, int(resources.get("GPU", 0) / gpus + 1e-4)) if gpus else room


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__


def _last_line(error: BaseException) -> str:
    return str(error).strip().rpartition("\n")[2].strip()
