"""``headline train --on ray``: the processes of a training on a Ray cluster.

Each actor runs ``headline train --hosts auto`` in a process of its own, as a launcher
would. So a process that dies takes nothing else along, and all start again in fresh
processes. Ray Train's ``JaxTrainer`` is not used: on CPUs it does not join the
processes, and each trains a model alone.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from signal import SIGTERM
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

from headline.bundle import has_checkpoint, load_checkpoint
from headline.errors import Interrupted, TrainingError
from headline.settings.base import Config, Setting, offered
from headline.settings.presets import PresetConfig, Run
from headline.settings.toml import to_toml
from headline.system.interrupt import Wish
from headline.system.progress import Report
from headline.training.group import PARENT
from headline.training.hosts import ADDRESS

NO_RAY = "--on ray needs Ray on all hosts: pip install 'headline[ray]'"
TRIES = 3  # starts in a row without a new checkpoint
PAUSE = 0.5  # seconds between two looks at the processes
GRACE = 30.0  # seconds in which the others end once a process has
ERROR = "Error: "
# Environment variables that the processes get from this one.
HANDED_ON = (
    "JAX_",
    "KERAS_",
    "XLA_",
    "TF_",
    "NCCL_",
    "OMP_",
    "OPENBLAS_",
    "PYTHONPATH",
)


@dataclass(frozen=True)
class Command:
    """What each process runs.

    Attributes:
        arguments: of ``headline train``, without those that tell the process's place.
        settings: a TOML file with all settings.
        env: environment variables to set.
    """

    arguments: tuple[str, ...]
    settings: str
    env: Mapping[str, str]


class Worker:
    """An actor: runs one process of the training, and tells how it goes."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._process: subprocess.Popen[str] | None = None

    def address(self) -> str:
        """Returns ``HOST:PORT`` of this host, with a free port."""
        ray = _ray()
        host = str(ray.util.get_node_ip_address())
        with socket.socket() as one:
            one.bind(("", 0))
            return f"{host}:{one.getsockname()[1]}"

    def start(self, command: Command, rank: int, count: int, address: str) -> None:
        """Starts the process.

        Args:
            address: of the first one.
        """
        self._folder = TemporaryDirectory()
        settings = Path(self._folder.name, "settings.toml")
        settings.write_text(command.settings, "utf-8")
        place = ["--process-id", str(rank), "--processes", str(count)]
        own = {ADDRESS: address, PARENT: str(os.getpid())}
        self._process = subprocess.Popen(  # noqa: S603 - it is this program
            [*command.arguments, "--config", str(settings), "--hosts", "auto", *place],
            env=os.environ | dict(command.env) | own,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process is not None and self._process.stderr is not None
        for line in self._process.stderr:
            self._lines.append(line.rstrip("\n"))

    def look(self) -> tuple[list[str], int | None]:
        """Returns the lines since the last look, and the exit code if it has ended."""
        assert self._process is not None
        code = self._process.poll()
        if code is not None:
            self._reader.join(5)
        lines, self._lines = self._lines, []
        return lines, code

    def stop(self) -> None:
        """Asks the process to stop after the current update."""
        assert self._process is not None
        self._process.send_signal(SIGTERM)


def train_on_ray(run: Run, report: Report, wish: Wish) -> None:
    """Trains on a Ray cluster; MODEL_DIR and DATA_DIR must be folders of all its hosts.

    Args:
        report: called with each line to show to the user.
        wish: a request to stop.

    Raises:
        TrainingError: Ray is missing or has no room, or the training failed.
        Interrupted: a stop was requested; a checkpoint was written.
    """
    with _cluster(run.hosts.address):
        tries, update = 0, _update(run.model_dir) if run.resume else 0
        while True:
            codes, error = _once(run, report, wish)
            if not any(codes):
                return
            if wish.received is not None:
                raise Interrupted(wish.received)
            if error is not None:
                raise TrainingError(error)
            reached = _update(run.model_dir)
            tries = 1 if reached > update else tries + 1
            update = max(update, reached)
            if tries >= TRIES:
                raise TrainingError(
                    f"{tries} times in a row a process died before a new checkpoint "
                    f"after update {update:,}: see their messages; --resume goes on"
                )
            run = _again(run)
            report(f"a process died: all start again from update {update:,}")


def _update(model_dir: Path) -> int:
    """Returns the number of updates of the last checkpoint; 0 if there is none."""
    if not has_checkpoint(model_dir):
        return 0
    return int(load_checkpoint(model_dir).state["state"]["update"])


def _again(run: Run) -> Run:
    """Returns the run that goes on after a death."""
    if has_checkpoint(run.model_dir):
        return replace(run, resume=True, overwrite=False)
    return replace(run, overwrite=True, resume=False)


def _once(run: Run, report: Report, wish: Wish) -> tuple[list[int | None], str | None]:
    """Starts all processes once, and waits until they have ended.

    Returns:
        their exit codes, None for one that Ray has lost; and the error that starting
        again would not remedy, if there is one.
    """
    with _workers(run) as workers:
        count = len(workers)
        try:
            (address,) = _get([workers[0].address.remote()])
            command = _command(run)
            _get(
                one.start.remote(command, rank, count, address)
                for rank, one in enumerate(workers)
            )
            return _watched(workers, report, wish)
        except _lost():
            return [None] * count, None


def _watched(
    workers: Sequence[Any], report: Report, wish: Wish
) -> tuple[list[int | None], str | None]:
    codes: list[int | None] = [None] * len(workers)
    error, end, is_told = None, float("inf"), False
    while None in codes and time.monotonic() < end:
        if wish.received is not None and not is_told:
            is_told = True
            _get([workers[0].stop.remote()])
        for rank, (lines, code) in enumerate(
            _get(one.look.remote() for one in workers)
        ):
            errors = [line for line in lines if line.startswith(ERROR)]
            for line in lines if rank == 0 else ():
                if line not in errors:
                    report(line)
            if code is not None and codes[rank] is None:
                codes[rank] = code
                end = min(end, time.monotonic() + GRACE)
            if code in (1, 2) and error is None:
                told = errors or lines[-1:] or [f"process {rank} ended with {code}"]
                error = told[-1].removeprefix(ERROR)
        time.sleep(PAUSE)
    return codes, error


def _command(run: Run) -> Command:
    arguments = [sys.executable, "-m", "headline", "train", str(run.data_dir.resolve())]
    arguments += ["-m", str(run.model_dir.resolve())]
    if run.init_from is not None:
        arguments += ["--init-from", str(run.init_from.resolve())]
    if run.tensorboard is not None:
        arguments += ["--tensorboard", str(run.tensorboard.resolve())]
    arguments += ["--overwrite"] * run.overwrite + ["--resume"] * run.resume
    arguments += ["--join-minutes", f"{run.hosts.join_minutes:g}"]
    arguments += ["--stall-minutes", f"{run.hosts.stall_minutes:g}"]
    env = {
        name: value for name, value in os.environ.items() if name.startswith(HANDED_ON)
    }
    return Command(tuple(arguments), settings_text(run), {"KERAS_BACKEND": "jax"} | env)


def settings_text(run: Run) -> str:
    """Returns the settings of a run as a file that ``--config`` reads."""
    sections: dict[str, list[tuple[Setting, object]]] = {}
    preset = PresetConfig.from_dict({"preset": run.preset})
    configs: list[Config] = [preset, run.train, run.model]
    for config in configs:
        pairs = [(one, getattr(config, one.name)) for one in offered(type(config))]
        sections.setdefault(config.section, []).extend(pairs)
    return to_toml(sections)


# --- Ray ------------------------------------------------------------------------------


def _ray() -> Any:
    """Returns Ray.

    Raises:
        TrainingError: it is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise TrainingError(NO_RAY) from error
    return ray


@contextmanager
def _cluster(address: str) -> Iterator[None]:
    """Connects with a Ray cluster, or starts one on this machine."""
    ray = _ray()
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if not ray.is_initialized():
        try:
            ray.init(
                address=None if address == "local" else address,
                log_to_driver=False,
                logging_level="ERROR",
                include_dashboard=False if address == "local" else None,
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise TrainingError(
                f"no Ray cluster at --address {address}: {str(error).splitlines()[0]}"
            ) from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _workers(run: Run) -> Iterator[list[Any]]:
    """Yields actors, on as many hosts as possible; ends them and their processes.

    Raises:
        TrainingError: the cluster has no room for them.
    """
    ray = _ray()
    from ray.util.placement_group import placement_group, remove_placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    count, gpus = run.hosts.workers or 1, _gpus(run)
    bundle = {"CPU": 1.0} | ({"GPU": gpus} if gpus else {})
    group: Any = placement_group([bundle] * count, strategy="SPREAD")
    try:
        if not group.wait(60 * run.hosts.join_minutes):
            needs = f"{count} CPUs" + (f" and {count * gpus:g} GPUs" if gpus else "")
            raise TrainingError(
                f"--workers {count} needs {needs} of the Ray cluster, and they are not "
                f"free within {run.hosts.join_minutes:g} minutes (--join-minutes)"
            )
        actor: Any = ray.remote(Worker)
        place = PlacementGroupSchedulingStrategy(placement_group=group)
        options = {"num_cpus": 1, "num_gpus": gpus, "scheduling_strategy": place}
        workers = [actor.options(**options).remote() for _ in range(count)]
        yield workers
    finally:
        with suppress(Exception):  # of a cluster that is gone
            remove_placement_group(group)


def _gpus(run: Run) -> float:
    """Returns the GPUs of each process."""
    if run.hosts.gpus_per_worker is not None:
        return run.hosts.gpus_per_worker
    has_gpus = (
        run.train.device != "cpu" and _ray().cluster_resources().get("GPU", 0) > 0
    )
    return 1.0 if has_gpus else 0.0


def _get(calls: Iterable[Any]) -> list[Any]:
    """Returns what the actors return."""
    return list(_ray().get(list(calls)))


def _lost() -> type[Exception]:
    """Returns the error of an actor that Ray has lost."""
    from ray.exceptions import RayError

    lost: type[Exception] = RayError
    return lost
