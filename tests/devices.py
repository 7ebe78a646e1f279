"""A training under JAX on two devices of the CPU, with all that changes an update.

    python -m tests.devices DATA_DIR MODEL_DIR RANK HOST:PORT

is one of two processes that make it together, with one device each.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from headline.settings.presets import Run
from headline.settings.train import TrainConfig
from tests.trainings import small_run

# Compiles in half the time; all trainings that are compared must have it.
QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"

PROCESS = (sys.executable, "-m", "tests.devices")
TIMEOUT = 1200  # seconds, for a machine that does much else
SENT = "bytes sent per batch: "

# 18 updates on pseudo-pairs, then 24 on pairs. Each takes two batches of seven rows,
# so that one of two devices gets a row of padding, and reads each batch twice.
EVERYTHING = TrainConfig(
    epochs=2,
    batch_size=7,
    accumulate=2,
    r_drop=1.0,
    pretrain_share=0.42,
    shortlist=16,
    learning_rate=0.01,
    warmup_updates=5,
    dropout_epochs=1.5,
    valid_articles=10,
    samples=0,
)


def run_of_everything(data_dir: Path, model_dir: Path) -> Run:
    sizes = {"width": 16, "heads": 2, "encoder_layers": 1, "decoder_layers": 1}
    return small_run(data_dir, model_dir, EVERYTHING, bigrams=50, **sizes)


def environment(devices: int, cache: Path) -> dict[str, str]:
    """The environment of a process with some devices under JAX.

    Args:
        cache: folder of compiled code, so that nothing is compiled twice.
    """
    return os.environ | {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices} {QUICK}",
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }


def train_in_two_processes(
    data_dir: Path,
    model_dirs: list[Path],
    cache: Path,
    address: str = "127.0.0.1",
    launchers: Sequence[Sequence[str]] = ((), ()),
) -> list[str]:
    """Trains on one device of each of two processes.

    Args:
        model_dirs: a MODEL_DIR for each process, because both write theirs.
        address: the IP address of the first process.
        launchers: what each command begins with.

    Returns:
        what each process printed.
    """
    where = f"{address}:{free_port()}"
    processes = [
        subprocess.Popen(
            [*launcher, *PROCESS, str(data_dir), str(folder), str(rank), where],
            env=environment(1, cache),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank, (folder, launcher) in enumerate(
            zip(model_dirs, launchers, strict=True)
        )
    ]
    try:
        told = [process.communicate(timeout=TIMEOUT)[0] for process in processes]
    finally:
        for process in processes:
            with process:
                process.kill()
    for process, text in zip(processes, told, strict=True):
        assert process.returncode == 0, text
    return told


def free_port() -> int:
    """A port of this machine where nothing listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def sent() -> int:
    """The bytes that the network devices of this process's namespace have sent."""
    lines = Path("/proc/net/dev").read_text("utf-8").splitlines()[2:]
    rows = (line.split(":") for line in lines)
    return sum(int(row.split()[8]) for name, row in rows if name.strip() != "lo")


def main(data_dir: Path, model_dir: Path, rank: int, address: str) -> None:
    """Trains as one of two processes, and prints the bytes that a batch sends."""
    jax: Any = import_module("jax")
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(address, 2, rank)
    from headline.training.schedule import Schedule
    from headline.training.train import train_model

    counts: list[int] = []
    begin = Schedule.on_train_batch_begin

    def counting(self: Schedule, batch: int, logs: Any = None) -> None:
        counts.append(sent())
        begin(self, batch, logs)

    with patch.object(Schedule, "on_train_batch_begin", counting):
        train_model(run_of_everything(data_dir, model_dir), print)
    print(f"{SENT}{np.median(np.diff(counts))}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
