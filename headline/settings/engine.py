"""Settings of the engine that runs the shards of many articles."""

from dataclasses import dataclass
from typing import Literal

from headline.settings.base import Config, Range, setting

_ENGINE = "Many articles"


@dataclass(frozen=True, kw_only=True)
class EngineConfig(Config):
    """Where the shards run: on this machine, or on a cluster of Ray."""

    section = "engine"

    on: Literal["here", "ray"] = setting(
        "here",
        "With --output-dir, run in processes of this machine, or on a Ray cluster.",
        group=_ENGINE,
    )
    address: str = setting(
        "auto",
        "Ray cluster: HOST:PORT, auto for the one that runs here, or local to start"
        " one on this machine.",
        group=_ENGINE,
        unit="address",
    )
    gpus_per_worker: float | None = setting(
        None,
        "GPUs of each worker on Ray; 0.5 lets two workers share one.",
        group=_ENGINE,
        unit="GPUs",
        range=Range(above=0, high=64),
        default_text="1 with --device gpu",
    )
    stall_minutes: float = setting(
        60.0,
        "Stop a run on Ray if no shard is finished for so long. It must be longer than"
        " one shard takes.",
        group=_ENGINE,
        unit="minutes",
        range=Range(above=0),
    )
