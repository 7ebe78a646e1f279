"""Two processes that train together under JAX, each on one device of the CPU."""

import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGCONT, SIGKILL

from headline.training.hosts import PORTS
from tests.devices import environment

LONGEST = 1800.0  # seconds that anything may take on a machine with much else to do

# A network that compiles quickly.
SMALL = (
    *("--width", "16", "--heads", "2", "--bigrams", "50", "--encoder-layers", "1"),
    *("--decoder-layers", "1", "--batch-size", "8", "--learning-rate", "0.01"),
    *("--warmup-updates", "5", "--r-drop", "0", "--dropout-epochs", "2"),
    *("--valid-articles", "10", "--patience", "0"),
)


@dataclass
class Process:
    """One of them; it writes into files, so that no pipe fills up."""

    popen: "subprocess.Popen[bytes]"
    out: Path
    err: Path

    @property
    def told(self) -> str:
        """What it wrote to stderr so far."""
        return self.err.read_text("utf-8")

    def end(self, seconds: float = LONGEST) -> int:
        """Waits for its end; returns the exit code, negative for a signal."""
        return self.popen.wait(seconds)


@dataclass
class Pair:
    """Two processes."""

    first: Process
    second: Process
    both: list[Process] = field(init=False)

    def __post_init__(self) -> None:
        self.both = [self.first, self.second]

    def wait_for(self, line: str) -> None:
        """Waits until the first process has told a line that contains ``line``."""
        end = time.monotonic() + LONGEST
        while line not in self.first.told:
            assert self.first.popen.poll() is None, self.first.told
            assert time.monotonic() < end, self.first.told
            time.sleep(0.02)

    def end(self) -> list[int]:
        """Waits for the end of both; returns their exit codes."""
        return [process.end() for process in self.both]

    def close(self) -> None:
        """Ends both, whatever they do."""
        for process in self.both:
            with suppress(ProcessLookupError):
                process.popen.send_signal(SIGCONT)
                process.popen.send_signal(SIGKILL)
            process.popen.wait()


def by_hand(rank: int, port: int) -> dict[str, str]:
    """The environment if the processes are started by hand, with ``numbers``."""
    return {"JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{port}"}


def numbers(rank: int) -> list[str]:
    """The options of a process that is started by hand."""
    return ["--processes", "2", "--process-id", str(rank)]


def by_slurm(rank: int, port: int) -> dict[str, str]:
    """What `srun -n 2` sets; its job has a number that leads to the port."""
    return {
        "SLURM_JOB_ID": str(7 * PORTS + port % PORTS),
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_STEP_TASKS_PER_NODE": "2",
        "SLURM_NODEID": "0",
        "SLURM_PROCID": str(rank),
        "SLURM_LOCALID": str(rank),
    }


def by_openmpi(rank: int, port: int) -> dict[str, str]:
    """What `mpirun -n 2` sets."""
    return {
        "OMPI_COMM_WORLD_RANK": str(rank),
        "OMPI_COMM_WORLD_SIZE": "2",
        "OMPI_COMM_WORLD_LOCAL_RANK": str(rank),
        "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
        "OMPI_MCA_orte_hnp_uri": f"{(port % PORTS) * PORTS}.0;tcp://127.0.0.1:1",
    }


LAUNCHERS = {"by hand": by_hand, "SLURM": by_slurm, "OpenMPI": by_openmpi}


def job_port() -> int:
    """A free port among those that SLURM and OpenMPI lead to: the last ``PORTS``."""
    while True:
        port = secrets.choice(range(2**16 - PORTS, 2**16))
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port


def train_command(data_dir: Path, model_dir: Path, *more: str) -> list[str]:
    command = [sys.executable, "-m", "headline", "train", str(data_dir)]
    return [*command, "-m", str(model_dir), *SMALL, *more]


def start(
    command: Sequence[str], env: Mapping[str, str], name: str, folder: Path
) -> Process:
    """Starts a process, which hides what native code prints.

    Args:
        name, folder: of the files that it writes into.
    """
    out, err = folder / f"{name}.out", folder / f"{name}.err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        own = {name: env[name] for name in env if name != "TF_CPP_MIN_LOG_LEVEL"}
        popen = subprocess.Popen(command, env=own, stdout=stdout, stderr=stderr)
    return Process(popen, out, err)


def start_pair(
    data_dir: Path,
    model_dir: Path,
    cache: Path,
    *more: str,
    launcher: str = "by hand",
    second: Sequence[str] = (),
) -> Pair:
    """Starts ``headline train`` twice.

    Args:
        cache: folder of compiled code.
        more: options.
        launcher: a name of ``LAUNCHERS``, whose environment they get.
        second: more options for the second process.
    """
    port = job_port()
    processes = []
    for rank in range(2):
        command = train_command(data_dir, model_dir, *more, "--hosts", "auto")
        command += numbers(rank) if launcher == "by hand" else []
        env = environment(1, cache) | LAUNCHERS[launcher](rank, port)
        extra = second if rank else ()
        processes.append(start([*command, *extra], env, f"{rank}", model_dir.parent))
    return Pair(*processes)
