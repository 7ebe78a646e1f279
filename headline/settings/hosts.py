"""Settings of a training on several hosts."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from headline.settings.base import Check, Config, Range, setting

Hosts = Literal["one", "auto"]
On = Literal["here", "ray"]

_HOSTS = "Several hosts (JAX only)"
_MANY = Range(low=1, high=65536)
_MINUTES = Range(low=0, below=1_000_000)


@dataclass(frozen=True, kw_only=True)
class HostsConfig(Config):
    """Which processes train together, and how long they wait for each other."""

    section = "hosts"

    hosts: Hosts = setting(
        "one",
        "With auto, train together with the other processes that SLURM, OpenMPI or"
        " Kubernetes started, or that have the same JAX_COORDINATOR_ADDRESS.",
        group=_HOSTS,
    )
    # None: the launcher tells it.
    processes: int | None = setting(
        None,
        "Number of processes that train together with --hosts auto.",
        group=_HOSTS,
        unit="processes",
        range=_MANY,
        default_text="what SLURM or OpenMPI says",
    )
    process_id: int | None = setting(
        None,
        "Number of this process with --hosts auto, from 0. Process 0 runs on the host"
        " of JAX_COORDINATOR_ADDRESS and writes the model.",
        group=_HOSTS,
        unit="process",
        range=Range(low=0, high=65535),
        default_text="what the launcher says",
    )
    join_minutes: float = setting(
        5.0,
        "Minutes to wait at the start until all processes have come.",
        group=_HOSTS,
        unit="minutes",
        range=Range(above=0, below=1_000_000),
    )
    stall_minutes: float = setting(
        10.0,
        "With several processes: minutes without progress after which this one ends"
        " with exit code 75, so that its launcher starts them again (0: never).",
        group=_HOSTS,
        unit="minutes",
        range=_MINUTES,
    )
    on: On = setting(
        "here",
        "With ray, start --workers processes on a Ray cluster, and start them again"
        " from the last checkpoint if one dies.",
        group=_HOSTS,
    )
    workers: int | None = setting(
        None,
        "Number of processes with --on ray.",
        group=_HOSTS,
        unit="processes",
        range=_MANY,
        default_text="needed with --on ray",
    )
    address: str = setting(
        "auto",
        "Ray cluster: HOST:PORT, auto for the one that runs here, or local to start one"
        " on this machine.",
        group=_HOSTS,
        unit="address",
    )
    gpus_per_worker: float | None = setting(
        None,
        "GPUs of each process with --on ray (0: none).",
        group=_HOSTS,
        unit="GPUs",
        range=Range(low=0, high=64),
        default_text="1 if the cluster has GPUs",
    )

    def _checks(self) -> Iterable[Check]:
        one, here = self.hosts == "one", self.on == "here"
        yield "hosts", one or here, "one with --on ray, which starts its own processes"
        yield "workers", here or self.workers is not None, "given with --on ray"
        count, rank = self.processes, self.process_id
        inside = count is None or rank is None or rank < count
        yield "process_id", inside, f"less than --processes, {count}"
