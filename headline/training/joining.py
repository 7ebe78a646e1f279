"""How the processes of a training find each other."""

import atexit
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any

import keras

from headline.errors import HeadlineError, Interrupted, TrainingError
from headline.settings.hosts import HostsConfig
from headline.system.abort import on_abort
from headline.system.interrupt import Wish
from headline.system.progress import Report
from headline.training.group import HEARTBEAT, Group
from headline.training.hosts import Environment, Place, find_place

SOON = 0.2  # seconds between two looks at the wish to stop
PAUSE = 0.5  # seconds between two tries to connect


@contextmanager
def joined(
    config: HostsConfig,
    report: Report,
    wish: Wish,
    env: Environment = os.environ,
) -> Iterator[Group]:
    """Joins the processes that train together, or a group of one.

    It must come before anything has run in JAX.

    Args:
        report: called with each line to show to the user.
        wish: a request to stop, made to this process.

    Raises:
        TrainingError: the processes cannot train together, or do not come.
    """
    place = None if config.hosts == "one" else find_place(config, env)
    if place is None or place.count == 1:
        yield Group(None, report, wish)
        return
    _check_backend(place)
    group = Group(place, report, wish, config.stall_minutes)
    with _stdout_as_stderr():
        _join(place, group, config.join_minutes)
        with group.ending_together():
            _check_names(place, group)
            _check_count(place)
            group.watch()
            report(
                f"process {place.rank} of {place.count} ({place.launcher}), "
                f"coordinator {place.address}"
            )
            yield group


def _check_backend(place: Place) -> None:
    backend = keras.backend.backend()
    if backend != "jax":
        raise TrainingError(
            f"{place.count} processes can only train together under JAX, and the "
            f"backend is {backend}: set KERAS_BACKEND=jax"
        )


def _join(place: Place, group: Group, minutes: float) -> None:
    """Connects with the coordinator, which process 0 starts.

    Raises:
        TrainingError: it cannot be reached, or cannot be started.
    """
    import jax

    config: Any = jax.config
    config.update("jax_cpu_collectives_implementation", "gloo")
    # Its handler of SIGTERM would replace that of ``Interrupt``; see ``Beat``.
    config.update("jax_enable_preemption_service", False)
    end = time.monotonic() + 60 * minutes
    if not group.is_first:
        _wait_for(place, end, minutes, group.wish)
    missing = (
        f"not all processes came to {place.address} within {minutes:g} minutes "
        "(--join-minutes): start each of them with its own number, and see their "
        "messages"
    )
    on_abort(lambda: group.leave(missing))
    group.report(f"waiting at {place.address} for {place.count - 1} more processes")
    seconds = max(1, round(end - time.monotonic()))
    try:
        _in_a_thread(lambda: _connect(place, seconds), group.wish)
    except HeadlineError:
        raise
    except Exception as error:  # the type is JAX's own
        reason = str(error).splitlines()[0]
        raise TrainingError(
            f"process {place.rank} cannot join at {place.address}: {reason}"
        ) from error
    on_abort(group.lost)


def _connect(place: Place, seconds: int) -> None:
    """Waits in native code until all processes have come; it aborts if they do not."""
    import jax

    jax.distributed.initialize(
        place.address,
        place.count,
        place.rank,
        local_device_ids=None if place.device is None else [place.device],
        cluster_detection_method="deactivate",
        initialization_timeout=seconds,
        heartbeat_timeout_seconds=HEARTBEAT,
    )


def _in_a_thread(action: Callable[[], object], wish: Wish) -> None:
    """Runs an action that lets no signal through, and heeds the wish to stop.

    Raises:
        Interrupted: a stop was requested. The action goes on until the process ends,
            which then waits for nothing.
    """
    failed: list[Exception] = []

    def run() -> None:
        try:
            action()
        except Exception as error:
            failed.append(error)

    thread = Thread(target=run, name="joining", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(SOON)
        try:
            wish.check()
        except Interrupted as error:
            atexit.register(os._exit, error.exit_code)
            raise
    if failed:
        raise failed[0]


def _wait_for(place: Place, end: float, minutes: float, wish: Wish) -> None:
    """Waits until the coordinator listens.

    Raises:
        TrainingError: it does not.
        Interrupted: a stop was requested.
    """
    host, _, port = place.address.rpartition(":")
    while True:
        wish.check()
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=5):
                return
        except OSError as error:
            if time.monotonic() > end:
                raise TrainingError(
                    f"process {place.rank} gets no answer from process 0 at "
                    f"{place.address} within {minutes:g} minutes (--join-minutes): "
                    f"{error.strerror or error}"
                ) from error
        time.sleep(PAUSE)


def _check_names(place: Place, group: Group) -> None:
    """Checks that the others can reach each host by its name, as Gloo needs on CPUs.

    Many systems map the name of the host to 127.0.1.1 in /etc/hosts.

    Raises:
        TrainingError: the name of a host stands for the host itself.
    """
    found = group.gather(_addresses(place))
    several = len({own for _, own, _ in found}) > 1
    hidden = [(name, known) for name, _, known in found if known.startswith("127.")]
    if not several or not hidden or not _runs_on_cpu():
        return
    name, known = hidden[0]
    raise TrainingError(
        f"the host name {name} means {known} on its own host, where no other host "
        "reaches it: give it its network address in /etc/hosts there"
    )


def _check_count(place: Place) -> None:
    """Checks that JAX has joined all processes; otherwise each would train alone.

    Raises:
        TrainingError: it has not.
    """
    import jax

    if (found := jax.process_count()) != place.count:
        raise TrainingError(
            f"JAX has joined {found} of {place.count} processes: this build of it, or "
            "its platform, cannot train in several (see JAX_PLATFORMS)"
        )


def _addresses(place: Place) -> tuple[str, str, str]:
    """Returns the host name, the address in the network, and that of the name."""
    name, own, known = socket.gethostname(), "", ""
    host, _, port = place.address.rpartition(":")
    with suppress(OSError):
        kind, *_, target = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_DGRAM
        )[0]
        with socket.socket(kind, socket.SOCK_DGRAM) as probe:
            probe.connect(target)  # sends nothing
            own = str(probe.getsockname()[0])
    with suppress(OSError):
        known = socket.gethostbyname(name)
    return name, own, known


def _runs_on_cpu() -> bool:
    import jax

    return bool(jax.default_backend() == "cpu")


@contextmanager
def _stdout_as_stderr() -> Iterator[None]:
    """Makes native code print to stderr: Gloo tells on stdout whom it has reached."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
